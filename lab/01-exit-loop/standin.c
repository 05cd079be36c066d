/*
 * lab/01-exit-loop/standin.c -- in the place of vm/loop.c: the student's process leads.
 *
 * vm_run() asks the submission once, and serves its calls until it says that it is done or the
 * machine has stopped.  A loop that is wrong may do things in any order, so each is checked to
 * make sense for the monitor itself: an exit is answered and concluded once, the verdict is one
 * that there is, and there is an end to it.  What is merely wrong for the guest is done as told.
 */
#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/time_source.h"
#include "vm/vm.h"

#include <string.h>

#include "../lab/01-exit-loop/calls.h"
#include "../lab/common/ask.h"
#include "base/host.h"

#define MAX_CALLS UINT64_C(200000000)       /* a loop that calls and never runs the guest */

static struct {
    struct asker  asker;
    struct vm    *vm;
    struct vmexit exit;
    bool          held;             /* an exit that is not concluded yet  */
    uint64_t      runs, calls;
} loop;

static void give_up(const char *what)
{
    host_say("%s", what);
    if (loop.vm->stop == VM_RUNNING)
        vm_stop(loop.vm, VM_ENGINE, "%s", what);
}

static uint64_t run_engine(struct vm *vm, uint64_t budget)
{
    if (loop.held) {
        give_up("the loop runs the guest while its last exit is not concluded");
        return 0;
    }
    uint64_t most = time_budget(vm, boot_cpu(vm));      /* never beyond what the machine has to do */
    loop.held = vcpu_run(boot_cpu(vm), budget < most ? budget : most, &loop.exit);
    loop.runs++;
    if (loop.exit.reason == EXIT_HOST || loop.exit.reason == EXIT_TRIPLE_FAULT)
        loop.exit.fail.what = NULL;         /* an address means nothing to the other process */
    vm->n_exits += loop.held;
    return loop.held;
}

static uint64_t answer(struct vm *vm)
{
    if (loop.held)
        return vm_answer(vm, boot_cpu(vm), &loop.exit);
    give_up("the loop answers an exit that there is not");
    return STOP;
}

static void conclude(struct vm *vm, uint64_t verdict)
{
    if (!loop.held || verdict > STOP) {
        give_up(loop.held ? "the loop's verdict is none" : "the loop concludes an exit twice");
        return;
    }
    vcpu_conclude(boot_cpu(vm), &loop.exit, (enum verdict)verdict);
    loop.held = false;
}

static uint64_t do_call(struct vm *vm, unsigned what, uint64_t a)
{
    struct vcpu *v = boot_cpu(vm);
    switch (what) {
    case LAB1_TIME_PASSES: time_passes(vm); break;
    case LAB1_RUN_DUE:     vclock_run_due(vm->clock); break;
    case LAB1_POLL:        time_poll(vm); break;
    case LAB1_RESET:       if (vm->reset_wanted) vm_reset(vm); break;
    case LAB1_WAIT:        if (v->halted) wait_for_interrupt(vm, v); break;
    case LAB1_OFFER:       offer_interrupt(vm, v); break;
    case LAB1_BUDGET:      return time_budget(vm, v);
    case LAB1_ENGINE:      return run_engine(vm, a);
    case LAB1_ANSWER:      return answer(vm);
    case LAB1_CHARGE:      if (loop.held) vm->time->charge_port(vm); break;
    case LAB1_CONCLUDE:    conclude(vm, a); break;
    case LAB1_STOP:        if (a > VM_RUNNING && a < N_VM_STOPS) vm_stop(vm, (enum vm_stop)a, NULL); break;
    }
    return 0;
}

static bool hear(void *arg, struct lab_message *m)
{
    struct vm *vm = loop.vm;
    struct lab1_view *view = (struct lab1_view *)(void *)m->data;
    (void)arg;
    if (m->kind != LAB_CALL || m->what <= LAB1_RUN || m->what >= N_LAB1_CALLS)
        return false;
    m->arg[0] = vm->stop == VM_RUNNING ? do_call(vm, m->what, m->arg[0]) : 0;
    if (++loop.calls > MAX_CALLS)
        give_up("the loop turns and turns, and the guest does not get on");
    const struct vcpu *v = boot_cpu(vm);
    memset(m->data, 0, sizeof *view);
    *view = (struct lab1_view){
        .icount = v->icount, .stop = vm->stop, .interrupted = (uint32_t)vm->interrupted,
        .reset_wanted = vm->reset_wanted, .halted = v->halted, .unfinished = v->turn.unfinished,
        .irq_ready = v->irq_ready, .exit = loop.exit,
    };
    m->bytes = sizeof *view;
    return true;
}

static void end_run(void *arg, uint32_t status)
{
    (void)arg, (void)status;
    if (loop.vm->stop == VM_RUNNING)
        vm_stop(loop.vm, VM_ENGINE, "the submission has ended");
}

int vm_run(struct vm *vm)
{
    struct lab1_limits limits = { vm->cfg.limit_insns, vm->cfg.limit_exits };
    struct lab_message m = { .what = LAB1_RUN, .bytes = sizeof limits };
    loop.vm = vm;
    asker_init(&loop.asker, (struct port_hook){ end_run, NULL }, hear, NULL);
    memcpy(m.data, &limits, sizeof limits);
    vm_begin(vm);
    ask(&loop.asker, &m);
    if (vm->stop == VM_RUNNING)
        give_up("the loop ended before the machine did");
    vm_finish(vm);
    return vm->status;
}

/* For debuggers and lockstep, which a lab's monitor does not have. */
bool vm_prepare(struct vm *vm)
{
    (void)vm;
    bug("only `run` is for labs");
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    (void)vm, (void)x;
    bug("only `run` is for labs");
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    (void)vm, (void)x;
    bug("only `run` is for labs");
}
