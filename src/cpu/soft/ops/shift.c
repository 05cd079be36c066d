/*
 * cpu/soft/ops/shift.c -- shifts, rotates, SHLD and SHRD.
 *
 * The count is taken modulo 32 (64 for 64-bit operands); a count of 0 changes
 * no flag.  Where the manual calls OF or AF undefined we do what Intel's
 * processors do: OF as for a count of 1, AF cleared.  [SDM 2B "SAL/SAR/SHL/SHR"]
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

enum shift { SHL, SHR, SAR, ROL, ROR, RCL, RCR, N_SHIFTS };

/* So many low bits set.  A shift by 64 is undefined in C, hence the case of its own. */
INLINE uint64_t mask_of(unsigned bits)
{
    return bits == 64 ? ~UINT64_C(0) : BIT(bits) - 1;
}

/* CF and OF as they stand in RFLAGS, from bit 0 of each argument. */
INLINE uint64_t cf_and_of(uint64_t cf, uint64_t of)
{
    return (cf & 1) | (of & 1 ? FLAG_OF : 0);
}

/* Rotates change these two and leave the other flags alone. */
INLINE void set_cf_and_of(struct soft *s, uint64_t cf, uint64_t of)
{
    cc_set_cf_of(s, cf_and_of(cf, of));
}

/* RCL and RCR: CF is one more bit of what is rotated, so it is bits + 1 places wide.  Rare,
 * and done bit by bit. */
static uint64_t rotate_carry(struct soft *s, bool left, unsigned bits, uint64_t a, unsigned count)
{
    uint64_t cf = cc_cf(s), out, top = bits - 1;

    for (count %= bits + 1; count; count--) {
        if (left) {
            out = a >> top & 1;
            a = (a << 1 | cf) & mask_of(bits);
        } else {
            out = a & 1;
            a = a >> 1 | cf << top;
        }
        cf = out;
    }
    set_cf_and_of(s, cf, left ? (a >> top) ^ cf : (a >> top) ^ (a >> (top - 1)));
    return a;
}

/* a is zero-extended; count is not 0 and below 32, or 64 for 64-bit operands.  CF is the
 * last bit that was shifted out.  OF says for a left shift that the sign has changed; for
 * SHR it is the old sign, for SAR 0.  A rotate is by the count modulo the width.  [SDM 2B
 * "SAL/SAR/SHL/SHR-Shift", "RCL/RCR/ROL/ROR-Rotate"] */
INLINE uint64_t shift(struct soft *s, enum shift op, unsigned n, uint64_t a, unsigned count)
{
    unsigned bits = 8 * n, top = bits - 1, k;
    uint64_t r, cf;

    switch (op) {
    case SHL:
        r = a << count;
        cf = count <= bits ? a >> (bits - count) : 0;
        r = cc_sx(r, n);
        cc_set_bits(s, r, cf_and_of(cf, (r >> 63) ^ cf));
        return r;
    case SHR:
        cf = a >> (count - 1);
        r = cc_sx(a >> count, n);
        cc_set_bits(s, r, cf_and_of(cf, a >> top));
        return r;
    case SAR:
        r = cc_sx(a, n);
        cf = (uint64_t)((int64_t)r >> (count - 1));
        r = (uint64_t)((int64_t)r >> count);
        cc_set_bits(s, r, cf_and_of(cf, 0));
        return r;
    case ROL:
        k = count & top;
        r = k ? (a << k | a >> (bits - k)) & mask_of(bits) : a;
        set_cf_and_of(s, r, (r >> top) ^ r);
        return r;
    case ROR:
        k = count & top;
        r = k ? (a >> k | a << (bits - k)) & mask_of(bits) : a;
        set_cf_and_of(s, r >> top, (r >> top) ^ (r >> (top - 1)));
        return r;
    default:
        return rotate_carry(s, op == RCL, bits, a, count);
    }
}

/* The 8086 shifted as often as the count said, up to 255 times; since the 286 only five bits of
 * it count, so that an instruction cannot delay an interrupt for long. */
INLINE unsigned count_mask(unsigned n, uint64_t count)
{
    return (unsigned)count & (n == 8 ? 63 : 31);
}

/* One handler for a register and one for memory; `count` is an immediate or CL.  A count of
 * 0 writes its operand back, which clears the upper half of a 32-bit register, and touches
 * no flag. */
#define SHIFT(op, n, name, count)                                               \
static void name##_##op##n(struct soft *s, const struct uop *u)                 \
{                                                                               \
    unsigned by = count_mask(n, count);                                         \
    uint64_t a = reg_get(s, u->rm, u->rm8, n);                                  \
    set_rm(s, u, n, by ? shift(s, op, n, a, by) : a);                           \
    NEXT(s, u);                                                                 \
}                                                                               \
static void m##name##_##op##n(struct soft *s, const struct uop *u)              \
{                                                                               \
    unsigned by = count_mask(n, count);                                         \
    uint64_t a = gen_load_rmw(s, u, n);                                         \
    struct cc_state before = cc_save(s);                                        \
    gen_store_rmw(s, u, n, by ? shift(s, op, n, a, by) : a, before);            \
    NEXT(s, u);                                                                 \
}

