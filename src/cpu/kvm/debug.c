/*
 * cpu/kvm/debug.c -- a debugger's stops, as far as this KVM has them.
 *
 * KVM_SET_GUEST_DEBUG lends the debugger the CPU's trap flag and its four debug registers; the
 * guest's own four do nothing meanwhile.  Whether that works cannot be learned from capability
 * bits: the trials of probe.c find out, when a debugger first asks.  Wishes that do not fit into
 * four registers, or that this KVM cannot fulfil, are refused with -ENOTSUP; the debugger then
 * steps instruction by instruction and compares for itself.
 *
 * A breakpoint is met before its instruction.  To go on from there without meeting it again, the
 * instruction is stepped over (step.c) with the registers off.  Such a step is not reported.
 *
 * Begin with kvm_debug_choose(), which tells the kernel what is wanted now, and
 * kvm_debug_record(), which reads what comes back.
 * [Linux Documentation/virt/kvm/api.rst "KVM_SET_GUEST_DEBUG"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/x86.h"
#include "mem/walk.h"

/* DR7 for register i of four:
 *
 *   31 30 29 28 ... 19 18 17 16 ... 10   9   8 7 6 ... 1  0
 *   LEN3  R/W3      LEN0  R/W0      1    GE LE G3 L3   G0 L0
 *
 * G: enabled for all tasks; R/W: what is waited for (a kind below); LEN: how many bytes.
 * [SDM 3B "Debug Control Register (DR7)"] */
#define DR7_GE         BIT(10)
#define DR7_ENABLE(i)  BIT(2 * (i) + 1)
#define DR7_KIND(i, k) ((uint64_t)(k) << (16 + 4 * (i)))
enum { KIND_CODE = 0, KIND_WRITE = 1, KIND_ACCESS = 3 };

/* CS:RIP as a linear address.  64-bit mode ignores the base of CS; elsewhere addresses are
 * 32 bits.  [SDM 3A "Logical Address Translation in IA-32e Mode"] */
gla_t kvm_pc(const struct kvm_cpu *k)
{
    uint64_t rip = k->run->s.regs.regs.rip;
    return kvm_code_bytes(k) == 8 ? rip : (uint32_t)(k->run->s.regs.sregs.cs.base + rip);
}

static bool has_code_stop_at(const struct kvm_cpu *k, gla_t pc)
{
    for (unsigned i = 0; i < k->n_stops; i++)
        if (k->stop[i].kind == KIND_CODE && k->stop[i].at == pc)
            return true;
    return false;
}

/* ---- what KVM is told ---- */

/* The length field of a debug register: 0, 1, 3, 2 for 1, 2, 4, 8 bytes. */
static uint64_t dr7_length(unsigned i, uint64_t bytes)
{
    static const uint8_t code[9] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
    return (uint64_t)code[bytes] << (18 + 4 * i);
}

/* Stepping ends.  KVM takes its own trap flag out of RFLAGS, and the guest's with it. */
static int give_back_flag(struct kvm_cpu *k)
{
    if (!k->step.guest_tf)
        return 0;
    k->run->s.regs.regs.rflags |= FLAG_TF;
    return ioctl(k->fd, KVM_SET_REGS, &k->run->s.regs.regs) ? -errno : 0;
}

/* Stepping ends while the exit of the last step still waits to be told (a first touch was
 * told before it).  Nobody asks for it any more. */
static void forget_step(struct kvm_cpu *k)
{
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (k->have_exit && k->run->exit_reason == KVM_EXIT_DEBUG && d->exception == VEC_DB &&
        !(d->dr6 & 15))
        k->have_exit = false;
}

bool kvm_stepping(const struct kvm_cpu *k)
{
    return k->debug.control & KVM_GUESTDBG_SINGLESTEP;
}

/* Two reasons to step: somebody asked for it, or the guest stands before a breakpoint that
 * was told.  To go on from there its own instruction must run with the register off, and
 * one step does that.  The second reason is gone as soon as RIP is elsewhere. */
bool kvm_debug_steps(struct kvm_cpu *k)
{
    if (k->told && !k->half && kvm_pc(k) != k->told_at)
        k->told = false;
    return k->controls.monitor_trap_flag || k->told;
}

