/*
 * A right solution that does everything which the contract in vm/loop.h leaves free in another way
 * than the real source: calls are made too often where that does no harm, limits are looked at
 * where the CPU is about to run, and an exit is counted when it has been concluded.
 */
#include <signal.h>

#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/loop.h"
#include "vm/time_source.h"
#include "vm/vm.h"

static struct { uint64_t turns, exits; } mine;      /* remembered beside struct vm */

static void stop_if_reached(struct vm *vm, bool reached, enum vm_stop why)
{
    if (reached)
        vm_stop(vm, why, NULL);
}

/* The first call of vm_stop() is the one that counts. */
static bool is_within_limits(struct vm *vm)
{
    uint64_t insns = vm->cfg.limit_insns, exits = vm->cfg.limit_exits;
    stop_if_reached(vm, vm->interrupted == SIGINT, VM_INTERRUPTED);
    stop_if_reached(vm, vm->interrupted, VM_TERMINATED);
    stop_if_reached(vm, insns && boot_cpu(vm)->icount >= insns, VM_LIMIT_INSNS);
    stop_if_reached(vm, exits && vm->n_exits >= exits, VM_LIMIT_EXITS);
    return vm->stop == VM_RUNNING;
}

static void look_around(struct vm *vm)
{
    time_passes(vm);
    vclock_run_due(vm->clock);
    time_poll(vm);
}

static bool prepare_anew(struct vm *vm, struct vcpu *v)
{
    time_passes(vm);
    if (vm->reset_wanted)
        vm_reset(vm);
    look_around(vm);
    if (v->halted)
        wait_for_interrupt(vm, v);
    look_around(vm);
    if (vm->stop != VM_RUNNING || v->halted)
        return false;
    offer_interrupt(vm, v);
    v->turn.unfinished = true;
    return true;
}

bool vm_prepare(struct vm *vm)
{
    struct vcpu *v = boot_cpu(vm);
    bool may = v->turn.unfinished || prepare_anew(vm, v);
    return is_within_limits(vm) && may;
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    struct vcpu *v = boot_cpu(vm);
    struct vmexit exit;
    mine.turns++;
    v->turn.unfinished = false;             /* vcpu_run() sets it, if it must be */
    uint64_t most = time_budget(vm, v);
    if (!vcpu_run(v, most, &exit))
        return false;
    enum verdict verdict = vm_answer(vm, v, &exit);
    if (exit.reason == EXIT_IO)
        vm->time->charge_port(vm);
    vcpu_conclude(v, &exit, verdict);
    mine.exits++;
    vm->n_exits++;
    *x = exit;
    return true;
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    if (vm_prepare(vm) && !vm_turn(vm, x))
        vm_step(vm, x);
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