#define SIZES(X, op)  X(op, 1) X(op, 2) X(op, 4) X(op, 8)
#define SHIFT_OPS(X)  X(SHL) X(SHR) X(SAR) X(ROL) X(ROR) X(RCL) X(RCR)
/* Count in the instruction, and in CL.  The forms that shift by 1 are decoded as an
 * immediate 1. */
#define SHIFT_BOTH(op, n) SHIFT(op, n, i, u->imm) SHIFT(op, n, cl, s->gpr[RCX])
#define SHIFT_ALL(op) SIZES(SHIFT_BOTH, op)
SHIFT_OPS(SHIFT_ALL)

#define ROW(op, n) { i_##op##n, cl_##op##n, mi_##op##n, mcl_##op##n },
#define ROWS(op) [op] = { SIZES(ROW, op) },
static const struct { op_fn *ri, *rcl, *mi, *mcl; } rows[N_SHIFTS][4] = { SHIFT_OPS(ROWS) };

/* By operation, size, and where operand and count are. */
op_fn *select_shift(struct uop *u, const struct insn *i, bool *ends)
{
    static const uint16_t names[N_SHIFTS] = {
#define NAME(op) [op] = ZYDIS_MNEMONIC_##op,
        SHIFT_OPS(NAME)
#undef NAME
    };

    (void)ends;
    for (unsigned op = 0; op < N_SHIFTS; op++)
        if (u->mnemonic == names[op])
            return u->mem ? i->op1_cl ? rows[op][i->log].mcl : rows[op][i->log].mi
                          : i->op1_cl ? rows[op][i->log].rcl : rows[op][i->log].ri;
    return NULL;
}

/* ---- SHLD, SHRD ---- */

/* Bits shifted in come from a second operand instead of being zeros: for long shifts, and
 * for moving pictures bit by bit.  With 16-bit operands and a count over 16 the result is
 * undefined; Intel's processors rotate the three words dst:src:dst.  [SDM 2B "SHLD-Double
 * Precision Shift Left", "SHRD-Double Precision Shift Right"] */
static uint64_t shift_double(struct soft *s, bool left, unsigned n, uint64_t a, uint64_t b,
                             unsigned count)
{
    unsigned bits = 8 * n;
    uint64_t r, cf;

    if (n == 2) {
        uint64_t w = left ? a << 32 | b << 16 | a : a << 32 | b << 16 | a;
        if (left) {
            w <<= count;
            r = w >> 32 & 0xffff;
            cf = w >> 48 & 1;
        } else {
            cf = w >> (count - 1) & 1;
            r = w >> count & 0xffff;
        }
    } else if (left) {
        r = (a << count | b >> (bits - count)) & mask_of(bits);
        cf = a >> (bits - count);
    } else {
        r = (a >> count | b << (bits - count)) & mask_of(bits);
        cf = a >> (count - 1);
    }
    cc_set_bits(s, cc_sx(r, n), cf_and_of(cf, (r ^ a) >> (bits - 1)));
    return r;
}

/* Both instructions, with operands of any kind. */
INLINE void shift_double_op(struct soft *s, const struct uop *u, bool left, uint64_t count)
{
    unsigned n = u->opsize, by = count_mask(n, count);
    uint64_t b = reg_get(s, u->reg, u->reg8, n), a, r;
    struct cc_state before = cc_save(s);

    a = u->mem ? gen_load_rmw(s, u, n) : reg_get(s, u->rm, u->rm8, n);
    r = by ? shift_double(s, left, n, a, b, by) : a;
    if (u->mem)
        gen_store_rmw(s, u, n, r, before);
    else
        reg_set(s, u->rm, u->rm8, n, r);
}

/* By an immediate or by CL, left or right. */
static void shld_i(struct soft *s, const struct uop *u)
{
    shift_double_op(s, u, true, u->imm);
    NEXT(s, u);
}

static void shld_cl(struct soft *s, const struct uop *u)
{
    shift_double_op(s, u, true, s->gpr[RCX]);
    NEXT(s, u);
}

static void shrd_i(struct soft *s, const struct uop *u)
{
    shift_double_op(s, u, false, u->imm);
    NEXT(s, u);
}

static void shrd_cl(struct soft *s, const struct uop *u)
{
    shift_double_op(s, u, false, s->gpr[RCX]);
    NEXT(s, u);
}

/* SHLD and SHRD, by where the count is. */
op_fn *select_shiftd(struct uop *u, const struct insn *i, bool *ends)
{
    bool left = u->mnemonic == ZYDIS_MNEMONIC_SHLD;

    (void)ends;
    return i->op2_cl ? left ? shld_cl : shrd_cl : left ? shld_i : shrd_i;
}
