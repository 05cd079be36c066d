/*
 * lab/01-exit-loop/server.c -- the main() of a submission: a machine that is only a view.
 *
 * The student's loop finds a struct vm with the fields that a loop looks at, kept true by every
 * call, and the functions that a loop calls; each asks the monitor.  Its vm_run() is linked and
 * never called: the monitor asks for the steps itself.
 */
#include "vm/loop.h"

#include <string.h>

#include "../lab/01-exit-loop/calls.h"
#include "../lab/common/part.h"
#include "base/vclock.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/time_source.h"
#include "vm/vm.h"

static struct vm machine;
static struct lab1_view view;

/* The record of the exit is what the monitor has told last. */
static bool is_exit(const struct vmexit *x)
{
    return memcmp(x, &view.exit, sizeof *x) == 0;
}

/* What the monitor says of the machine; n_exits and the turn are the loop's own. */
static void see(const struct lab_message *m)
{
    struct vcpu *v = boot_cpu(&machine);
    memcpy(&view, m->data, sizeof view);
    machine.stop = (enum vm_stop)view.stop;
    machine.interrupted = (int)view.interrupted;
    machine.cfg.limit_insns = view.limit_insns;
    machine.cfg.limit_exits = view.limit_exits;
    machine.reset_wanted = view.reset_wanted;
    machine.pause_wanted = view.pause_wanted;
    v->icount = view.icount;
    v->halted = view.halted;
    v->irq_ready = view.irq_ready;
}

/* Ask, and look at the machine anew. */
static uint64_t call_with(enum lab1_call what, uint64_t a, uint64_t b)
{
    struct lab_message m = { .what = (uint16_t)what, .arg = { a, b } };
    if (lab_call(&part_wire, &m)) {
        machine.stop = VM_HOST;             /* the monitor has gone: let the loop end */
        return 0;
    }
    see(&m);
    return m.arg[0];
}

static uint64_t call(enum lab1_call what, uint64_t a)
{
    return call_with(what, a, 0);
}

void time_passes(struct vm *vm) { (void)vm; call(LAB1_TIME_PASSES, 0); }
void vclock_run_due(struct vclock *c) { (void)c; call(LAB1_RUN_DUE, 0); }
void time_poll(struct vm *vm) { (void)vm; call(LAB1_POLL, 0); }
void vm_reset(struct vm *vm) { (void)vm; call(LAB1_RESET, 0); }
void wait_for_interrupt(struct vm *vm, struct vcpu *v) { (void)vm, (void)v; call(LAB1_WAIT, 0); }
void offer_interrupt(struct vm *vm, struct vcpu *v) { (void)vm, (void)v; call(LAB1_OFFER, 0); }
uint64_t time_budget(struct vm *vm, struct vcpu *v) { (void)vm, (void)v; return call(LAB1_BUDGET, 0); }

void vm_stop(struct vm *vm, enum vm_stop stop, const char *fmt, ...)
{
    (void)vm, (void)fmt;
    call(LAB1_STOP, stop);
}

/* vcpu_run() is two halves: the engine runs, and was it an exit of the guest's? */
static void run(struct vcpu *v, uint64_t budget, struct vmexit *x)
{
    v->turn.unfinished = !call(LAB1_ENGINE, budget);
    memcpy(x, &view.exit, sizeof *x);
}

bool vcpu_guest_exited(struct vcpu *v, const struct vmexit *x)
{
    (void)x;
    bool exited = !v->turn.unfinished;
    v->turn.unfinished = view.unfinished;
    return exited;
}

enum verdict vm_answer(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm, (void)v;
    enum verdict verdict = (enum verdict)call(LAB1_ANSWER, is_exit(x));
    memcpy(x, &view.exit, sizeof *x);
    return verdict;
}

void vcpu_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    (void)v;
    call_with(LAB1_CONCLUDE, verdict, is_exit(x));
}

static void charge_port(struct vm *vm)
{
    (void)vm;
    call(LAB1_CHARGE, 0);
}

void vm_begin(struct vm *vm) { (void)vm; }
void vm_finish(struct vm *vm) { (void)vm; }

static uint64_t step(struct vmexit *x)
{
    vm_step(&machine, x);
    return 0;
}

static bool serve(void *arg, struct lab_message *m)
{
    static struct vmexit x;
    (void)arg;
    if (m->what < LAB1_STEP || m->what > LAB1_TURN)
        return false;
    see(m);
    boot_cpu(&machine)->turn.unfinished &= !view.anew;
    m->arg[0] = m->what == LAB1_STEP    ? step(&x)
              : m->what == LAB1_PREPARE ? vm_prepare(&machine)
              :                           vm_turn(&machine, &x);
    m->arg[1] = (boot_cpu(&machine)->turn.unfinished ? LAB1_LEFT_UNFINISHED : 0) |
                (is_exit(&x) ? LAB1_LEFT_EXIT : 0);
    m->bytes = 0;
    return true;
}

int main(void)
{
    static const struct engine engine = { .name = "asked", .run = run };
    static const struct timekeeping time = { .charge_port = charge_port };
    machine.time = &time;
    machine.n_vcpus = 1;
    boot_cpu(&machine)->ops = &engine;
    return part_serve(serve);
}
