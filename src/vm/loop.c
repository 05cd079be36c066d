/*
 * vm/loop.c -- the run loop everything hangs on.
 *
 * A hypervisor is a loop around one operation, "run the guest until it needs me".  One turn:
 *
 *   time passes -> due timers run -> an interrupt is injected or asked for ->
 *   the engine runs -> its exit is logged, answered and concluded.
 *
 * vm_step() is a turn; its halves are vm_prepare() and vm_turn(), so that a debugger can look
 * in between.  loop.h has the contract.  Nothing in here knows what a device, an engine or a
 * debugger is like: the answers to exits are in exits.c, time in time_source.c, interrupts in
 * interrupts.c.  Nor does the loop write the trace: vcpu_run() and vcpu_conclude() do
 * (cpu/vcpu.h), whatever the loop is like.
 *
 * [SDM 3C "Virtual-Machine Monitor Programming Considerations": "Using VMX Instructions"]
 */
#include "vm/loop.h"

#include <signal.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/time_source.h"
#include "vm/vm.h"

static void check_limits(struct vm *vm)
{
    /* lab 1 begin: (void)vm; */
    const struct vm_config *c = &vm->cfg;
    uint64_t icount = boot_cpu(vm)->icount;
    if (vm->interrupted)
        vm_stop(vm, vm->interrupted == SIGINT ? VM_INTERRUPTED : VM_TERMINATED, NULL);
    else if (c->limit_insns && icount >= c->limit_insns)
        vm_stop(vm, VM_LIMIT_INSNS, "%llu instructions", (unsigned long long)icount);
    else if (c->limit_exits && vm->n_exits >= c->limit_exits)
        vm_stop(vm, VM_LIMIT_EXITS, "%llu exits", (unsigned long long)vm->n_exits);
    /* lab 1 end */
}

bool vm_prepare(struct vm *vm)
{
    /* lab 1 begin: (void)check_limits; vm_stop(vm, VM_ENGINE, "no loop yet"); return false; */
    struct vcpu *v = boot_cpu(vm);
    if (v->turn.unfinished)             /* a debugger has interrupted it: on with the guest */
        return vm->stop == VM_RUNNING;
    if (vm->reset_wanted)
        vm_reset(vm);
    time_passes(vm);
    vclock_run_due(vm->clock);
    time_poll(vm);
    if (v->halted && vm->stop == VM_RUNNING)
        wait_for_interrupt(vm, v);
    check_limits(vm);
    if (vm->stop != VM_RUNNING || v->halted)
        return false;
    offer_interrupt(vm, v);
    v->turn.unfinished = true;
    return vm->stop == VM_RUNNING;      /* an engine that refuses the interrupt has stopped it */
    /* lab 1 end */
}

/* ---- the engine runs; its exit is answered and concluded ---- */

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    /* lab 1 begin: (void)vm, (void)x; return false; */
    struct vcpu *v = boot_cpu(vm);
    if (!vcpu_run(v, time_budget(vm, v), x))
        return false;                   /* no exit of the guest's */
    vm->n_exits++;
    if (vm->cfg.before_answer)
        vm->cfg.before_answer(vm->cfg.hook_arg, x);
    enum verdict verdict = vm_answer(vm, v, x);
    if (x->reason == EXIT_IO)
        vm->time->charge_port(vm);
    vcpu_conclude(v, x, verdict);
    if (vm->cfg.after_exit)
        vm->cfg.after_exit(vm->cfg.after_exit_arg);
    return true;
    /* lab 1 end */
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    /* lab 1 begin: (void)vm_turn(vm, x), (void)vm_prepare(vm); */
    while (vm_prepare(vm) && !vm_turn(vm, x))
        ;
    /* lab 1 end */
}

int vm_run(struct vm *vm)
{
    struct vmexit x;

    vm_begin(vm);
    while (vm->stop == VM_RUNNING)
        vm_step(vm, &x);
    vm_finish(vm);
    return vm->status;
}
