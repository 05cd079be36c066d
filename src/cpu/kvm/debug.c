/*
 * cpu/kvm/debug.c -- a debugger's steps and stops, as far as this KVM has them.
 *
 * KVM_SET_GUEST_DEBUG lends the debugger the CPU's trap flag and its four debug
 * registers; the guest's own four do nothing meanwhile.  Whether that works is
 * not to be had from capability bits: the trials of probe.c find out, when a
 * debugger first asks.  What does not fit into four registers, and what this
 * KVM cannot do, is refused; the debugger then steps and looks for itself.
 *
 * A breakpoint is met before its instruction, so to go on from there it is
 * stepped over with the registers off.  Steps of that kind nobody sees.
 *
 * The trap flag is in the guest's RFLAGS while it is stepped.  KVM hides it in
 * the register, this file behind PUSHF and in the frame of an interrupt or fault that came instead
 * of the next instruction.  INT n and SYSCALL save it too, and clear it: on a complete KVM a
 * step over one of them ends where its handler returns to.
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/x86.h"
#include "mem/walk.h"

/* DR7: enabled everywhere (G0 to G3, GE), and what is waited for.  [SDM 3B "Debug Control Register (DR7)"] */
#define DR7_GE         BIT(10)
#define DR7_ENABLE(i)  BIT(2 * (i) + 1)
#define DR7_KIND(i, k) ((uint64_t)(k) << (16 + 4 * (i)))
enum { KIND_CODE = 0, KIND_WRITE = 1, KIND_ACCESS = 3 };

gla_t kvm_pc(const struct kvm_cpu *k)
{
    uint64_t rip = k->run->s.regs.regs.rip;
    return kvm_code_bytes(k) == 8 ? rip : (uint32_t)(k->run->s.regs.sregs.cs.base + rip);
}

static bool stop_at(const struct kvm_cpu *k, gla_t pc)
{
    for (unsigned i = 0; i < k->n_stops; i++)
        if (k->stop[i].kind == KIND_CODE && k->stop[i].at == pc)
            return true;
    return false;
}

/* ---- what KVM is told ---- */

static uint64_t dr7_length(unsigned i, uint64_t bytes)
{
    static const uint8_t code[9] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
    return (uint64_t)code[bytes] << (18 + 4 * i);
}

int kvm_debug_choose(struct kvm_cpu *k)
{
    struct kvm_guest_debug d = { 0 };
    if (k->told && !k->half && kvm_pc(k) != k->told_at)
        k->told = false;
    bool step = k->controls.monitor_trap_flag || k->told;

    if (k->controls.exception_bitmap & BIT(VEC_BP))
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
    if (step)
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    for (unsigned i = 0; i < k->n_stops; i++) {
        const struct kvm_stop *s = &k->stop[i];
        if (s->kind == KIND_CODE && step)
            continue;                   /* run() looks for itself, or has told */
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        d.arch.debugreg[i] = s->at;
        d.arch.debugreg[7] |= DR7_GE | DR7_ENABLE(i) | DR7_KIND(i, s->kind) | dr7_length(i, s->bytes);
    }
    if (!memcmp(&d, &k->debug, sizeof d))
        return 0;
    if (ioctl(k->fd, KVM_SET_GUEST_DEBUG, &d))
        return -errno;
    k->debug = d;
    return 0;
}

int kvm_debug_suspend(struct kvm_cpu *k)
{
    static const struct kvm_guest_debug none;
    if (!memcmp(&none, &k->debug, sizeof none))
        return 0;
    k->debug = none;
    return ioctl(k->fd, KVM_SET_GUEST_DEBUG, &none) ? -errno : 0;
}

int kvm_debug_elsewhere(struct kvm_cpu *k)
{
    k->told = k->owes_step = false;
    k->hits = 0;
    k->entry_rip = k->run->s.regs.regs.rip;
    return kvm_debug_choose(k);
}

