/*
 * cpu/soft/system/privileged.c -- CLI, STI, HLT, INVLPG, CPUID, SWAPGS and other instructions of
 * a kernel that are too small for a file of their own.
 *
 * Each does what the manual's operation section says; where a control of the monitor's
 * asks for it (engine.h), it exits first, after the privilege check and before anything
 * else, as in VMX non-root operation.  HLT, CPUID and VMCALL always exit.
 * [SDM 3C "Instructions That Cause VM Exits Unconditionally"]
 */
#include "cpu/soft/system/system.h"

#include "cpu/cpuid.h"

void require_cpl0(struct soft *s)
{
    if (s->cpl)
        gp_because(s, OBSTACLE_RING0, s->cpl);
}

/* ---- caches and TLB ---- */

/* INVLPG of an address that is not canonical does nothing: no such entry can exist. */
void finish_invlpg(struct soft *s, gla_t gla)
{
    if (canonical(gla))
        soft_tlb_flush_page(s, gla);
}

/* INVLPG checks neither limit nor type of the segment. */
void op_invlpg(struct soft *s, const struct uop *u)
{
    gla_t gla = soft_ea(s, u);

    require_cpl0(s);
    if (!code64(s))
        gla = (uint32_t)(gla + s->seg[u->seg].base);
    else if (u->seg == SEG_FS || u->seg == SEG_GS)
        gla += s->seg[u->seg].base;
    if (s->ctl.invlpg_exiting) {
        struct vmexit *x = soft_exit_record(s, EXIT_INVLPG);
        x->page.gla = gla;
        system_leave(s, u);
    }
    finish_invlpg(s, gla);
}

/* WBINVD and INVD: there is no cache to write back.  A monitor on real hardware wants to know if
 * the guest has a device that reads memory behind the caches' back. */
void op_wbinvd(struct soft *s, const struct uop *u)
{
    require_cpl0(s);
    if (s->ctl.wbinvd_exiting) {
        soft_exit_record(s, EXIT_WBINVD);
        system_leave(s, u);
    }
}

/* ---- flags of the kernel ---- */

static void change_flags(struct soft *s, uint64_t clear, uint64_t set)
{
    soft_set_flags(s, (soft_flags(s) & ~clear) | set);
}

/* Does CLI or STI act on VIF instead of IF?  #GP(0) if on neither.
 * [SDM 2A "CLI-Clear Interrupt Flag"; SDM 3B "Protected-Mode Virtual Interrupts"] */
static bool on_vif(struct soft *s)
{
    if (real_mode(s) || s->cpl <= iopl(s))
        return false;
    if (v86_mode(s) ? s->cr4 & CR4_VME : s->cpl == 3 && (s->cr4 & CR4_PVI))
        return true;
    gp_because(s, OBSTACLE_IOPL, iopl(s));
}

/* CLI and STI belong to whoever IOPL allows.  In a kernel that runs at CPL 0 they just work,
 * which a monitor cannot see: it asks to be told when interrupts become possible instead
 * (controls.irq_window_exiting). */
void op_cli(struct soft *s, const struct uop *u)
{
    (void)u;
    change_flags(s, on_vif(s) ? FLAG_VIF : FLAG_IF, 0);
}

/* Interrupts come only behind the instruction after STI.  So "STI; HLT" cannot miss the one it
 * waits for, and "STI; RET" leaves the function first.  [SDM 2B "STI-Set Interrupt Flag"] */
void op_sti(struct soft *s, const struct uop *u)
{
    (void)u;
    if (on_vif(s)) {
        if (s->flags & FLAG_VIP)
            gp_because(s, OBSTACLE_V86_FLAGS, s->flags);
        change_flags(s, 0, FLAG_VIF);
        return;
    }
    if (!(s->flags & FLAG_IF))
        s->irq_shadow = true;
    change_flags(s, 0, FLAG_IF);
}

/* CLAC and STAC exist if CPUID says SMAP does. */
static void require_smap(struct soft *s)
{
    uint32_t out[4];

    cpuid_answer(7, 0, true, 0, out);
    if (s->cpl || !(out[1] >> 20 & 1))
        fault_because(s, OBSTACLE_SMAP_NONE, s->cpl, VEC_UD, 0);
}

