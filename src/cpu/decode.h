/*
 * cpu/decode.h -- from bytes to one instruction with its operands.
 *
 * What the bytes mean, and nothing about how anybody executes them: the interpreter
 * chooses its handlers from this (soft/choose.c), a translator can choose its code.
 * Only the width of code (16, 32, 64 bits) and RIP go in; no register's value does.
 * Extensions that our CPUID does not announce are decoded as processors without them do:
 * LZCNT is BSR, ENDBR is a NOP.
 *
 * Begin with struct decoded.  [SDM 2A "Instruction Format"]
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include "base/types.h"

enum code_width { CODE16, CODE32, CODE64, N_CODE_WIDTHS };

enum { NO_REG = 16 };           /* "no base", "no index": one more than there are registers */

enum operand_kind {
    OPERAND_GPR,                /* a general register, or a part of one                    */
    OPERAND_MEM,                /* in memory: decoded.mem                                  */
    OPERAND_IMM,                /* a number in the instruction: decoded.imm                */
    OPERAND_FAR,                /* selector and offset in it: decoded.imm2, decoded.imm    */
    OPERAND_OTHER,              /* a segment, control, debug, x87, MMX or XMM register     */
};

/* One operand that is written down; implicit ones (the stack, RSI) are not listed. */
struct decoded_operand {
    uint8_t  kind;              /* enum operand_kind                                       */
    uint8_t  reg;               /* of a GPR: its number, enum gpr                          */
    uint8_t  reg_byte;          /* the same in bytes, counting from RAX; AH is 1           */
    uint8_t  bytes;             /* size; 0 where it is none of 1, 2, 4, 8 ...              */
};

/* Where the memory operand is: seg: base + index * scale + disp.  The displacement of a
 * RIP-relative one has RIP in it already. */
struct decoded_mem {
    int64_t  disp;
    uint8_t  seg;               /* enum seg                                                */
    uint8_t  base, index;       /* enum gpr, or NO_REG                                     */
    uint8_t  scale;             /* 1, 2, 4 or 8                                            */
};

/* The bytes themselves, for those who look at the encoding. */
struct encoding {
    uint8_t  opcode;            /* the last byte of the opcode                             */
    uint8_t  map;               /* 0: it stands alone; 1: behind 0F; 2: others             */
    bool     has_modrm;
    uint8_t  mod, reg, rm;      /* of ModRM; reg and rm with REX.R and REX.B               */
    bool     rex_w;
    uint8_t  simd_prefix;       /* F2, F3, 66 or 0: the prefix that counts for MMX and SSE */
    bool     vex;               /* VEX, EVEX, XOP, 3DNow!: our CPU has none of them        */
};

enum { MAX_WRITTEN = 4 };       /* operands written down */

struct decoded {
    uint16_t mnemonic;          /* ZydisMnemonic                                           */
    uint8_t  len;               /* bytes, 1 to 15                                          */
    uint8_t  opsize, asize;     /* effective operand and address size, bytes               */
    uint8_t  seg;               /* of implicit operands: DS, unless a prefix says another  */
    bool     rep, repne, lock;  /* of several, the last counts                             */
    bool     far;               /* a far JMP, CALL or RET                                  */
    bool     x87;
    uint8_t  n_operands;
    struct decoded_operand operand[MAX_WRITTEN];
    bool     has_mem;           /* one of them is in memory:                               */
    struct decoded_mem mem;
    uint64_t imm;               /* sign-extended where the instruction does; an offset     */
    uint16_t imm2;              /* ENTER's second immediate; a far pointer's selector      */
    struct encoding enc;
};

enum decode_result {
    DECODED,
    DECODE_SHORT,               /* `avail` bytes are not enough                            */
    DECODE_TOO_LONG,            /* more than 15 bytes: #GP(0)                              */
    DECODE_INVALID,             /* no instruction: #UD                                     */
};

/* Call it before decode_insn(), once or more often; an engine's create() does. */
void decode_init(void);

/* The instruction at `bytes`, whose address is rip.  *d is written with DECODED only. */
enum decode_result decode_insn(enum code_width width, const uint8_t *bytes, size_t avail,
                               uint64_t rip, struct decoded *d);

#endif
