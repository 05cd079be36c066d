/*
 * cpu/soft/ops/misc.c -- sign extensions of the accumulator, XLAT, BOUND, single
 * flags, and what does nothing here: NOP, PAUSE, fences, prefetches, CLFLUSH.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* ---- CBW, CWDE, CDQE; CWD, CDQ, CQO ---- */

/* The old names say from what to what: Convert Byte to Word is AX = AL sign-extended;
 * Convert Word to Doubleword fills DX with AX's sign, for a division.  [SDM 2A
 * "CBW/CWDE/CDQE"] */
#define EXTEND(name, reg, n, v)                                                 \
static void name(struct soft *s, const struct uop *u)                           \
{                                                                               \
    reg_set(s, reg, 0, n, v);                                                   \
    NEXT(s, u);                                                                 \
}
EXTEND(cbw,  RAX, 2, cc_sx(s->gpr[RAX], 1))
EXTEND(cwde, RAX, 4, cc_sx(s->gpr[RAX], 2))
EXTEND(cdqe, RAX, 8, cc_sx(s->gpr[RAX], 4))
EXTEND(cwd,  RDX, 2, s->gpr[RAX] & BIT(15) ? ~UINT64_C(0) : 0)
EXTEND(cdq,  RDX, 4, s->gpr[RAX] & BIT(31) ? ~UINT64_C(0) : 0)
EXTEND(cqo,  RDX, 8, s->gpr[RAX] & BIT(63) ? ~UINT64_C(0) : 0)

/* ---- XLAT, BOUND ---- */

/* AL = table[AL], the table at RBX. */
static void xlat(struct soft *s, const struct uop *u)
{
    uint64_t at = low_bytes(s->gpr[RBX] + (uint8_t)s->gpr[RAX], u->asize);

    s->cur = u;
    reg_set(s, RAX, 0, 1, soft_load(s, u->seg, at, 1));
    NEXT(s, u);
}

/* An array index against two limits in memory, the lower one first; beyond them #BR.  [SDM
 * 2A "BOUND-Check Array Index Against Bounds"] */
static void bound(struct soft *s, const struct uop *u)
{
    unsigned n = u->opsize;
    int64_t index = (int64_t)cc_sx(s->gpr[u->reg], n), low, high;

    s->cur = u;
    low = (int64_t)cc_sx(gen_load(s, u, n), n);
    if (index < low)
        fault_because(s, OBSTACLE_BOUND, (uint64_t)index, VEC_BR, 0);
    high = (int64_t)cc_sx(soft_load(s, u->seg, low_bytes(soft_ea(s, u) + n, u->asize), n), n);
    if (index > high)
        fault_because(s, OBSTACLE_BOUND, (uint64_t)index, VEC_BR, 0);
    NEXT(s, u);
}

/* ---- nothing ---- */

/* PAUSE, fences and prefetches end here, too: one vCPU without caches has nothing to wait
 * for. */
static void nop(struct soft *s, const struct uop *u)
{
    NEXT(s, u);
}

/* "CLFLUSH is subject to all permission checking and faults associated with a
 * byte load": there is no cache. */
static void clflush(struct soft *s, const struct uop *u)
{
    soft_lin_probe(s, gen_address(s, u, 1, 0), 1, s->cpl == 3 ? WALK_USER : 0);
    NEXT(s, u);
}

/* What is not named here does nothing. */
op_fn *select_misc(struct uop *u, const struct insn *i, bool *ends)
{
    (void)i, (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_CBW:     return cbw;
    case ZYDIS_MNEMONIC_CWDE:    return cwde;
    case ZYDIS_MNEMONIC_CDQE:    return cdqe;
    case ZYDIS_MNEMONIC_CWD:     return cwd;
    case ZYDIS_MNEMONIC_CDQ:     return cdq;
    case ZYDIS_MNEMONIC_CQO:     return cqo;
    case ZYDIS_MNEMONIC_XLAT:    return xlat;
    case ZYDIS_MNEMONIC_BOUND:   return bound;
    case ZYDIS_MNEMONIC_CLFLUSH: return clflush;
    default:                     return nop;
    }
}

/* ---- single flags ---- */

/* Change flags among the low eight bits of RFLAGS, of which only arithmetic flags change
 * here. */
static void change_low_flags(struct soft *s, uint64_t clear, uint64_t set)
{
    cc_set_flags(s, (cc_flags(s) & ~clear) | set);
}

static void clc(struct soft *s, const struct uop *u)
{
    change_low_flags(s, FLAG_CF, 0);
    NEXT(s, u);
}

static void stc(struct soft *s, const struct uop *u)
{
    change_low_flags(s, 0, FLAG_CF);
    NEXT(s, u);
}

static void cmc(struct soft *s, const struct uop *u)
{
    cc_set_flags(s, cc_flags(s) ^ FLAG_CF);
    NEXT(s, u);
}

/* DF is not among the arithmetic flags that are kept lazily: it stands in s->flags. */
static void cld(struct soft *s, const struct uop *u)
{
    s->flags &= ~FLAG_DF;
    NEXT(s, u);
}

static void std(struct soft *s, const struct uop *u)
{
    s->flags |= FLAG_DF;
    NEXT(s, u);
}

/* Flags to AH and back: SF, ZF, AF, PF and CF, with bit 1 set.  It is how 8080 code was
 * carried over.  [SDM 2A "LAHF-Load Status Flags into AH Register"] */
static void lahf(struct soft *s, const struct uop *u)
{
    reg_set(s, RAX, 1, 1, (cc_flags(s) & 0xff) | FLAG_ONE);
    NEXT(s, u);
}

static void sahf(struct soft *s, const struct uop *u)
{
    change_low_flags(s, FLAGS_ARITH & 0xff, s->gpr[RAX] >> 8 & FLAGS_ARITH & 0xff);
    NEXT(s, u);
}

/* Undocumented, and on every Intel processor: AL = FFh if CF, else 0. */
static void salc(struct soft *s, const struct uop *u)
{
    reg_set(s, RAX, 0, 1, cc_cf(s) ? 0xff : 0);
    NEXT(s, u);
}

/* The instructions without operands that set, clear or copy a flag. */
op_fn *select_flag(struct uop *u, const struct insn *i, bool *ends)
{
    (void)i, (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_LAHF: return lahf;
    case ZYDIS_MNEMONIC_SAHF: return sahf;
    case ZYDIS_MNEMONIC_CLC:  return clc;
    case ZYDIS_MNEMONIC_STC:  return stc;
    case ZYDIS_MNEMONIC_CMC:  return cmc;
    case ZYDIS_MNEMONIC_CLD:  return cld;
    case ZYDIS_MNEMONIC_STD:  return std;
    default:                  return salc;
    }
}
