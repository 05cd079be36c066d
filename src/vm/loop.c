/*
 * vm/loop.c -- the run loop everything hangs on.
 *
 * A hypervisor is a loop around one operation, "run the guest until it needs me".  One turn:
 *
 *   time passes -> due timers run -> an interrupt is injected or asked for ->
 *   the engine runs -> its exit is logged, answered and concluded.
 *
 * vm_step() is a turn; its halves are vm_prepare() and vm_turn(), so that a debugger can look
 * in between.  Nothing in here knows what a device, an engine or a debugger is like: the answers
 * to exits are in exits.c, time in time.c, interrupts in interrupts.c.
 */
#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "io/uart.h"
#include "vm/exits.h"
#include "vm/interrupts.h"
#include "vm/pc.h"
#include "vm/time.h"
#include "vm/vm.h"

static void check_limits(struct vm *vm)
{
    const struct vm_config *c = &vm->cfg;
    uint64_t icount = boot_cpu(vm)->icount;
    if (vm->interrupted)
        vm_stop(vm, vm->interrupted == 15 ? VM_TERMINATED : VM_INTERRUPTED, NULL);
    else if (c->limit_insns && icount >= c->limit_insns)
        vm_stop(vm, VM_LIMIT_INSNS, "%llu instructions", (unsigned long long)icount);
    else if (c->limit_exits && vm->n_exits >= c->limit_exits)
        vm_stop(vm, VM_LIMIT_EXITS, "%llu exits", (unsigned long long)vm->n_exits);
}

bool vm_prepare(struct vm *vm)
{
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
    return true;
}

/* ---- exits that are nobody's business but the monitor's ---- */

/* Only a debugger, or a recording that is played again, asked for this exit: the guest and the
 * trace are to know nothing of it. */
static bool is_onlookers(struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    const struct debug_wants *wants = &vm->debug_wants;
    switch (x->reason) {
    case EXIT_BREAKPOINT:
        return true;
    case EXIT_BUDGET:
        return v->turn.ends_for >= ENDS_FOR_REPLAY;
    case EXIT_MTF:
        return wants->step;
    case EXIT_KICKED:
        return wants->kick;
    default:
        return false;
    }
}

/* Time is brought up to date for who looks at devices, but events of the unfinished turn keep
 * their stamp. */
static bool leave_to_onlookers(struct vm *vm, struct vcpu *v, const struct vmexit *x)
{
    vm->debug_news.exit = is_onlookers(vm, v, x);
    vm->debug_wants.kick &= x->reason != EXIT_KICKED;
    if (!vm->debug_news.exit)
        return false;
    time_passes_unseen(vm);
    vm->debug_news.n_exits++;
    v->turn.unfinished = vm->time->turns_resume;
    v->ops->conclude(v, x, RETRY);
    return true;
}

/* An alarm rang, but no timer is due and nobody has asked for anything: that is
 * the monitor's way to measure time, and no exit of the guest's. */
static bool is_tick(const struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    return x->reason == EXIT_KICKED && !vm->interrupted && v->turn.injected.type == EVENT_NONE &&
           vclock_next_ns(vm->clock) > vclock_now_ns(vm->clock);
}

/* ---- one exit ---- */

/* Right behind an exit that the guest can tell, or still there: a window that
 * opens before an instruction is retired is at the same point. */
static bool is_after_visible(const struct vm *vm, const struct vcpu *v, const struct vmexit *x)
{
    if (x->reason == EXIT_IRQ_WINDOW)
        return v->turn.after_visible && vm->time->stands_still(v);
    return x->reason == EXIT_IO || x->reason == EXIT_MMIO || x->reason == EXIT_HLT;
}

static void log_exit(struct vcpu *v, const struct vmexit *x)
{
    struct trace *t = v->trace;
    if (!t)
        return;
    t->ctx.rip = x->rip;
    t->ctx.icount = v->icount;
    trace_enter(t, trace_emit(t, TRACE_EXIT, x->reason, exit_qualification(x), exit_extra(x)));
}

static void remember_exit(struct vm *vm, struct vcpu *v)
{
    vm->n_exits++;
    v->turn.icount_at_exit = v->icount;
    v->turn.time_base_at_exit_ns = vm->time_base_ns;
    v->turn.registers_changed = false;
}

/* Carry the verdict out.  Only now has an emulated instruction been retired, and only now can
 * its new paging registers be read. */
static void conclude(struct vm *vm, struct vcpu *v, struct vmexit *x, uint64_t entered_ns)
{
    v->ops->conclude(v, x, v->turn.verdict);
    v->turn.icount_concluded = v->icount;
    if (v->turn.paging_stale) {
        v->turn.paging_stale = false;
        vm_paging_changed(vm, v);
    }
    uint64_t took = vm->cfg.timing ? host_monotonic_ns() - entered_ns : 0;
    trace_emit(vm->trace, TRACE_RESUME, v->turn.verdict, x->rip, took);
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    struct vcpu *v = boot_cpu(vm);
    v->ops->run(v, time_budget(vm, v), x);
    if (leave_to_onlookers(vm, v, x))
        return false;
    v->turn.after_visible = is_after_visible(vm, v, x);
    time_passes(vm);
    v->turn.unfinished = false;
    if (is_tick(vm, v, x)) {
        v->ops->conclude(v, x, RETRY);
        return false;
    }
    uint64_t entered_ns = vm->cfg.timing ? host_monotonic_ns() : 0;
    remember_exit(vm, v);
    log_exit(v, x);
    if (vm->cfg.before_answer)
        vm->cfg.before_answer(vm->cfg.hook_arg, x);
    v->turn.verdict = vm_answer(vm, v, x);
    vm->time->charge(vm, x);
    conclude(vm, v, x, entered_ns);
    if (vm->cfg.after_exit)
        vm->cfg.after_exit(vm->cfg.after_exit_arg);
    trace_leave(vm->trace, 0);                  /* what comes next starts a chain of its own */
    return true;
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    while (vm_prepare(vm) && !vm_turn(vm, x))
        ;
}

/* ---- from power-on to the end ---- */

static unsigned engine_number(const struct engine *e)
{
    unsigned i = 0;
    while (engines[i] && engines[i] != e)
        i++;
    return i;
}

void vm_begin(struct vm *vm)
{
    unsigned engine = engine_number(vm->cfg.engine);
    vm->host_base_ns = host_monotonic_ns();
    if (vm->trace)
        vm->trace->ctx.engine = (uint8_t)engine;
    trace_emit(vm->trace, TRACE_START, engine, vm->cfg.mmu, vm->cfg.seed);
}

void vm_finish(struct vm *vm)
{
    uart_flush(pc_uart(vm->pc));
    trace_emit(vm->trace, TRACE_STOP, (uint64_t)vm->status, vm->stop, vm->n_exits);
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