/* Tell KVM what is wanted now, if that has changed since it was told last.  While it steps,
 * code stops stay out of the registers: run() compares RIP with them itself after every
 * step (kvm_debug_due).  Data stops are always in them. */
int kvm_debug_choose(struct kvm_cpu *k)
{
    struct kvm_guest_debug d = { 0 };
    bool step = kvm_debug_steps(k), stepped = kvm_stepping(k);

    if (step)
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    for (unsigned i = 0; i < k->n_stops; i++) {
        const struct kvm_stop *s = &k->stop[i];
        if (s->kind == KIND_CODE && step)
            continue;                   /* run() looks for itself, or has told */
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        d.arch.debugreg[i] = s->at;
        d.arch.debugreg[7] |= DR7_GE | DR7_ENABLE(i) | DR7_KIND(i, s->kind) |
                              dr7_length(i, s->bytes);
    }
    if (!memcmp(&d, &k->debug, sizeof d) && !(step && k->step.lost))
        return 0;
    if (step && !stepped)
        k->step.guest_tf = k->run->s.regs.regs.rflags & FLAG_TF;
    if (ioctl(k->fd, KVM_SET_GUEST_DEBUG, &d))
        return -errno;
    k->debug = d;
    k->step.lost = false;
    if (stepped && !step)
        forget_step(k);
    return stepped && !step ? give_back_flag(k) : 0;
}

int kvm_debug_suspend(struct kvm_cpu *k)
{
    static const struct kvm_guest_debug none;
    if (!memcmp(&none, &k->debug, sizeof none))
        return 0;
    k->debug = none;
    return ioctl(k->fd, KVM_SET_GUEST_DEBUG, &none) ? -errno : 0;
}

int kvm_debug_elsewhere(struct kvm_cpu *k, bool told)
{
    k->told = told;
    k->told_at = kvm_pc(k);
    k->owes_step = false;
    k->step.owes_db = 0;
    k->hits = 0;
    k->entry_rip = k->run->s.regs.regs.rip;
    return kvm_debug_choose(k);
}

/* ---- what KVM tells ---- */

/* The record of a breakpoint at the next instruction. */
static void tell_code(struct kvm_cpu *k, struct vmexit *x)
{
    k->told = true;
    k->told_at = kvm_pc(k);
    x->reason = EXIT_BREAKPOINT;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
    x->breakpoint.at = k->told_at;
}

/* The record of one watchpoint out of k->hits; the others are told by the next run()
 * (`more`). */
static void tell_data(struct kvm_cpu *k, struct vmexit *x)
{
    unsigned i = (unsigned)__builtin_ctz(k->hits);
    k->hits &= k->hits - 1;
    x->reason = EXIT_BREAKPOINT;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
    x->breakpoint.at = k->stop[i].at;
    x->breakpoint.index = k->stop[i].index;
    x->breakpoint.data = true;
    x->breakpoint.more = k->hits != 0;
}

/* The record of a step, which is named after the control that asks for it in a VMCS.  [SDM
 * 3C "Monitor Trap Flag"] */
static void tell_step(struct kvm_cpu *k, struct vmexit *x)
{
    k->owes_step = false;
    x->reason = EXIT_MTF;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
}

/* Watchpoints first, then the step that met them.  A breakpoint at the next instruction is
 * told only while stepping, when no register watches for it; and not if an instruction is
 * half done or the guest must get its own #DB first. */
bool kvm_debug_due(struct kvm_cpu *k, struct vmexit *x)
{
    if (k->hits)
        tell_data(k, x);
    else if (k->owes_step)
        tell_step(k, x);
    else if (k->controls.monitor_trap_flag && !k->half && !k->have_exit && !k->step.owes_db &&
             !(k->told && k->told_at == kvm_pc(k)) && has_code_stop_at(k, kvm_pc(k)))
        tell_code(k, x);
    else
        return false;
    return true;
}

/* DR6 says which of the four registers were met: B0 to B3.  A code stop is told at once; of
 * data stops there may be several, which kvm_debug_due() tells one after the other.  [SDM
 * 3B "Debug Status Register (DR6)"] */
