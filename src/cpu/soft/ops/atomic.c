/*
 * cpu/soft/ops/atomic.c -- XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B.
 *
 * There is one vCPU, so LOCK changes nothing; the decoder has refused it where
 * it is not allowed.  All of them write their memory operand whatever the
 * comparison says, and so fault as writes.  [SDM 2A "CMPXCHG"]
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* reg and r/m change places, and r/m gets the sum: a counter that says what it was.  Memory
 * is written before any register, for the store may fault. */
static void xadd(struct soft *s, const struct uop *u)
{
    unsigned n = u->opsize;
    uint64_t b = reg_get(s, u->reg, u->reg8, n), a, r;

    a = u->mem ? gen_load_rmw(s, u, n) : reg_get(s, u->rm, u->rm8, n);
    r = cc_sx(a + b, n);
    if (u->mem)
        gen_store(s, u, n, r);
    reg_set(s, u->reg, u->reg8, n, a);
    if (!u->mem)
        reg_set(s, u->rm, u->rm8, n, r);
    cc_set_add(s, n, cc_sx(a, n), cc_sx(b, n), r);
    NEXT(s, u);
}

/* If the accumulator has what memory has, store the new value, else load what is there: the
 * loop around it is how lock-free code is written.  [SDM 2A "CMPXCHG-Compare and Exchange"] */
static void cmpxchg(struct soft *s, const struct uop *u)
{
    unsigned n = u->opsize;
    uint64_t acc = reg_get(s, RAX, 0, n), b = reg_get(s, u->reg, u->reg8, n), a;

    a = u->mem ? gen_load_rmw(s, u, n) : reg_get(s, u->rm, u->rm8, n);
    if (u->mem)
        gen_store(s, u, n, a == acc ? b : a);
    else if (a == acc)
        reg_set(s, u->rm, u->rm8, n, b);
    if (a != acc)
        reg_set(s, RAX, 0, n, a);
    cc_set_sub(s, cc_sx(acc, n), cc_sx(a, n), cc_sx(acc - a, n));
    NEXT(s, u);
}

/* The two wide ones change ZF and no other flag. */
static void set_zf(struct soft *s, bool zf)
{
    cc_set_flags(s, (cc_flags(s) & ~FLAG_ZF) | (zf ? FLAG_ZF : 0));
}

/* EDX:EAX is compared, ECX:EBX is stored.  [SDM 2A "CMPXCHG8B/CMPXCHG16B"] */
static void cmpxchg8b(struct soft *s, const struct uop *u)
{
    uint64_t a = gen_load_rmw(s, u, 8), acc = s->gpr[RDX] << 32 | (uint32_t)s->gpr[RAX];

    gen_store(s, u, 8, a == acc ? s->gpr[RCX] << 32 | (uint32_t)s->gpr[RBX] : a);
    if (a != acc) {
        s->gpr[RAX] = (uint32_t)a;
        s->gpr[RDX] = a >> 32;
    }
    set_zf(s, a == acc);
    NEXT(s, u);
}

/* The same with the 64-bit registers; its operand must be aligned to 16 bytes, else #GP(0). */
static void cmpxchg16b(struct soft *s, const struct uop *u)
{
    gla_t at = gen_aligned_address(s, u, 16, 16, WALK_WRITE);
    unsigned access = WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0);
    uint64_t low, high;
    bool equal;

    low = soft_lin_load(s, at, 8, access);
    high = soft_lin_load(s, at + 8, 8, access);
    equal = low == s->gpr[RAX] && high == s->gpr[RDX];
    soft_lin_store(s, at, 8, equal ? s->gpr[RBX] : low, access);
    soft_lin_store(s, at + 8, 8, equal ? s->gpr[RCX] : high, access);
    if (!equal) {
        s->gpr[RAX] = low;
        s->gpr[RDX] = high;
    }
    set_zf(s, equal);
    NEXT(s, u);
}

/* XADD and CMPXCHG also exist for bytes; the size is that of the operand. */
op_fn *select_atomic(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_XADD:      u->opsize = (uint8_t)i->n; return xadd;
    case ZYDIS_MNEMONIC_CMPXCHG:   u->opsize = (uint8_t)i->n; return cmpxchg;
    case ZYDIS_MNEMONIC_CMPXCHG8B: return cmpxchg8b;
    default:                       return cmpxchg16b;
    }
}
