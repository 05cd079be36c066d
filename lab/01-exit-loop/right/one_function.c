/*
 * A right solution whose vm_step() is one endless loop, which takes HLT in pieces, and which has its
 * limits in a table.
 */
#include <signal.h>

#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/loop.h"
#include "vm/time_source.h"
#include "vm/vm.h"

static void devices(struct vm *vm)
{
    if (vm->reset_wanted)
        vm_reset(vm);
    time_passes(vm);
    vclock_run_due(vm->clock);
    time_poll(vm);
}

static enum vm_stop limit(const struct vm *vm)
{
    const struct { bool reached; enum vm_stop stop; } limits[] = {
        { vm->interrupted == SIGINT, VM_INTERRUPTED },
        { vm->interrupted, VM_TERMINATED },
        { vm->cfg.limit_insns && boot_cpu(vm)->icount >= vm->cfg.limit_insns, VM_LIMIT_INSNS },
        { vm->cfg.limit_exits && vm->n_exits >= vm->cfg.limit_exits, VM_LIMIT_EXITS },
    };
    for (unsigned i = 0; i < NELEM(limits); i++)
        if (limits[i].reached)
            return limits[i].stop;
    return VM_RUNNING;
}

bool vm_prepare(struct vm *vm)
{
    struct vcpu *v = boot_cpu(vm);
    if (v->turn.unfinished)
        return vm->stop == VM_RUNNING;
    devices(vm);
    while (v->halted && vm->stop == VM_RUNNING && !vm->interrupted && !vm->pause_wanted)
        wait_for_interrupt(vm, v);
    enum vm_stop stop = vm->stop == VM_RUNNING ? limit(vm) : VM_RUNNING;
    if (stop != VM_RUNNING)
        vm_stop(vm, stop, NULL);
    if (vm->stop == VM_RUNNING && !v->halted)
        offer_interrupt(vm, v);
    v->turn.unfinished = vm->stop == VM_RUNNING && !v->halted;
    return v->turn.unfinished;
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    struct vcpu *v = boot_cpu(vm);
    bool exited = vcpu_run(v, time_budget(vm, v), x);
    if (exited) {
        enum verdict verdict = vm_answer(vm, v, x);
        vm->n_exits++;
        switch (x->reason) {
        case EXIT_IO:
            vm->time->charge_port(vm);
            break;
        default:
            break;
        }
        vcpu_conclude(v, x, verdict);
    }
    return exited;
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    for (;;) {
        if (!vm_prepare(vm))
            return;
        if (vm_turn(vm, x))
            return;
    }
}

int vm_run(struct vm *vm)
{
    struct vmexit x;
    vm_begin(vm);
    for (; vm->stop == VM_RUNNING; vm_step(vm, &x))
        ;
    vm_finish(vm);
    return vm->status;
}
