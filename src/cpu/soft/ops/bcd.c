/*
 * cpu/soft/ops/bcd.c -- decimal arithmetic: DAA DAS AAA AAS AAM AAD.
 *
 * As the pseudo-code of [SDM 2A "DAA-Decimal Adjust AL after Addition"] and
 * its neighbours has it; flags they leave undefined are those of the result,
 * with OF clear.  Not in 64-bit mode, where the decoder knows none of them.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* BCD keeps a decimal digit in each half of a byte.  A binary addition of two such bytes
 * comes out wrong by 6 for each digit that passed 9, and AF tells of a carry between the
 * halves: these instructions repair that.  38h + 45h is 7Dh; DAA makes it 83h. */
static void set_al(struct soft *s, uint64_t al, uint64_t bits)
{
    reg_set(s, RAX, 0, 1, al);
    cc_set_bits(s, cc_sx(al, 1), bits);
}

/* Packed: two digits in AL.  DAA after ADD, DAS after SUB. */
INLINE void decimal_adjust(struct soft *s, bool sub)
{
    uint64_t old = (uint8_t)s->gpr[RAX], al = old, f = cc_flags(s), bits = 0;

    if ((old & 15) > 9 || (f & FLAG_AF)) {
        al = sub ? al - 6 : al + 6;
        bits |= FLAG_AF | (al >> 8 ? FLAG_CF : 0);
    }
    if (old > 0x99 || (f & FLAG_CF)) {
        al = sub ? al - 0x60 : al + 0x60;
        bits |= FLAG_CF;
    } else if (!sub) {
        bits &= ~FLAG_CF;
    }
    set_al(s, al, bits | (sub && (f & FLAG_CF) ? FLAG_CF : 0));
}

static void daa(struct soft *s, const struct uop *u)
{
    decimal_adjust(s, false);
    NEXT(s, u);
}

static void das(struct soft *s, const struct uop *u)
{
    decimal_adjust(s, true);
    NEXT(s, u);
}

/* Unpacked: a digit in AL, the next in AH, so that both can become ASCII by adding 30h.
 * 106h carries 6 in AL and 1 in AH. */
INLINE void ascii_adjust(struct soft *s, bool sub)
{
    uint64_t ax = s->gpr[RAX] & 0xffff, bits = 0;

    if ((ax & 15) > 9 || (cc_flags(s) & FLAG_AF)) {
        ax = sub ? ax - 0x106 : ax + 0x106;
        bits = FLAG_AF | FLAG_CF;
    }
    reg_set(s, RAX, 0, 2, ax & 0xff0f);
    cc_set_bits(s, ax & 0x0f, bits);
}

static void aaa(struct soft *s, const struct uop *u)
{
    ascii_adjust(s, false);
    NEXT(s, u);
}

static void aas(struct soft *s, const struct uop *u)
{
    ascii_adjust(s, true);
    NEXT(s, u);
}

/* After a multiplication: AL in decimal, the tens into AH.  The base is an immediate, and 0 is
 * a division by zero. */
static void aam(struct soft *s, const struct uop *u)
{
    uint64_t al = s->gpr[RAX] & 0xff, base = u->imm & 0xff;

    s->cur = u;
    if (!base)
        fault_because(s, OBSTACLE_DIVIDE_ZERO, 0, VEC_DE, 0);
    reg_set(s, RAX, 1, 1, al / base);
    set_al(s, al % base, 0);
    NEXT(s, u);
}

/* Before a division: AH and AL, two digits, become one binary number in AL. */
static void aad(struct soft *s, const struct uop *u)
{
    uint64_t al = s->gpr[RAX] + (s->gpr[RAX] >> 8) * (u->imm & 0xff);

    reg_set(s, RAX, 1, 1, 0);
    set_al(s, al & 0xff, 0);
    NEXT(s, u);
}

/* None has operands but AAM and AAD, whose base is u->imm. */
op_fn *select_bcd(struct uop *u, const struct insn *i, bool *ends)
{
    (void)i, (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_DAA: return daa;
    case ZYDIS_MNEMONIC_DAS: return das;
    case ZYDIS_MNEMONIC_AAA: return aaa;
    case ZYDIS_MNEMONIC_AAS: return aas;
    case ZYDIS_MNEMONIC_AAM: return aam;
    default:                 return aad;
    }
}
