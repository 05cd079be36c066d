/*
 * cpu/refusal.h -- why the CPU refused to execute an instruction.
 *
 * Most reasons for an exception share one vector: a #GP(0) is an instruction of the kernel in
 * ring 3, an address beyond a segment's limit, an operand of MOVAPS that is not aligned, a
 * reserved bit of CR4 and fifty things more, and the guest's handler is not told which.  The
 * engine that has made the check knows, and says so here.  A page fault is not in this list:
 * its error code and CR2 tell what there is to tell.
 *
 * These rows continue OBSTACLE_LIST (cpu/delivery.h): that is about the way from an exception to
 * its handler, this about the exception's own cause.  `at` is the number that is wrong.
 * [SDM 3A "Interrupt 13-General Protection Exception (#GP)" lists causes]
 */
#ifndef CPU_REFUSAL_H
#define CPU_REFUSAL_H

#include <stdint.h>

/*    name             at                  why, as half a sentence */
#define REFUSAL_LIST(X)                                                                           \
    X(RING0,           "ring",             "only ring 0 may execute this instruction")            \
    X(IOPL,            "IOPL",             "rings beyond IOPL may not change the interrupt flag") \
    X(PORT,            "port",             "rings beyond IOPL may use a port only if the I/O "    \
                                           "bitmap of the TSS opens it")                          \
    X(V86_IOPL,        "IOPL",             "in virtual-8086 mode this instruction needs IOPL 3")  \
    X(V86_FLAGS,       "flags",            "it would set TF, or IF while a virtual interrupt is " \
                                           "pending")                                             \
    X(UMIP,            "ring",             "CR4.UMIP keeps this instruction for ring 0")          \
    X(TSD,             "ring",             "CR4.TSD keeps the time-stamp counter for ring 0")     \
    X(UD2,             "-",                "UD2 is there to raise this: compilers put it where "   \
                                           "code must never come")                                \
    X(NO_INSN,         "-",                "these bytes are no instruction of this CPU in this "  \
                                           "mode")                                                \
    X(INSN_LENGTH,     "-",                "an instruction has 15 bytes at most")                 \
    X(INSN_MODE,       "-",                "this instruction does not exist in this mode of the " \
                                           "CPU")                                                 \
    X(REGISTER,        "number",           "there is no such register")                           \
    X(SYSCALL_OFF,     "EFER",             "SYSCALL and SYSRET need EFER.SCE, and 64-bit code")   \
    X(SYSENTER_CS,     "IA32_SYSENTER_CS", "SYSENTER and SYSEXIT need a selector in the MSR "     \
                                           "IA32_SYSENTER_CS")                                    \
    X(FSGSBASE_OFF,    "CR4",              "RDFSBASE and its kin need CR4.FSGSBASE, and 64-bit "  \
                                           "code")                                                \
    X(SMAP_NONE,       "ring",             "CLAC and STAC are for ring 0 of a CPU with SMAP")     \
    X(SSE_OFF,         "CR4",              "SSE instructions need CR4.OSFXSR (bit 9), which is 0") \
    X(SSE_EMULATED,    "CR0",              "SSE and MMX instructions need CR0.EM (bit 2) to be 0") \
    X(FPU_EMULATED,    "CR0",              "CR0.EM (bit 2) is set, which says that there is no "  \
                                           "FPU")                                                 \
    X(FPU_SWITCHED,    "CR0",              "CR0.TS (bit 3) is set: the FPU has the registers of " \
                                           "another task, until CLTS")                            \
    X(FPU_PENDING,     "status word",      "an earlier floating-point instruction has left an "   \
                                           "exception pending")                                   \
    X(SIMD,            "MXCSR",            "its result is an exception that MXCSR does not mask") \
    X(SIMD_UNKNOWN,    "CR4",              "its result is an exception that MXCSR does not mask, " \
                                           "and without CR4.OSXMMEXCPT that is #UD")              \
    X(MXCSR_RESERVED,  "value",            "it would set reserved bits of MXCSR")                 \
    X(DIVIDE_ZERO,     "-",                "the divisor is 0")                                    \
    X(DIVIDE_RANGE,    "-",                "the quotient does not fit its register (the upper "   \
                                           "half of the dividend is in AH, DX, EDX or RDX)")      \
    X(BOUND,           "index",            "the index is outside its bounds")                     \
    X(OPERAND_16,      "address",          "its operand in memory must lie at a multiple of 16")  \
    X(UNALIGNED,       "linear address",   "the address is no multiple of the operand's size, "   \
                                           "and CR0.AM and RFLAGS.AC ask for that")               \
    X(CANONICAL,       "address",          "the address is not canonical: bits 63 to 47 must be " \
                                           "equal")                                               \
    X(SEG_NULL,        "segment:offset",   "the segment register was loaded with a null "         \
                                           "selector")                                            \
    X(SEG_WRITE,       "segment:offset",   "the segment may not be written to: it is code, or "   \
                                           "read-only")                                           \
    X(SEG_READ,        "segment:offset",   "the segment may not be read: it is code to execute "  \
                                           "only")                                                \
    X(SEG_LIMIT,       "segment:offset",   "the access lies beyond the segment's limit")          \
    X(BRANCH_LIMIT,    "offset",           "the target lies beyond the limit of the code segment") \
    X(CODE_LIMIT_HIT,  "offset",           "the code runs beyond the limit of its segment")       \
    X(SP_ODD,          "SP",               "PUSHA would wrap around in the midst of a word")      \
    X(SEL_NULL,        "selector",         "the selector is null, and this register needs a "     \
                                           "segment")                                             \
    X(SEL_LIMIT,       "selector",         "the selector lies beyond the end of its table")       \
    X(SEL_SS,          "selector",         "SS needs a writable data segment whose DPL and RPL "  \
                                           "are the ring")                                        \
    X(SEL_DATA,        "selector",         "the register needs a readable segment that this "     \
                                           "ring may use")                                        \
    X(SEL_CODE,        "selector",         "CS needs a code segment that this ring may enter")    \
    X(SEL_RETURN,      "selector",         "a return needs a code segment of the same ring or "   \
                                           "an outer one")                                        \
    X(SEL_GATE,        "selector",         "the call or task gate may not be used from this ring") \
    X(SEL_SYSTEM,      "selector",         "a far jump or call cannot go through a descriptor of " \
                                           "this type")                                           \
    X(SEL_LDT,         "selector",         "LDTR needs the descriptor of an LDT in the GDT")      \
    X(SEL_TSS,         "selector",         "TR needs an available (not busy) TSS in the GDT")     \
    X(SEL_ABSENT,      "selector",         "the descriptor is not present (P is 0)")              \
    X(TASK_LIMIT,      "selector in TR",   "the running task's TSS is too short, or none is "     \
                                           "loaded")                                              \
    X(TASK_LINK,       "selector",         "NT is set, but the back link in the TSS names no "    \
                                           "busy TSS to return to")                               \
    X(TASK_LONG,       "-",                "NT is set, and long mode has no tasks to return to")  \
    X(CR0_UPPER,       "value",            "bits 63 to 32 of CR0 must be 0")                      \
    X(PG_WITHOUT_PE,   "value",            "CR0.PG (paging) needs CR0.PE (protected mode)")       \
    X(NW_WITHOUT_CD,   "value",            "CR0.NW needs CR0.CD")                                 \
    X(LONG_PAE,        "CR4",              "paging with EFER.LME set needs CR4.PAE (bit 5), "     \
                                           "which is 0")                                          \
    X(LONG_CS,         "-",                "long mode is entered from a code segment whose bit L " \
                                           "is 0")                                                \
    X(LONG_TSS,        "selector in TR",   "long mode cannot be entered with a 16-bit TSS in TR") \
    X(LONG_LEAVE,      "value",            "paging cannot be switched off in 64-bit code: first " \
                                           "jump to a 32-bit code segment")                       \
    X(PDPTE,           "its value",        "one of the four entries that CR3 points to has a "    \
                                           "reserved bit set (R/W and U/S are reserved there)")   \
    X(PDPTE_NONE,      "CR3",              "CR3 points to no memory")                             \
    X(CR3_UPPER,       "value",            "CR3 has bits beyond physical addresses")              \
    X(CR4_RESERVED,    "these bits",       "it would set bits of CR4 that this CPU does not have " \
                                           "(CPUID tells)")                                       \
    X(LONG_KEEPS_PAE,  "value",            "CR4.PAE cannot be cleared in long mode")              \
    X(CR8_RESERVED,    "value",            "only bits 3 to 0 of CR8 may be set")                  \
    X(DR_UPPER,        "value",            "bits 63 to 32 of DR6 and DR7 must be 0")              \
    X(DR_GUARDED,      "DR7",              "DR7.GD guards the debug registers")                   \
    X(EFER_RESERVED,   "these bits",       "it would set bits of EFER that this CPU does not "    \
                                           "have")                                                \
    X(EFER_PAGING,     "value",            "EFER.LME cannot change while paging is on")           \
    X(PAT_TYPE,        "value",            "a byte of the PAT is no memory type")                 \
    X(MSR_VALUE,       "value",            "this MSR does not take such a value: an address must " \
                                           "be canonical")                                        \
    X(MSR_UNKNOWN,     "ECX",              "the CPU has no MSR of this number")                   \
    X(COUNTER,         "ECX",              "the CPU has no performance counter")

/* The `at` of the SEG_ rows: a segment register (enum seg) and an offset of 32 bits.  Only 64-bit
 * mode has longer offsets, and it has no such refusals. */
static inline uint64_t refusal_place(unsigned seg, uint64_t offset)
{
    return (uint64_t)seg << 32 | (uint32_t)offset;
}

#endif