/* ---- what KVM tells ---- */

static void tell_code(struct kvm_cpu *k, struct vmexit *x)
{
    k->told = true;
    k->told_at = kvm_pc(k);
    x->reason = EXIT_BREAKPOINT;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
    x->fault.vector = 0;
    x->fault.gla = k->told_at;
}

/* One of those in k->hits; the others next time. */
static void tell_data(struct kvm_cpu *k, struct vmexit *x)
{
    unsigned i = (unsigned)__builtin_ctz(k->hits);
    k->hits &= k->hits - 1;
    x->reason = EXIT_BREAKPOINT;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
    x->fault.vector = 1;
    x->fault.gla = k->stop[i].at;
    x->fault.error = k->stop[i].index;
    x->fault.has_error = k->hits != 0;
}

static void tell_step(struct kvm_cpu *k, struct vmexit *x)
{
    k->owes_step = false;
    x->reason = EXIT_MTF;
    x->raw = KVM_EXIT_DEBUG;
    x->rip = k->run->s.regs.regs.rip;
}

bool kvm_debug_due(struct kvm_cpu *k, struct vmexit *x)
{
    if (k->hits)
        tell_data(k, x);
    else if (k->owes_step)
        tell_step(k, x);
    else if (k->controls.monitor_trap_flag && !k->half && !k->have_exit &&
             !(k->told && k->told_at == kvm_pc(k)) && stop_at(k, kvm_pc(k)))
        tell_code(k, x);
    else
        return false;
    return true;
}

/* Was it PUSHF?  Prefixes, then 9c. */
static bool is_pushf(const struct vcpu *v, uint64_t rip)
{
    uint8_t bytes[15];
    size_t n = kvm_fetch(v, rip, bytes, sizeof bytes), i = 0;
    bool rex = kvm_code_bytes(v->priv) == 8;
    while (i < n && (memchr("\x66\x67\xf2\xf3\x26\x2e\x36\x3e\x64\x65", bytes[i], 10) ||
                     (rex && (bytes[i] & 0xf0) == 0x40)))
        i++;
    return i < n && bytes[i] == 0x9c;
}

/* What is on the stack, `slots` words of its code's size from the top; NULL: it cannot be reached. */
static uint8_t *on_stack(struct vcpu *v, unsigned slots, unsigned bytes)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    uint64_t sp = k->run->s.regs.regs.rsp + slots * bytes;
    gla_t gla = kvm_code_bytes(k) == 8 ? sp : (uint32_t)(r->ss.base + (r->ss.db ? (uint32_t)sp : (uint16_t)sp));
    return kvm_hva(v, gla, bytes, WALK_WRITE);
}

#define FRAME_SLOTS 4                   /* an error code, and what the handler's first instructions push */

/* An instruction that faulted, or was interrupted, or INT n: the trap flag is in the frame, and
 * IRET would bring it back.  The frame is where this instruction's address stands before a
 * selector and flags. */
static void hide_in_frame(struct vcpu *v)
{
    const struct kvm_cpu *k = v->priv;
    unsigned bytes = kvm_code_bytes(k);
    for (unsigned i = 0; i < FRAME_SLOTS && bytes >= 4; i++) {
        uint64_t rip = 0, cs = 0, flags = 0;
        uint8_t *frame[3];
        for (unsigned n = 0; n < 3; n++)
            if (!(frame[n] = on_stack(v, i + n, bytes)))
                return;
        memcpy(&rip, frame[0], bytes);
        memcpy(&cs, frame[1], bytes);
        memcpy(&flags, frame[2], bytes);
        if (rip - k->entry_rip > 15 || cs > UINT16_MAX || !(flags & FLAG_TF) || !(flags & FLAG_ONE))
            continue;
        frame[2][1] &= (uint8_t)~(FLAG_TF >> 8);
        return;
    }
}

