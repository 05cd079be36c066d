/*
 * vm/guest_exited.c -- the engine has come back: has the guest exited?
 *
 * Most often it has.  But a debugger stops a guest that must not notice, and where time is
 * measured an alarm takes the CPU out of the guest only for the monitor to look at its clock.
 * Of such returns neither the trace nor the guest may know: vcpu_run() asks here first.
 */
#include "vm/guest_exited.h"

#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/time_source.h"
#include "vm/vm.h"

/* Only a debugger, or a recording that is played again, asked for this. */
static bool is_onlookers(const struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    switch (x->reason) {
    case EXIT_BREAKPOINT:
        return true;
    case EXIT_BUDGET:
        return v->turn.ends_for >= ENDS_FOR_REPLAY;
    case EXIT_MTF:
        return vm->debug_wants.step;
    case EXIT_KICKED:
        return vm->debug_wants.kick;
    default:
        return false;
    }
}

/* Time is brought up to date for onlookers, who look at devices, too; but events of the turn,
 * which is not over, keep their stamp. */
static bool leave_to_onlookers(struct vm *vm, struct vcpu *v, const struct vmexit *x)
{
    vm->debug_news.exit = is_onlookers(vm, v, x);
    vm->debug_wants.kick &= x->reason != EXIT_KICKED;
    if (!vm->debug_news.exit)
        return false;
    time_passes_unseen(vm);
    vm->debug_news.n_exits++;
    v->turn.unfinished = vm->time->turns_resume;
    return true;
}

/* An alarm rang, but no timer is due and nobody has asked for anything: that is
 * the monitor's way to measure time. */
static bool is_tick(const struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    return x->reason == EXIT_KICKED && !vm->interrupted && v->turn.injected.type == EVENT_NONE &&
           vclock_next_ns(vm->clock) > vclock_now_ns(vm->clock);
}

/* Right behind an exit that the guest can tell, or still there: a window that
 * opens before an instruction is retired is at the same point. */
static bool is_after_visible(const struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    if (x->reason == EXIT_IRQ_WINDOW)
        return v->turn.after_visible && vm->time->stands_still(v);
    return x->reason == EXIT_IO || x->reason == EXIT_MMIO || x->reason == EXIT_HLT;
}

static bool guest_exited(void *arg, struct vcpu *v, const struct vmexit *x)
{
    struct vm *vm = arg;
    if (leave_to_onlookers(vm, v, x))
        return false;
    v->turn.after_visible = is_after_visible(vm, v, x);
    time_passes(vm);
    v->turn.unfinished = false;
    if (is_tick(vm, v, x))
        return false;
    v->turn.time_base_at_exit_ns = vm->time_base_ns;
    return true;
}

static void paging_changed(void *arg, struct vcpu *v)
{
    vm_paging_changed(arg, v);
}

struct vcpu_owner vm_as_owner(struct vm *vm)
{
    return (struct vcpu_owner){
        .guest_exited = guest_exited, .paging_changed = paging_changed, .arg = vm,
    };
}
