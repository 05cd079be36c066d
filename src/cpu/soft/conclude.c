/*
 * cpu/soft/conclude.c -- what becomes of an instruction that exited.
 *
 * The monitor has answered; conclude() writes the answer into the guest and
 * moves RIP: the only place where an exit's instruction is retired.  Where the
 * monitor merely watched (MOV CR, WRMSR, INVLPG), the access is performed now,
 * as the unintercepted instruction would have, faults included.
 *
 * A fault here cannot be delivered here: it is left in s->inject, and the
 * next run() begins with it.  The same goes for REFLECT.  If the exit happened
 * while an event was being delivered, s->delivering still holds that event:
 * run() then delivers it again (RETRY) or escalates (REFLECT).
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"
#include "cpu/soft/system/system.h"

static unsigned operand_size(const struct soft *s)
{
    return code64(s) ? 8 : 4;
}

/* The upper halves are cleared, as in all 32-bit writes of 64-bit mode. */
static void finish_cpuid(struct soft *s, const struct vmexit *x)
{
    soft_write_reg(s, RAX, 4, x->cpuid.eax);
    soft_write_reg(s, RBX, 4, x->cpuid.ebx);
    soft_write_reg(s, RCX, 4, x->cpuid.ecx);
    soft_write_reg(s, RDX, 4, x->cpuid.edx);
}

static void finish_nothing(struct soft *s, const struct vmexit *x)
{
    (void)s;
    (void)x;
}

static void finish_page(struct soft *s, const struct vmexit *x)
{
    finish_invlpg(s, x->page.gla);
}

static void finish_vmcall(struct soft *s, const struct vmexit *x)
{
    soft_write_reg(s, RAX, operand_size(s), low_bytes(x->call.result, operand_size(s)));
}

/* The access that was only watched is made now.  It may fault, as it would have unwatched. */
static void finish_cr(struct soft *s, const struct vmexit *x)
{
    switch (x->cr.type) {
    case CR_MOV_FROM:
        soft_write_reg(s, x->cr.gpr & 15, operand_size(s), low_bytes(x->cr.value, operand_size(s)));
        break;
    case CR_CLTS:
        write_cr(s, 0, s->cr0 & ~CR0_TS);
        break;
    default:
        write_cr(s, x->cr.nr, x->cr.value);
    }
}

static void finish_dr(struct soft *s, const struct vmexit *x)
{
    check_dr_guard(s);          /* the exit comes before the guest's own guard */
    if (x->cr.type == CR_MOV_FROM)
        finish_cr(s, x);
    else
        write_dr(s, x->cr.nr & 7, x->cr.value);
}

static void finish_read_msr(struct soft *s, const struct vmexit *x)
{
    soft_write_reg(s, RAX, 4, x->msr.value & 0xffffffff);
    soft_write_reg(s, RDX, 4, x->msr.value >> 32);
    if (x->reason == EXIT_RDTSC && x->msr.index == (uint32_t)MSR_TSC_AUX)
        soft_write_reg(s, RCX, 4, s->tsc_aux);
}

/* The time counts this instruction, as it does when WRMSR has not exited; icount
 * does so only afterwards. */
static void finish_wrmsr(struct soft *s, const struct vmexit *x)
{
    bool tsc = x->msr.index == (uint32_t)MSR_TSC;

    msr_write(s, x->msr.index, x->msr.value - tsc);
}

typedef void finish_fn(struct soft *s, const struct vmexit *x);

/* Exits whose RETIRE means "advance past it", and what to do before.  I/O and
 * MMIO have ways of their own; for the others there is nothing to retire. */
static finish_fn *const finishers[N_EXITS] = {
    [EXIT_IDX_EXCEPTION] = finish_nothing,
    [EXIT_IDX_CPUID]     = finish_cpuid,
    [EXIT_IDX_HLT]       = finish_nothing,
    [EXIT_IDX_INVLPG]    = finish_page,
    [EXIT_IDX_RDTSC]     = finish_read_msr,
    [EXIT_IDX_VMCALL]    = finish_vmcall,
    [EXIT_IDX_CR_ACCESS] = finish_cr,
    [EXIT_IDX_DR_ACCESS] = finish_dr,
    [EXIT_IDX_RDMSR]     = finish_read_msr,
    [EXIT_IDX_WRMSR]     = finish_wrmsr,
    [EXIT_IDX_WBINVD]    = finish_nothing,
};

