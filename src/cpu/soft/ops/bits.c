/*
 * cpu/soft/ops/bits.c -- BT and its kin, BSF, BSR, POPCNT.
 *
 * With a memory operand and the bit number in a register, the number reaches
 * beyond the operand, in both directions: a bit string.  [SDM 2A "BT-Bit Test"]
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

enum bt { BT, BTS, BTR, BTC };

/* Only CF changes: the others are undefined except ZF, which stays; Intel's
 * processors leave them all. */
static void set_cf(struct soft *s, bool cf)
{
    cc_set_flags(s, (cc_flags(s) & ~FLAG_CF) | cf);
}

/* BT only looks; BTS sets the bit, BTR resets it, BTC complements it. */
INLINE uint64_t bt_apply(enum bt op, uint64_t v, unsigned bit)
{
    switch (op) {
    case BTS: return v | BIT(bit);
    case BTR: return v & ~BIT(bit);
    case BTC: return v ^ BIT(bit);
    default:  return v;
    }
}

/* In a register the bit number is taken modulo the width. */
INLINE void bt_register(struct soft *s, const struct uop *u, enum bt op, uint64_t number)
{
    unsigned n = u->opsize, bit = (unsigned)number & (8 * n - 1);
    uint64_t v = reg_get(s, u->rm, 0, n);

    if (op != BT)
        reg_set(s, u->rm, 0, n, bt_apply(op, v, bit));
    set_cf(s, v >> bit & 1);
}

/* In memory the number is a signed distance in bits from the operand, so first the element
 * that holds the bit is found: number -1 with 32-bit operands is bit 31 of the element
 * before. */
INLINE void bt_memory(struct soft *s, const struct uop *u, enum bt op, uint64_t number)
{
    unsigned n = u->opsize, bit = (unsigned)number & (8 * n - 1);
    int64_t element = (int64_t)number >> (3 + cc_log2(n));
    uint64_t ea = low_bytes(soft_ea(s, u) + (uint64_t)(element * (int64_t)n), u->asize), v;
    unsigned user = s->cpl == 3 ? WALK_USER : 0;

    s->cur = u;
    if (op == BT) {
        v = soft_load(s, u->seg, ea, n);
    } else {
        v = soft_lin_load(s, soft_linear(s, u->seg, ea, n, WALK_WRITE), n, user | WALK_WRITE);
        soft_store(s, u->seg, ea, n, bt_apply(op, v, bit));
    }
    set_cf(s, v >> bit & 1);
}

/* Four forms each.  With an immediate the number is taken modulo the width, in memory as
 * well. */
#define BTS_OF(op)                                                              \
static void op##_ri(struct soft *s, const struct uop *u)                        \
{                                                                               \
    bt_register(s, u, op, u->imm);                                              \
    NEXT(s, u);                                                                 \
}                                                                               \
static void op##_rr(struct soft *s, const struct uop *u)                        \
{                                                                               \
    bt_register(s, u, op, s->gpr[u->reg]);                                      \
    NEXT(s, u);                                                                 \
}                                                                               \
static void op##_mi(struct soft *s, const struct uop *u)                        \
{                                                                               \
    bt_memory(s, u, op, u->imm & (8 * u->opsize - 1));                          \
    NEXT(s, u);                                                                 \
}                                                                               \
static void op##_mr(struct soft *s, const struct uop *u)                        \
{                                                                               \
    bt_memory(s, u, op, cc_sx(s->gpr[u->reg], u->opsize));                      \
    NEXT(s, u);                                                                 \
}
BTS_OF(BT)
BTS_OF(BTS)
BTS_OF(BTR)
BTS_OF(BTC)

/* By mnemonic and by where operand and number are. */
op_fn *select_bt(struct uop *u, const struct insn *i, bool *ends)
{
#define CASE(op) case ZYDIS_MNEMONIC_##op: \
        return i->form == F_RI ? op##_ri : i->form == F_RR ? op##_rr                  \
             : i->form == F_MI ? op##_mi : op##_mr;
    (void)ends;
    switch (u->mnemonic) {
    CASE(BT)
    CASE(BTS)
    CASE(BTR)
    CASE(BTC)
    default: return NULL;
    }
#undef CASE
}

/* ---- BSF, BSR, POPCNT ---- */

/* The operand that is looked at. */
static uint64_t bits_source(struct soft *s, const struct uop *u)
{
    return u->mem ? gen_load(s, u, u->opsize) : reg_get(s, u->reg, 0, u->opsize);
}

/* The destination is a register in all three. */
static void put_bits_result(struct soft *s, const struct uop *u, uint64_t v)
{
    reg_set(s, u->mem ? u->reg : u->rm, 0, u->opsize, v);
}

/* A source of 0 leaves the destination as it was (Intel documents it so for
 * its processors, AMD promises it) and sets ZF; the other flags are undefined. */
static void scan(struct soft *s, const struct uop *u, bool reverse)
{
    uint64_t v = bits_source(s, u);

    if (v)
        put_bits_result(s, u, reverse ? 63 - (unsigned)__builtin_clzll(v)
                                 : (unsigned)__builtin_ctzll(v));
    cc_set_logic(s, v != 0);
}

/* The lowest bit that is set; BSR finds the highest.  [SDM 2A "BSF-Bit Scan Forward"] */
static void bsf(struct soft *s, const struct uop *u)
{
    scan(s, u, false);
    NEXT(s, u);
}

static void bsr(struct soft *s, const struct uop *u)
{
    scan(s, u, true);
    NEXT(s, u);
}

/* POPCNT defines every flag: ZF by the source, the others 0. */
static void popcnt(struct soft *s, const struct uop *u)
{
    uint64_t v = bits_source(s, u);

    put_bits_result(s, u, (unsigned)__builtin_popcountll(v));
    cc_set_flags(s, v ? 0 : FLAG_ZF);
    NEXT(s, u);
}

/* Their operands may be anywhere, so one handler each is enough. */
op_fn *select_bits(struct uop *u, const struct insn *i, bool *ends)
{
    (void)i, (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_BSF: return bsf;
    case ZYDIS_MNEMONIC_BSR: return bsr;
    default:                 return popcnt;
    }
}
