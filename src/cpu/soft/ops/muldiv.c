/*
 * cpu/soft/ops/muldiv.c -- MUL, IMUL, DIV, IDIV.
 *
 * MUL and IMUL define CF and OF; SF, ZF and PF, which the manual leaves
 * undefined, are of the low half.  DIV leaves the flags alone.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 s128;

#define CARRY_IF(c) ((c) ? FLAG_CF | FLAG_OF : 0)

/* The operand in ModRM.rm: the factor or the divisor. */
INLINE uint64_t factor(struct soft *s, const struct uop *u, unsigned n)
{
    return u->mem ? gen_load(s, u, n) : reg_get(s, u->rm, u->rm8, n);
}

/* The double-width accumulator: AX, DX:AX, EDX:EAX, RDX:RAX. */
INLINE void set_wide(struct soft *s, unsigned n, uint64_t low, uint64_t high)
{
    if (n == 1) {
        reg_set(s, RAX, 0, 2, (low & 0xff) | (high & 0xff) << 8);
        return;
    }
    reg_set(s, RAX, 0, n, low);
    reg_set(s, RDX, 0, n, high);
}

/* The dividend. */
INLINE u128 get_wide(const struct soft *s, unsigned n)
{
    if (n == 1)
        return (uint16_t)s->gpr[RAX];
    return (u128)reg_get(s, RDX, 0, n) << (8 * n) | reg_get(s, RAX, 0, n);
}

/* CF and OF say whether the product needs more than n bytes.  IMUL has two more forms,
 * which keep only the low half: reg = reg * r/m, and reg = r/m * imm.  A shift by all bits
 * of a type is undefined in C, hence two shifts.  [SDM 2B "MUL-Unsigned Multiply"; SDM 2A
 * "IMUL-Signed Multiply"] */
#define MUL(n)                                                                  \
static void mul##n(struct soft *s, const struct uop *u)                         \
{                                                                               \
    u128 r = (u128)reg_get(s, RAX, 0, n) * factor(s, u, n);                     \
    uint64_t high = (uint64_t)(r >> (8 * n - 1) >> 1);                          \
    set_wide(s, n, (uint64_t)r, high);                                          \
    cc_set_bits(s, cc_sx((uint64_t)r, n), CARRY_IF(high));                      \
    NEXT(s, u);                                                                 \
}                                                                               \
static void imul##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    int64_t a = (int64_t)cc_sx(reg_get(s, RAX, 0, n), n);                       \
    s128 r = (s128)a * (int64_t)cc_sx(factor(s, u, n), n);                      \
    uint64_t low = cc_sx((uint64_t)r, n);                                       \
    set_wide(s, n, (uint64_t)r, (uint64_t)(r >> (8 * n - 1) >> 1));             \
    cc_set_bits(s, low, CARRY_IF(r != (int64_t)low));                           \
    NEXT(s, u);                                                                 \
}                                                                               \
static void imul_2##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    uint64_t b = u->mem ? gen_load(s, u, n) : reg_get(s, u->reg, 0, n);         \
    unsigned to = u->mem ? u->reg : u->rm;                                      \
    s128 r = (s128)(int64_t)cc_sx(reg_get(s, to, 0, n), n) * (int64_t)cc_sx(b, n); \
    uint64_t low = cc_sx((uint64_t)r, n);                                       \
    reg_set(s, to, 0, n, low);                                                  \
    cc_set_bits(s, low, CARRY_IF(r != (int64_t)low));                           \
    NEXT(s, u);                                                                 \
}                                                                               \
static void imul_3##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    uint64_t b = u->mem ? gen_load(s, u, n) : reg_get(s, u->reg, 0, n);         \
    s128 r = (s128)(int64_t)u->imm * (int64_t)cc_sx(b, n);                      \
    uint64_t low = cc_sx((uint64_t)r, n);                                       \
    reg_set(s, u->mem ? u->reg : u->rm, 0, n, low);                             \
    cc_set_bits(s, low, CARRY_IF(r != (int64_t)low));                           \
    NEXT(s, u);                                                                 \
}

/* "#DE: if the source operand is 0; if the quotient is too large".  C divides 128
 * bits by a library function, so narrower dividends go by 64 bits.  The most negative
 * dividend by -1 overflows the host too: it is caught beforehand.
 * [SDM 2A "DIV-Unsigned Divide", "IDIV-Signed Divide"] */
#define DIV(n)                                                                  \
static void div##n(struct soft *s, const struct uop *u)                         \
{                                                                               \
    uint64_t by = factor(s, u, n);                                              \
    u128 a = get_wide(s, n), q;                                                 \
    s->cur = u;                                                                 \
    if (!by)                                                                    \
        fault_because(s, OBSTACLE_DIVIDE_ZERO, 0, VEC_DE, 0);                   \
    if (n < 8) {                                                                \
        q = (uint64_t)a / by;                                                   \
        a = (uint64_t)a % by;                                                   \
    } else {                                                                    \
        q = a / by;                                                             \
        a %= by;                                                                \
    }                                                                           \
    if (q >> (8 * n - 1) >> 1)                                                  \
        fault_because(s, OBSTACLE_DIVIDE_RANGE, 0, VEC_DE, 0);                  \
    set_wide(s, n, (uint64_t)q, (uint64_t)a);                                   \
    NEXT(s, u);                                                                 \
}                                                                               \
static void idiv##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    int64_t by = (int64_t)cc_sx(factor(s, u, n), n);                            \
    u128 raw = get_wide(s, n);                                                  \
    s128 a = n == 8 ? (s128)raw : (s128)(int64_t)cc_sx((uint64_t)raw, n < 8 ? 2 * n : 8), q; \
    s->cur = u;                                                                 \
    if (!by || (by == -1 && a == (s128)((u128)1 << 127)))                       \
        fault_because(s, by ? OBSTACLE_DIVIDE_RANGE : OBSTACLE_DIVIDE_ZERO, 0, VEC_DE, 0); \
    q = a / by;                                                                 \
    if (q != (int64_t)cc_sx((uint64_t)q, n))                                    \
        fault_because(s, OBSTACLE_DIVIDE_RANGE, 0, VEC_DE, 0);                  \
    set_wide(s, n, (uint64_t)q, (uint64_t)(a % by));                            \
    NEXT(s, u);                                                                 \
}
/* imul_2 and imul_3 of one byte do not exist as instructions; nobody chooses them. */
#define SIZES(X) X(1) X(2) X(4) X(8)
SIZES(MUL)
SIZES(DIV)

#define ROW(n) { mul##n, imul##n, imul_2##n, imul_3##n, div##n, idiv##n },
static const struct { op_fn *mul, *imul, *imul2, *imul3, *div, *idiv; } rows[4] = { SIZES(ROW) };

/* By log2 of the operand size; IMUL has three forms and a choice of its own. */
op_fn *select_muldiv(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_MUL: return rows[i->log].mul;
    case ZYDIS_MNEMONIC_DIV: return rows[i->log].div;
    default:                 return rows[i->log].idiv;
    }
}

/* By the number of operands.  "IMUL reg, imm" is written with two and has three. */
op_fn *select_imul(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    if (i->n_operands == 1)
        return rows[i->log].imul;
    if (i->n_operands == 2 && i->form != F_RI && i->form != F_MI)
        return rows[i->log].imul2;
    u->imm = cc_sx(u->imm, i->n);
    return rows[i->log].imul3;
}
