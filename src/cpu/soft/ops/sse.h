/*
 * cpu/soft/ops/sse.h -- MMX, SSE and SSE2: what an instruction is, and how the host runs it.
 *
 * sse_table.c says which instructions there are; sse.c runs them; sse_host.S is
 * the host's part; fxsave.c holds FXSAVE, FXRSTOR, LDMXCSR and STMXCSR.
 */
#ifndef CPU_SOFT_OPS_SSE_H
#define CPU_SOFT_OPS_SSE_H

#include "cpu/soft/soft.h"

enum sse_class { SSE_X, SSE_M, SSE_G };         /* XMM, MMX, general register          */
enum sse_prefix { SSE_NP, SSE_66, SSE_F3, SSE_F2 };     /* of several, F3 and F2 count  */

enum sse_flags {
    SSE_REG     = 1 << 0,       /* there is a form with ModRM.mod = 3 ...               */
    SSE_MEM     = 1 << 1,       /* ... and one with a memory operand                    */
    SSE_FP      = 1 << 2,       /* obeys MXCSR                                          */
    SSE_ALIGNED = 1 << 3,       /* its memory operand must be aligned                   */
    SSE_IMM     = 1 << 4,       /* imm8 chooses the form                                */
    SSE_GROUP   = 1 << 5,       /* ModRM.reg is part of the opcode: `group`             */
    SSE_FREE    = 1 << 6,       /* touches no SSE state: CR0 and CR4 do not matter      */
    SSE_KEEP    = 1 << 7,       /* a move that leaves the rest of its destination alone */
};

/* One instruction, or one form of it.  `size` is what the r/m operand has in
 * memory; 0: 4 or 8 bytes, as REX.W says. */
struct sse_op {
    op_fn   *fn;
    uint8_t  prefix, opcode, group;
    uint8_t  reg, rm;           /* enum sse_class of ModRM.reg and ModRM.rm             */
    uint8_t  size;
    uint8_t  flags;
    uint8_t  from, to;          /* of a move: at which byte of its register             */
    uint8_t  runs;              /* the opcode that the host runs for it                 */
};

/* An instruction as the decoder has it. */
struct sse_insn {
    uint8_t prefix, opcode, modrm, imm;
    bool    wide;               /* REX.W */
};

/* The handler of u, with u->sse and u->host set, or NULL: none of ours. */
op_fn *sse_select(struct uop *u, const struct sse_insn *i);
void sse_table_init(void);

/* #UD, because CR0.EM is set or CR4.OSFXSR is not. */
_Noreturn void sse_not_enabled(struct soft *s);

/* What goes into the host's registers and comes out again: ModRM.reg is XMM0,
 * MM0, RAX, ModRM.rm is XMM1, MM1, RCX.  sse_host.S knows the offsets. */
struct sse_io {
    _Alignas(16) uint8_t xmm[2][16];
    uint64_t mm[2], gpr[2];
    uint64_t flags;             /* RFLAGS, out */
    uint32_t mxcsr;
};

void sse_on_host(struct sse_io *io, const uint8_t *form);
/* XMM registers only, and no copies of them. */
void sse_in_place_on_host(uint8_t reg[16], const uint8_t rm[16], const uint8_t *form);
void sse_fp_on_host(struct sse_io *io, const uint8_t *form);        /* under io->mxcsr     */
void sse_mmx_on_host(struct sse_io *io, const uint8_t *form);       /* with the MMX registers too */

/* [REX.W][prefix][opcode]; and by immediate, for the opcodes 70, C2, C4, C5, C6. */
extern const uint8_t sse_forms[2][4][256][8], sse_imm_forms[5][4][256][8];

enum { MXCSR_RESET = 0x1f80, MXCSR_DEFINED = 0xffff, MXCSR_EXCEPTIONS = 0x3f, MXCSR_FTZ = 1 << 15 };

#endif
