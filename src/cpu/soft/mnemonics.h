/*
 * cpu/soft/mnemonics.h -- the user-mode integer instructions, and the family of each.
 *
 * X(mnemonic, family): ZYDIS_MNEMONIC_mnemonic is chosen for by select_family()
 * (exec.h).  The rest is in system/table.c, or undefined.  tests/judge counts by it.
 */
#ifndef CPU_SOFT_MNEMONICS_H
#define CPU_SOFT_MNEMONICS_H

#define CONDITIONS(X, prefix, f)                                                            \
    X(prefix##O, f) X(prefix##NO, f) X(prefix##B, f) X(prefix##NB, f) X(prefix##Z, f)       \
    X(prefix##NZ, f) X(prefix##BE, f) X(prefix##NBE, f) X(prefix##S, f) X(prefix##NS, f)    \
    X(prefix##P, f) X(prefix##NP, f) X(prefix##L, f) X(prefix##NL, f) X(prefix##LE, f)      \
    X(prefix##NLE, f)

#define MNEMONIC_LIST(X)                                                                    \
    X(ADD, alu) X(OR, alu) X(ADC, alu) X(SBB, alu) X(AND, alu) X(SUB, alu) X(XOR, alu)      \
    X(CMP, alu) X(TEST, alu)                                                                \
    X(INC, unary) X(DEC, unary) X(NOT, unary) X(NEG, unary)                                 \
    X(MOV, mov) X(MOVBE, mov) X(MOVZX, movx) X(MOVSX, movx) X(MOVSXD, movx) X(LEA, lea)     \
    X(XCHG, xchg) X(XADD, atomic) X(CMPXCHG, atomic) X(CMPXCHG8B, atomic)                   \
    X(CMPXCHG16B, atomic) X(BSWAP, xchg)                                                    \
    CONDITIONS(X, CMOV, cmov) CONDITIONS(X, SET, setcc) CONDITIONS(X, J, branch)            \
    X(SHL, shift) X(SHR, shift) X(SAR, shift) X(ROL, shift) X(ROR, shift) X(RCL, shift)     \
    X(RCR, shift) X(SHLD, shiftd) X(SHRD, shiftd)                                           \
    X(BT, bt) X(BTS, bt) X(BTR, bt) X(BTC, bt) X(BSF, bits) X(BSR, bits) X(POPCNT, bits)    \
    X(MUL, muldiv) X(DIV, muldiv) X(IDIV, muldiv) X(IMUL, imul)                             \
    X(JMP, branch) X(CALL, branch) X(RET, branch) X(LOOP, branch) X(LOOPE, branch)          \
    X(LOOPNE, branch) X(JCXZ, branch) X(JECXZ, branch) X(JRCXZ, branch)                     \
    X(PUSH, stack) X(POP, stack) X(PUSHA, stack) X(PUSHAD, stack) X(POPA, stack)            \
    X(POPAD, stack) X(PUSHF, stack) X(PUSHFD, stack) X(PUSHFQ, stack) X(POPF, stack)        \
    X(POPFD, stack) X(POPFQ, stack) X(ENTER, stack) X(LEAVE, stack)                         \
    X(MOVSB, string) X(MOVSW, string) X(MOVSD, string) X(MOVSQ, string)                     \
    X(STOSB, string) X(STOSW, string) X(STOSD, string) X(STOSQ, string)                     \
    X(LODSB, string) X(LODSW, string) X(LODSD, string) X(LODSQ, string)                     \
    X(CMPSB, string) X(CMPSW, string) X(CMPSD, string) X(CMPSQ, string)                     \
    X(SCASB, string) X(SCASW, string) X(SCASD, string) X(SCASQ, string)                     \
    X(CBW, misc) X(CWDE, misc) X(CDQE, misc) X(CWD, misc) X(CDQ, misc) X(CQO, misc)         \
    X(LAHF, flag) X(SAHF, flag) X(CLC, flag) X(STC, flag) X(CMC, flag) X(CLD, flag)         \
    X(STD, flag) X(SALC, flag)                                                              \
    X(XLAT, misc) X(BOUND, misc) X(NOP, misc) X(PAUSE, misc) X(LFENCE, misc)                \
    X(MFENCE, misc) X(SFENCE, misc) X(PREFETCH, misc) X(PREFETCHW, misc)                    \
    X(PREFETCHNTA, misc) X(PREFETCHT0, misc) X(PREFETCHT1, misc) X(PREFETCHT2, misc)        \
    X(CLFLUSH, misc)                                                                        \
    X(DAA, bcd) X(DAS, bcd) X(AAA, bcd) X(AAS, bcd) X(AAM, bcd) X(AAD, bcd)

#endif