/* The instruction is done; or one element of a REP that has others behind it (over is false):
 * then RIP stays, and RF keeps a breakpoint on the instruction from being told of again for
 * each element.  [SDM 3B "Instruction-Breakpoint Exception Condition"] */
static void step_over(struct soft *s, const struct vmexit *x, uint64_t flags, bool over)
{
    if (over) {
        uint64_t rip = x->rip + x->len;
        s->rip = code64(s) ? rip : (uint32_t)rip;
        s->icount++;
        s->v->icount = s->icount;
    }
    s->irq_shadow = s->db_shadow = false;
    s->flags = over ? s->flags & ~FLAG_RF : s->flags | FLAG_RF;
    s->n_supplied = s->next_supplied = 0;
    if (flags & FLAG_TF)
        s->pending_db |= DR6_BS;
}

/* An INS whose destination has gone since it was probed (or is a device, or a
 * shadow entry that was dropped): keep what was read; the instruction is
 * executed again and finds it. */
static void keep_input(struct soft *s, const struct vmexit *x)
{
    s->late_input = true;
    s->late_input_at = s->seg[SEG_CS].base + x->rip;
    s->late_input_value = x->io.value;
}

/* Whatever the access raises comes back to the setjmp here, because the run loop's is gone: it
 * stays in s->inject until the next entry.  `over` is false for an element of a REP that
 * has others behind it. */
static void retire(struct soft *s, const struct vmexit *x)
{
    int index = exit_index(x->reason);
    finish_fn *finish = index < 0 ? NULL : finishers[index];
    uint64_t flags = s->flags;
    struct vmexit scratch, *old_x = s->x;
    volatile bool over = true;

    if (!finish && x->reason != EXIT_IO)
        return;
    s->x = &scratch;
    s->cur = NULL;
    s->restart_rip = s->rip;
    s->raised.type = EVENT_NONE;
    if (setjmp(s->escape) == 0) {
        if (x->reason == EXIT_IO)
            over = finish_io(s, &s->left, x);
        else
            finish(s, x);
        if (x->len)             /* else it was a part of something: a task switch's CR3 */
            step_over(s, x, flags, over);
    } else {
        s->rip = x->rip;
        if (x->reason == EXIT_IO)
            keep_input(s, x);
        else
            s->inject = s->raised;
        s->raised.type = EVENT_NONE;
    }
    s->x = old_x;
}

/* The value a device gave (or took): the instruction is executed again with it. */
static void supply(struct soft *s, const struct vmexit *x)
{
    if (s->n_supplied < NELEM(s->supplied))
        s->supplied[s->n_supplied++] = x->mmio.value;
}

/* The monitor says: this is the guest's own business.  The next run() delivers it.  Of an
 * exception that was intercepted, s->obstacle still says why it was raised; the other
 * instructions for which the monitor gives the guest an exception are those about MSRs. */
static void reflect(struct soft *s, const struct vmexit *x)
{
    if (x->reason == EXIT_RDMSR || x->reason == EXIT_WRMSR) {
        s->obstacle = OBSTACLE_MSR_UNKNOWN;
        s->obstacle_at = x->msr.index;
    } else if (x->reason != EXIT_EXCEPTION) {
        s->obstacle = OBSTACLE_UNKNOWN;
    }
    s->inject = x->reflect;
    s->n_supplied = s->next_supplied = 0;
}

void soft_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    struct soft *s = v->priv;

    if (verdict == RETRY)
        tlb_see_repair(s, x);
    else if (verdict == REFLECT)
        reflect(s, x);
    else if (verdict == RETIRE && x->reason == EXIT_MMIO)
        supply(s, x);
    else if (verdict == RETIRE)
        retire(s, x);
    /* The answer may stand in an interrupt's way: a reflected exception, a trap. */
    v->irq_ready = v->irq_ready && soft_irq_possible(s);
}