/* With SMAP a kernel cannot touch user pages by accident.  Where it means to, it says so with
 * STAC, and CLAC ends that.  [SDM 3A "Determination of Access Rights"] */
void op_clac(struct soft *s, const struct uop *u)
{
    (void)u;
    require_smap(s);
    change_flags(s, FLAG_AC, 0);
    soft_mode_changed(s);
}

void op_stac(struct soft *s, const struct uop *u)
{
    (void)u;
    require_smap(s);
    change_flags(s, 0, FLAG_AC);
    soft_mode_changed(s);
}

/* ---- the rest ---- */

/* HLT always exits.  What waiting means, and what time it is afterwards, is the monitor's. */
void op_hlt(struct soft *s, const struct uop *u)
{
    require_cpl0(s);
    soft_exit_record(s, EXIT_HLT);
    system_leave(s, u);
}

/* MONITOR, MWAIT, XSETBV, RSM, VMX and SVM: CPUID does not list them. */
void op_undefined_system(struct soft *s, const struct uop *u)
{
    (void)u;
    fault_because(s, OBSTACLE_NO_INSN, 0, VEC_UD, 0);
}

/* There are no performance counters, so no counter number is valid. */
void op_rdpmc(struct soft *s, const struct uop *u)
{
    (void)u;
    gp_because(s, OBSTACLE_COUNTER, (uint32_t)s->gpr[RCX]);
}

/* SYSCALL leaves a kernel without any register that it can trust.  SWAPGS exchanges GS.base with
 * an MSR, and behind that address the kernel keeps its stack pointer. */
void op_swapgs(struct soft *s, const struct uop *u)
{
    uint64_t base = s->seg[SEG_GS].base;

    (void)u;
    if (!code64(s))
        fault_because(s, OBSTACLE_INSN_MODE, 0, VEC_UD, 0);
    require_cpl0(s);
    s->seg[SEG_GS].base = s->kernel_gs_base;
    s->kernel_gs_base = base;
}

/* F3 0F AE /0 RDFSBASE /1 RDGSBASE /2 WRFSBASE /3 WRGSBASE */
void op_fsgsbase(struct soft *s, const struct uop *u)
{
    struct segment *g = &s->seg[u->reg & 1 ? SEG_GS : SEG_FS];
    uint64_t value = low_bytes(s->gpr[u->rm], u->opsize);

    if (!code64(s) || !(s->cr4 & CR4_FSGSBASE))
        fault_because(s, OBSTACLE_FSGSBASE_OFF, s->cr4, VEC_UD, 0);
    if (!(u->reg & 2)) {
        soft_write_reg(s, u->rm, u->opsize, g->base);
        return;
    }
    if (!canonical(value))
        gp_because(s, OBSTACLE_CANONICAL, value);
    g->base = value;
}

/* CPUID always exits: which CPU the guest has is the monitor's decision (cpu/cpuid.h). */
void op_cpuid(struct soft *s, const struct uop *u)
{
    struct vmexit *x = soft_exit_record(s, EXIT_CPUID);

    x->cpuid.leaf = (uint32_t)s->gpr[RAX];
    x->cpuid.subleaf = (uint32_t)s->gpr[RCX];
    system_leave(s, u);
}

/* A call of the monitor by name, number in RAX, arguments in RBX, RCX, RDX, RSI: a convention
 * between this monitor and its guests, the CPU only exits. */
void op_vmcall(struct soft *s, const struct uop *u)
{
    static const enum gpr args[4] = { RBX, RCX, RDX, RSI };
    struct vmexit *x = soft_exit_record(s, EXIT_VMCALL);
    unsigned size = code64(s) ? 8 : 4;

    x->call.nr = low_bytes(s->gpr[RAX], size);
    for (unsigned i = 0; i < 4; i++)
        x->call.arg[i] = low_bytes(s->gpr[args[i]], size);
    system_leave(s, u);
}
