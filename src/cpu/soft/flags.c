/*
 * cpu/soft/flags.c -- RFLAGS as a whole; see flags.h for how the arithmetic
 * flags are kept.
 */
#include "cpu/soft/exec.h"

uint64_t cc_flags(const struct soft *s)
{
    if (s->cc_op == CC_FLAGS)
        return s->cc_src & FLAGS_ARITH;
    return (cc_cf(s) ? FLAG_CF : 0) | (cc_pf(s) ? FLAG_PF : 0) | (cc_af(s) ? FLAG_AF : 0) |
           (cc_zf(s) ? FLAG_ZF : 0) | (cc_sf(s) ? FLAG_SF : 0) | (cc_of(s) ? FLAG_OF : 0);
}

uint64_t soft_flags(struct soft *s)
{
    return (s->flags & ~FLAGS_ARITH) | cc_flags(s) | FLAG_ONE;
}

/* Bits that exist; the others always read as zero. */
#define FLAGS_REAL (FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | \
                    FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

void soft_set_flags(struct soft *s, uint64_t rflags)
{
    s->flags = (rflags & FLAGS_REAL & ~FLAGS_ARITH) | FLAG_ONE;
    cc_set_flags(s, rflags & FLAGS_ARITH);
    tlb_choose(s);                      /* AC decides about alignment checks and SMAP */
}
