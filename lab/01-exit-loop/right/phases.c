/*
 * A right solution, for `accept`: what is to be done before the guest runs is a list of phases,
 * and each of them says whether the next one may follow.  Time passes behind the exit, too, and
 * there limits are looked at for the first time; a signal that comes later is seen before the run.
 */
#include <signal.h>

#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/loop.h"
#include "vm/time_source.h"
#include "vm/vm.h"

typedef bool phase_fn(struct vm *vm, struct vcpu *v);

static bool runs(const struct vm *vm)
{
    return vm->stop == VM_RUNNING;
}

static bool begin_anew(struct vm *vm, struct vcpu *v)
{
    (void)v;
    for (; vm->reset_wanted && runs(vm); )
        vm_reset(vm);
    return runs(vm);
}

static bool let_time_pass(struct vm *vm, struct vcpu *v)
{
    (void)v;
    time_passes(vm);
    vclock_run_due(vm->clock);
    return runs(vm);
}

static bool look_for_input(struct vm *vm, struct vcpu *v)
{
    (void)v;
    time_poll(vm);
    return runs(vm);
}

static bool sleep_if_halted(struct vm *vm, struct vcpu *v)
{
    if (!v->halted)
        return true;
    wait_for_interrupt(vm, v);
    return runs(vm) && (!v->halted || vm->interrupted);
}

static bool reached(uint64_t n, uint64_t limit)
{
    return limit > 0 && n + 1 > limit;
}

static bool is_allowed(struct vm *vm, struct vcpu *v)
{
    enum vm_stop why = VM_RUNNING;
    if (reached(vm->n_exits, vm->cfg.limit_exits))
        why = VM_LIMIT_EXITS;
    if (reached(v->icount, vm->cfg.limit_insns))
        why = VM_LIMIT_INSNS;
    if (vm->interrupted)
        why = VM_TERMINATED;
    if (vm->interrupted == SIGINT)
        why = VM_INTERRUPTED;
    if (why != VM_RUNNING)
        vm_stop(vm, why, NULL);
    return why == VM_RUNNING;
}

static bool ready(struct vm *vm, struct vcpu *v)
{
    offer_interrupt(vm, v);
    v->turn.unfinished = runs(vm);
    return v->turn.unfinished;
}

bool vm_prepare(struct vm *vm)
{
    static phase_fn *const phases[] = {
        begin_anew, let_time_pass, look_for_input, sleep_if_halted, is_allowed, ready,
    };
    struct vcpu *v = boot_cpu(vm);
    size_t i = v->turn.unfinished ? NELEM(phases) : 0;
    while (i < NELEM(phases) && phases[i](vm, v))
        i++;
    return i == NELEM(phases) && runs(vm);
}

static void settle(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    enum verdict verdict = vm_answer(vm, v, x);
    if (x->reason == EXIT_IO)
        vm->time->charge_port(vm);
    vcpu_conclude(v, x, verdict);
    vm->n_exits += 1;
    if (runs(vm) && !vm->reset_wanted && is_allowed(vm, v))
        time_passes(vm);
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    struct vcpu *v = boot_cpu(vm);
    uint64_t most = time_budget(vm, v);
    bool exited = vcpu_run(v, most, x);
    if (exited)
        settle(vm, v, x);
    return exited;
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    bool done = false;
    while (!done)
        done = !vm_prepare(vm) || vm_turn(vm, x);
}

int vm_run(struct vm *vm)
{
    vm_begin(vm);
    do {
        struct vmexit x;
        vm_step(vm, &x);
    } while (runs(vm));
    vm_finish(vm);
    return vm->status;
}