/* What was stepped may have stored the trap flag, which is not the guest's: take it off the
 * stack.  (KVM hides its own flag in RFLAGS, and the guest's with it.) */
static void hide_trap_flag(struct vcpu *v)
{
    const struct kvm_cpu *k = v->priv;
    if (is_pushf(v, k->entry_rip)) {
        uint8_t *flags = on_stack(v, 0, 2);
        if (flags)
            flags[1] &= (uint8_t)~(FLAG_TF >> 8);       /* it is in the second byte */
    } else if (k->run->s.regs.regs.rip - k->entry_rip > 15) {
        hide_in_frame(v);
    }
}

bool kvm_debug_record(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (d->exception != VEC_DB)
        return false;
    bool stepped = k->debug.control & KVM_GUESTDBG_SINGLESTEP, code = false;
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
    if (stepped) {
        k->told = false;
        hide_trap_flag(v);
    }
    k->owes_step = k->controls.monitor_trap_flag && stepped;
    return kvm_debug_due(k, x);
}

bool kvm_debug_is_unseen(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (k->run->exit_reason != KVM_EXIT_DEBUG || d->exception != VEC_DB || k->controls.monitor_trap_flag ||
        !(k->debug.control & KVM_GUESTDBG_SINGLESTEP) || (d->dr6 & k->data_stops) || kvm_stepped_over_hlt(v))
        return false;
    hide_trap_flag(v);
    return true;
}

/* ---- what is asked for ---- */

/* The bytes from `at` on that one register can watch: 1, 2, 4 or 8, aligned. */
static uint64_t piece(gla_t at, uint64_t len)
{
    uint64_t n = 8;
    while (n > 1 && (n > len || (at & (n - 1))))
        n /= 2;
    return n;
}

static bool take(struct kvm_cpu *k, gla_t at, uint64_t bytes, unsigned kind, size_t index)
{
    if (k->n_stops == NELEM(k->stop))
        return false;
    if (kind != KIND_CODE)
        k->data_stops |= BIT(k->n_stops);
    k->stop[k->n_stops++] = (struct kvm_stop){ at, (uint8_t)bytes, (uint8_t)kind, (uint32_t)index };
    return true;
}

/* There is no register that waits for reads alone. */
static bool take_data(struct kvm_cpu *k, const struct data_stop *d, size_t index)
{
    unsigned kind = d->access == ACCESS_W ? KIND_WRITE : KIND_ACCESS;
    gla_t at = d->at;
    if (d->access == ACCESS_R)
        return false;
    for (uint64_t left = d->len, n; left; left -= n, at += n) {
        n = piece(at, left);
        if (!take(k, at, n, kind, index))
            return false;
    }
    return true;
}

static bool take_all(struct kvm_cpu *k, const struct debug_stops *d)
{
    if (d->lo != d->hi)
        return false;
    for (size_t i = 0; i < d->n_code; i++)
        if (!take(k, d->code[i], 1, KIND_CODE, i))
            return false;
    for (size_t i = 0; i < d->n_data; i++)
        if (!take_data(k, &d->data[i], i))
            return false;
    return true;
}

static void take_none(struct kvm_cpu *k)
{
    k->n_stops = k->hits = k->data_stops = 0;
    k->owes_step = false;
}

int kvm_set_stops(struct vcpu *v, const struct debug_stops *d)
{
    struct kvm_cpu *k = v->priv;
    static const struct debug_stops none;
    const struct engine_caps *caps = k->trial ? NULL : kvm_known_caps();

    if (!d)
        d = &none;
    take_none(k);
    bool can = !caps || ((caps->breakpoints || !d->n_code) && (caps->watchpoints || !d->n_data));
    bool fits = can && take_all(k, d);
    if (!fits)
        take_none(k);
    int err = kvm_settle(k);
    if (!err)
        err = kvm_debug_choose(k);
    return err ? err : fits ? 0 : -ENOTSUP;
}