bool kvm_debug_record(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (d->exception != VEC_DB)
        return false;
    bool stepped = kvm_stepping(k), code = false;
    for (unsigned i = 0; i < k->n_stops; i++) {
        if (!(d->dr6 & BIT(i)) || !(k->debug.arch.debugreg[7] & DR7_ENABLE(i)))
            continue;
        if (k->stop[i].kind == KIND_CODE)
            code = true;
        else
            k->hits |= BIT(i);
    }
    if (code && !stepped) {
        tell_code(k, x);
        return true;
    }
    if (stepped)
        k->told = false;
    k->owes_step = k->controls.monitor_trap_flag && stepped;
    return kvm_debug_due(k, x);
}

/* The guest has stepped over a breakpoint (kvm_debug_steps) and met no watchpoint in doing
 * so.  A step over HLT is not hidden, for it is told as the halt that it is. */
bool kvm_debug_is_unseen(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (k->run->exit_reason != KVM_EXIT_DEBUG || d->exception != VEC_DB ||
        k->controls.monitor_trap_flag || !kvm_stepping(k) || (d->dr6 & k->data_stops))
        return false;
    return !kvm_stepped_over_hlt(v);
}

/* ---- what is asked for ---- */

/* The bytes from `at` on that one register can watch: 1, 2, 4 or 8, aligned to that size.
 * [SDM 3B "Breakpoint Field Recognition"] */
static uint64_t watchable_bytes(gla_t at, uint64_t len)
{
    uint64_t n = 8;
    while (n > 1 && (n > len || (at & (n - 1))))
        n /= 2;
    return n;
}

/* Take the next free register.  False: all four are in use. */
static bool add_stop(struct kvm_cpu *k, gla_t at, uint64_t bytes, unsigned kind, size_t index)
{
    if (k->n_stops == NELEM(k->stop))
        return false;
    if (kind != KIND_CODE)
        k->data_stops |= BIT(k->n_stops);
    k->stop[k->n_stops++] = (struct kvm_stop){ at, (uint8_t)bytes, (uint8_t)kind, (uint32_t)index };
    return true;
}

/* A range may need several registers: 6 bytes at 0x1002 are 2 at 0x1002 and 4 at 0x1004.
 * False if they do not suffice, for reads alone, which no register can wait for, and for a
 * guest-physical address, as the registers compare linear ones. */
static bool add_data_stop(struct kvm_cpu *k, const struct data_stop *d, size_t index)
{
    unsigned kind = d->access == ACCESS_W ? KIND_WRITE : KIND_ACCESS;
    gla_t at = d->at;
    if (d->access == ACCESS_R || d->physical)
        return false;
    for (uint64_t left = d->len, n; left; left -= n, at += n) {
        n = watchable_bytes(at, left);
        if (!add_stop(k, at, n, kind, index))
            return false;
    }
    return true;
}

/* False if they do not fit.  A wish to stop when RIP leaves a range (lo, hi) takes
 * stepping. */
static bool add_all_stops(struct kvm_cpu *k, const struct debug_stops *d)
{
    if (d->lo != d->hi)
        return false;
    for (size_t i = 0; i < d->n_code; i++)
        if (!add_stop(k, d->code[i], 1, KIND_CODE, i))
            return false;
    for (size_t i = 0; i < d->n_data; i++)
        if (!add_data_stop(k, &d->data[i], i))
            return false;
    return true;
}

static void drop_all_stops(struct kvm_cpu *k)
{
    k->n_stops = k->hits = k->data_stops = 0;
    k->owes_step = false;
}

/* All or nothing: a debugger that has to look for some of its stops itself steps anyway. */
int kvm_set_stops(struct vcpu *v, const struct debug_stops *d)
{
    struct kvm_cpu *k = v->priv;
    static const struct debug_stops none;
    const struct engine_caps *caps = k->trial ? NULL : kvm_known_caps();

    if (caps)
        k->step.lands = caps->steps_into_handlers;

    if (!d)
        d = &none;
    drop_all_stops(k);
    bool can = !caps || ((caps->breakpoints || !d->n_code) && (caps->watchpoints || !d->n_data));
    bool fits = can && add_all_stops(k, d);
    if (!fits)
        drop_all_stops(k);
    int err = kvm_settle(k);
    if (!err)
        err = kvm_debug_choose(k);
    return err ? err : fits ? 0 : -ENOTSUP;
}
