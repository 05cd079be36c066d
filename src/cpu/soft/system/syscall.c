/*
 * cpu/soft/system/syscall.c -- SYSENTER, SYSEXIT, SYSCALL, SYSRET.
 *
 * The fast ways in and out of a kernel: no descriptor is read.  CS and SS get
 * selectors computed from an MSR, and the flat hidden parts a kernel is
 * supposed to have at those selectors.
 *
 * [SDM 2B "SYSCALL-Fast System Call", "SYSENTER-Fast System Call", and their returns]
 */
#include "cpu/soft/system/system.h"

enum { TYPE_CODE = 11, TYPE_DATA = 3 };         /* accessed */

/* The descriptors in the GDT are not read, which is where the speed comes from; the kernel
 * has to keep them equal to these, or a later IRET would load something else. */
static struct segment flat_segment(uint64_t sel, unsigned type, unsigned dpl, uint64_t size_bit)
{
    return (struct segment){
        .sel = (uint16_t)((sel & 0xfffc) | dpl), .limit = 0xffffffff,
        .attr = (uint16_t)(type | SEG_S | dpl << 5 | SEG_P | SEG_G | size_bit),
    };
}

static void enter_flat(struct soft *s, uint64_t cs, uint64_t ss, unsigned dpl, bool to64,
                       uint64_t rip)
{
    struct segment code = flat_segment(cs, TYPE_CODE, dpl, to64 ? SEG_L : SEG_DB);

    s->seg[SEG_SS] = flat_segment(ss, TYPE_DATA, dpl, SEG_DB);
    enter_code(s, &code, rip);
}

/* SYSENTER saves nothing at all, not even the return address: the program has put RIP and RSP
 * where the kernel expects them, by convention in registers.  Both come from MSRs. */
void op_sysenter(struct soft *s, const struct uop *u)
{
    bool to64 = long_mode(s);

    (void)u;
    if (real_mode(s) || null_selector((uint16_t)s->sysenter_cs))
        gp_because(s, OBSTACLE_SYSENTER_CS, s->sysenter_cs);
    soft_set_flags(s, soft_flags(s) & ~(FLAG_VM | FLAG_IF | FLAG_RF));
    s->gpr[RSP] = low_bytes(s->sysenter_esp, to64 ? 8 : 4);
    enter_flat(s, s->sysenter_cs, s->sysenter_cs + 8, 0, to64,
         low_bytes(s->sysenter_eip, to64 ? 8 : 4));
}

/* RDX becomes RIP, RCX becomes RSP.  The selectors are at fixed distances from SYSENTER_CS. */
void op_sysexit(struct soft *s, const struct uop *u)
{
    bool to64 = u->opsize == 8;
    unsigned size = to64 ? 8 : 4;
    uint64_t rip = low_bytes(s->gpr[RDX], size), rsp = low_bytes(s->gpr[RCX], size);
    uint64_t cs = s->sysenter_cs + (to64 ? 32 : 16);

    if (real_mode(s) || s->cpl || null_selector((uint16_t)s->sysenter_cs))
        gp_because(s, s->cpl ? OBSTACLE_RING0 : OBSTACLE_SYSENTER_CS,
                   s->cpl ? s->cpl : s->sysenter_cs);
    if (to64 && (!canonical(rip) || !canonical(rsp)))
        gp_because(s, OBSTACLE_CANONICAL, canonical(rip) ? rsp : rip);
    s->gpr[RSP] = rsp;
    enter_flat(s, cs, cs + 8, 3, to64, rip);
}

/* SYSCALL keeps RIP in RCX and RFLAGS in R11, and does not touch RSP: the kernel begins on the
 * program's stack and must find its own before anything can go wrong.  That is what SWAPGS is
 * for, and why SFMASK should clear IF.  STAR has the selectors in its upper half. */
void op_syscall(struct soft *s, const struct uop *u)
{
    uint64_t flags = soft_flags(s);

    (void)u;
    if (!code64(s) || !(s->efer & EFER_SCE))
        fault_because(s, OBSTACLE_SYSCALL_OFF, s->efer, VEC_UD, 0);
    s->gpr[RCX] = s->rip;
    s->gpr[R11] = flags & ~FLAG_RF;
    soft_set_flags(s, flags & ~(s->sfmask | FLAG_RF));
    enter_flat(s, s->star >> 32, (s->star >> 32) + 8, 0, true, s->lstar);
}

/* On Intel's processors the address is checked while still in ring 0, before anything has
 * changed: a kernel that lets a program choose RCX gets #GP with the program's RSP.  Real
 * kernels have been broken by that; so the canonical check here is part of the lesson. */
void op_sysret(struct soft *s, const struct uop *u)
{
    bool to64 = u->opsize == 8;
    uint64_t base = s->star >> 48, rip = low_bytes(s->gpr[RCX], to64 ? 8 : 4);

    if (!code64(s) || !(s->efer & EFER_SCE))
        fault_because(s, OBSTACLE_SYSCALL_OFF, s->efer, VEC_UD, 0);
    require_cpl0(s);
    if (to64 && !canonical(rip))
        gp_because(s, OBSTACLE_CANONICAL, rip);
    soft_set_flags(s, (s->gpr[R11] & 0x3c7fd7) | FLAG_ONE);
    enter_flat(s, base + (to64 ? 16 : 0), base + 8, 3, to64, rip);
}
