/*
 * lab/01-exit-loop/standin.c -- in the place of vm/loop.c: the student's process leads.
 *
 * vm_run() asks the submission for step after step, and serves the calls that each of them makes.
 * A loop that is wrong may do things in any order: they are done as told, also behind the end of
 * the run, so that the guest shows what comes of it.  Only what makes no sense for the monitor
 * itself is refused: an exit is answered and concluded once, with a verdict that there is, and
 * there is an end to it.
 *
 * What no guest sees is the oracle's affair (oracle.c): it is told of each call, and it plays the
 * debugger and the user who press keys at any time.
 */
#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/loop.h"
#include "vm/time_source.h"
#include "vm/vm.h"

#include <string.h>

#include "../lab/01-exit-loop/calls.h"
#include "../lab/01-exit-loop/oracle.h"
#include "../lab/common/ask.h"
#include "base/abi.h"
#include "base/host.h"

#define MAX_CALLS UINT64_C(200000000)       /* a loop that calls and never runs the guest */
#define MAX_IDLE  10000u                    /* calls without a turn, or behind the end */

static struct {
    struct asker  asker;
    struct vm    *vm;
    struct vmexit exit;
    bool          held;             /* an exit that is not concluded yet  */
    enum verdict  verdict;          /* the handler's                      */
    uint64_t      calls;
    unsigned      idle;             /* calls since the guest last ran     */
    struct oracle oracle;
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
    oracle_runs(&loop.oracle, budget);
    uint64_t most = time_budget(vm, boot_cpu(vm));      /* never beyond what the machine has to do */
    loop.held = vcpu_run(boot_cpu(vm), budget < most ? budget : most, &loop.exit);
    if (vm->stop == VM_RUNNING)
        loop.idle = 0;
    if (loop.exit.reason == EXIT_HOST || loop.exit.reason == EXIT_TRIPLE_FAULT)
        loop.exit.fail.what = NULL;         /* an address means nothing to the other process */
    vm->n_exits += loop.held;
    oracle_ran(&loop.oracle, loop.held);
    return loop.held;
}

static uint64_t answer(struct vm *vm)
{
    if (!loop.held) {
        give_up("the loop answers an exit that there is not");
        return STOP;
    }
    if (loop.exit.reason == EXIT_IO && loop.exit.io.port == PORT_MARK)
        oracle_mark(&loop.oracle, (uint32_t)loop.exit.io.value);
    loop.verdict = vm_answer(vm, boot_cpu(vm), &loop.exit);
    return loop.verdict;
}

static void conclude(struct vm *vm, uint64_t verdict, bool same_record)
{
    if (!loop.held || verdict > STOP) {
        give_up(loop.held ? "the loop's verdict is none" : "the loop concludes an exit twice");
        return;
    }
    oracle_concludes(&loop.oracle, &loop.exit, verdict == loop.verdict && same_record);
    vcpu_conclude(boot_cpu(vm), &loop.exit, (enum verdict)verdict);
    loop.held = false;
    oracle_concluded(&loop.oracle);
}

static void wait(struct vm *vm)
{
    oracle_waits(&loop.oracle);
    wait_for_interrupt(vm, boot_cpu(vm));
    oracle_waited(&loop.oracle);
}

static void stop(struct vm *vm, uint64_t why)
{
    if (why > VM_RUNNING && why < N_VM_STOPS && !oracle_stops(&loop.oracle, (enum vm_stop)why))
        vm_stop(vm, (enum vm_stop)why, NULL);
}

static void reset(struct vm *vm)
{
    if (!oracle_resets(&loop.oracle))
        vm_reset(vm);
}

static uint64_t do_call(struct vm *vm, unsigned what, uint64_t a, uint64_t b)
{
    struct vcpu *v = boot_cpu(vm);
    oracle_called(&loop.oracle, what, a);
    switch (what) {
    case LAB1_TIME_PASSES: time_passes(vm); break;
    case LAB1_RUN_DUE:     vclock_run_due(vm->clock); break;
    case LAB1_POLL:        time_poll(vm); break;
    case LAB1_RESET:       reset(vm); break;
    case LAB1_WAIT:        wait(vm); break;
    case LAB1_OFFER:       offer_interrupt(vm, v); break;
    case LAB1_BUDGET:      return oracle_budget(&loop.oracle, time_budget(vm, v));
    case LAB1_ENGINE:      return run_engine(vm, a);
    case LAB1_ANSWER:      return answer(vm);
    case LAB1_CHARGE:      vm->time->charge_port(vm); break;
    case LAB1_CONCLUDE:    conclude(vm, a, b); break;
    case LAB1_STOP:        stop(vm, a); break;
    }
    return 0;
}

static void put_view(struct lab_message *m)
{
    const struct vm *vm = loop.vm;
    const struct vcpu *v = boot_cpu(vm);
    struct lab1_view view = {
        .icount = v->icount, .stop = vm->stop, .interrupted = (uint32_t)vm->interrupted,
        .limit_insns = vm->cfg.limit_insns, .limit_exits = vm->cfg.limit_exits,
        .reset_wanted = vm->reset_wanted, .halted = v->halted, .unfinished = v->turn.unfinished,
        .irq_ready = v->irq_ready, .pause_wanted = vm->pause_wanted, .exit = loop.exit,
    };
    oracle_view(&loop.oracle, &view);
    memcpy(m->data, &view, sizeof view);
    m->bytes = sizeof view;
}

/* False is the end of the submission. */
static bool hear(void *arg, struct lab_message *m)
{
    (void)arg;
    if (m->kind != LAB_CALL || m->what <= LAB1_TURN || m->what >= N_LAB1_CALLS)
        return false;
    m->arg[0] = do_call(loop.vm, m->what, m->arg[0], m->arg[1]);
    oracle_did(&loop.oracle, m->what);
    if (++loop.calls > MAX_CALLS || ++loop.idle > MAX_IDLE) {
        give_up(loop.vm->stop == VM_RUNNING
                ? "the loop turns and turns, and the guest does not get on"
                : "the machine has stopped, and the loop goes on");
        return false;
    }
    put_view(m);
    return true;
}

static void end_run(void *arg, uint32_t status)
{
    (void)arg, (void)status;
    if (loop.vm->stop == VM_RUNNING)
        vm_stop(loop.vm, VM_ENGINE, "the submission has ended");
}

static uint64_t ask_loop(void *arg, unsigned what, uint64_t *left)
{
    struct lab_message m = { .what = (uint16_t)what };
    (void)arg;
    put_view(&m);
    ask(&loop.asker, &m);
    *left = m.arg[1];
    if (++loop.idle > MAX_IDLE)
        give_up("vm_step() comes back and back, and the guest does not get on");
    return m.arg[0];
}

int vm_run(struct vm *vm)
{
    loop.vm = vm;
    asker_init(&loop.asker, (struct port_hook){ end_run, NULL }, hear, NULL);
    oracle_init(&loop.oracle, vm, ask_loop, NULL);
    vm_begin(vm);
    while (vm->stop == VM_RUNNING)
        oracle_step(&loop.oracle);
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
