/*
 * vm/interrupts.c -- when the guest gets an interrupt, and how it sleeps until there is one.
 *
 * A CPU takes an external interrupt between two instructions, if RFLAGS.IF is set and the
 * instruction before was no STI or load of SS.  A monitor that injects does the CPU's work and
 * must keep to the same rules; if they forbid it now, it asks for an exit at the first moment
 * at which they do not: the interrupt window.
 * [SDM 3C "Event Injection", "Interrupt-Window Exiting"; SDM 3A "Masking Maskable Hardware
 * Interrupts", "Masking Exceptions and Interrupts When Switching Stacks"]
 */
#include "vm/interrupts.h"

#include "base/vclock.h"
#include "base/x86.h"
#include "io/pic.h"
#include "vm/pc.h"
#include "vm/time_source.h"
#include "vm/vm.h"

static void want_irq_window(struct vm *vm, struct vcpu *v, bool want)
{
    want &= !vm->debug_wants.no_window;
    if (v->controls.irq_window_exiting == want)
        return;
    v->controls.irq_window_exiting = want;
    v->ops->set_controls(v, &v->controls);
}

/* Whether the monitor itself has a reason to keep interrupts back, whatever the guest could
 * take.  Two have one:
 *   lockstep   two engines that cannot be stopped at the same instruction are at the same
 *              point of the guest only right behind an exit that the guest can tell;
 *   a debugger that steps through the guest does not want to step into a timer's handler.  But
 *              an interrupt that has ended a HLT belongs to the step over the HLT. */
static bool may_inject(const struct vm *vm, const struct vcpu *v)
{
    if (vm->cfg.irq_at_visible_exits && !v->turn.after_visible)
        return false;
    return !vm->debug_wants.hold_irqs || vm->debug_news.woken;
}

static void inject(struct vm *vm, struct vcpu *v)
{
    uint64_t cause;
    struct event e = { .type = EVENT_IRQ, .vector = pc_ack_irq(vm->pc, &cause) };
    if (vcpu_inject(v, &e, cause))
        vm_stop(vm, VM_ENGINE, "it does not take interrupt %u", e.vector);
    vm->debug_news.woken = false;
    vm->n_irqs++;
}

void offer_interrupt(struct vm *vm, struct vcpu *v)
{
    bool pending = may_inject(vm, v) && pic_pending(pc_pic(vm->pc));
    bool now = pending && v->irq_ready;
    v->turn.injected.type = EVENT_NONE;
    want_irq_window(vm, v, pending && !now);
    if (now)
        inject(vm, v);
}

/* What must be added if the second 8259A is waiting behind a mask of the first one. */
static const char *cascade(struct vm *vm)
{
    return pc_cascade_is_masked(vm->pc)
               ? "; IRQ 8 to 15 are behind line 2, which bit 2 of port 0x21 masks" : "";
}

/* No line of the PIC can interrupt any more.  What is in service holds back itself and what ranks
 * below; the timer, IRQ 0, ranks above all and so holds back everything. */
static void stop_deaf(struct vm *vm)
{
    unsigned busy = pc_pic_lines(vm->pc, "ISR");
    if (busy)
        vm_stop(vm, VM_HALTED, "IRQ %d is in service at the 8259A, which has got no EOI for it",
                __builtin_ctz(busy));
    else
        vm_stop(vm, VM_HALTED, "the 8259A lets no interrupt through (all are masked, or it was "
                               "never set up%s)", cascade(vm));
}

/* Can anything end this HLT?  An interrupt does, if RFLAGS.IF is set; NMI, INIT and SMI would,
 * too, but nothing in this machine raises them.  [SDM 2A "HLT-Halt"] */
static bool can_wake(struct vm *vm, struct vcpu *v)
{
    struct cpu_state s;
    struct pic *pic = pc_pic(vm->pc);
    if (v->ops->get_state(v, ST_GPRS, &s) || !(s.rflags & FLAG_IF))
        vm_stop(vm, VM_HALTED, "HLT with interrupts off");
    else if (!pic_pending(pic) && pic_is_deaf(pic))
        stop_deaf(vm);
    return vm->stop == VM_RUNNING;
}

static bool sleeps(const struct vm *vm)
{
    return !pic_pending(pc_pic(vm->pc)) && vm->stop == VM_RUNNING && !vm->reset_wanted;
}

/* Nothing will come; most often because of a device that still waits for the handler of what came
 * before. */
static void stop_asleep(struct vm *vm)
{
    unsigned line;
    if (pc_unserved(vm->pc, &line))
        vm_stop(vm, VM_HALTED, "IRQ %u has come, but its line is still up, so it cannot come "
                               "again: its handler must %s", line, pc_service(line));
    else
        vm_stop(vm, VM_HALTED, "no timer runs that would be heard, and no input can come%s",
                cascade(vm));
}

/* To the next timer, or until input comes: the caller of vm_run() waits, or says at once that
 * the time has passed.  If no timer that runs can interrupt the CPU, there is only input to wait
 * for.  False: there is nothing to wait for. */
static bool sleep_once(struct vm *vm)
{
    uint64_t now = vclock_now_ns(vm->clock), next = vclock_next_ns(vm->clock);
    bool only_input = pc_next_wake_ns(vm->pc) == VCLOCK_NEVER;
    uint64_t ns = only_input || next == VCLOCK_NEVER ? VCLOCK_NEVER : next - now;
    uint64_t passed = vm->cfg.idle ? vm->cfg.idle(vm->cfg.hook_arg, ns) : ns;
    if (passed == VCLOCK_NEVER) {
        stop_asleep(vm);
        return false;
    }
    vm->time->skip(vm, passed);
    vclock_run_due(vm->clock);
    return true;
}

void wait_for_interrupt(struct vm *vm, struct vcpu *v)
{
    vm->debug_news.woken = true;
    if (!can_wake(vm, v))
        return;
    while (sleeps(vm) && !vm->interrupted && !vm->pause_wanted)
        if (!sleep_once(vm))
            return;
    v->halted = vm->pause_wanted && sleeps(vm);
}
