/*
 * cpu/soft/run.c -- the run loop: what happens between two instructions.
 *
 * soft_run() is VM entry and VM exit of the simulated CPU.  In between, run_loop() stands
 * between instructions.  It sees to what can only happen there -- traps, the interrupt
 * window, the budget, a kick -- then runs a block; blocks run on into others by
 * themselves (exec.h) and come back when they cannot: a system operation, code not yet
 * decoded, the budget nearly used up.
 *
 * The count of instructions is exact.  A block is counted when it is entered;
 * an instruction that leaves in the middle takes back what did not run (uop.left).
 * When the rest of the budget does not cover a block, or something must happen after the
 * very next instruction (TF, MTF, breakpoints, an interrupt shadow, a device
 * access that is being repeated), blocks of a single instruction are used.
 *
 * A fault or an exit in mid-instruction comes back by longjmp: setjmp is done
 * once in soft_run(), not per instruction.  A delivered exception counts as one
 * instruction, so that no guest can loop without using up its budget.
 *
 * Not here: raising exceptions (raise.c), exit records (exits.c), delivery (deliver.c).
 * Begin with run_loop().
 */
#include <stdatomic.h>

#include <Zydis/Mnemonic.h>

#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"
#include "cpu/soft/system/system.h"

/* ---- between instructions ---- */

/* A fault must leave the CPU as it was before the instruction, so that the handler can
 * repair the cause and execute it again.  Handlers see to registers and memory themselves
 * (soft.h); RIP and the counts are put back here. */
void soft_unwind(struct soft *s)
{
    if (s->delivering.type == EVENT_SOFTWARE)
        s->rip = s->restart_rip;        /* the INT3 or INTO whose delivery has to begin again */
    if (!s->cur)
        return;
    s->rip = s->in_system ? s->restart_rip : rip_mask(s, uop_rip(s, s->cur));
    s->icount -= s->cur->left;
    /* Data breakpoints it hit will be hit again, or not at all. */
    s->pending_db = (s->pending_db & ~UINT64_C(15)) | s->kept_db;
    s->kept_db = 0;
    s->cur = NULL;
    s->in_system = false;
}

void soft_take_event(struct soft *s, const struct event *e)
{
    struct event event = *e;

    if (event.type == EVENT_SOFTWARE || event.type == EVENT_INT1) {
        s->restart_rip = s->rip;
        s->rip = rip_mask(s, s->rip + event.len);       /* the handler returns behind it */
    }
    if (event.type == EVENT_INT1)
        event.type = EVENT_EXCEPTION;
    if (event.type == EVENT_SOFTWARE)
        s->delivering = event;
    soft_deliver(s, &event, event.type == EVENT_SOFTWARE);
    s->n_supplied = s->next_supplied = 0;
    if (event.type == EVENT_EXCEPTION || event.type == EVENT_SOFTWARE)
        s->icount++;
    if (UNLIKELY(s->log_insns))
        insn_log_skip(s);
}

/* RFLAGS.IF is the guest's own switch.  STI and loads of SS hold interrupts off for one
 * instruction more (the "interrupt shadow"), so that "STI; HLT" cannot be torn apart and
 * SS:RSP never is half loaded when a handler pushes on it.  Besides, no interrupt comes
 * before a trap of the instruction just done, which has priority, nor in the midst of an
 * instruction that a device is answering, which would be asked twice.
 * [SDM 3A "Masking Maskable Hardware Interrupts", "Prioritization of Concurrent Events"] */
bool soft_irq_possible(const struct soft *s)
{
    return (s->flags & FLAG_IF) && !s->irq_shadow && !s->in_shadow &&
           s->delivering.type == EVENT_NONE && s->inject.type == EVENT_NONE &&
           !s->arrival.pending &&
           !(s->pending_db && !s->db_shadow) && !s->n_supplied;
}

/* The guest's own instruction breakpoints that match here, as B0-B3 of DR6.  Of breakpoint i,
 * bits 2i and 2i + 1 of DR7 switch it on (for this task, for all), and bits 16 + 4i to
 * 19 + 4i say which accesses it stops, and of what length: all 0 for execution.
 * [SDM 3B "Debug Registers", "Instruction-Breakpoint Exception Condition"] */
static uint64_t code_breakpoints(const struct soft *s)
{
    gla_t at = code_linear(s, s->rip);
    uint64_t hit = 0;

    for (unsigned i = 0; i < 4; i++)
        if ((s->dr[7] >> (2 * i) & 3) && !(s->dr[7] >> (16 + 4 * i) & 15) && s->dr[i] == at)
            hit |= BIT(i);
    return hit;
}

/* ---- running ---- */

/* Run block b and what follows it, until a handler returns here (exec.h). */
static void execute(struct soft *s, struct block *b)
{
    s->block = b;
    s->icount += b->n;
#if SOFT_LOOP
    s->next = b->uop;
    while (s->next) {
        const struct uop *u = s->next;
        s->next = NULL;
        u->fn(s, u);
    }
#else
    b->uop->fn(s, b->uop);
#endif
    s->cur = NULL;
}

/* Does something have to happen after the very next instruction? */
static bool must_run_one(const struct soft *s)
{
    return (s->flags & FLAG_TF) || (s->dr[7] & 0xff) || s->irq_shadow || s->in_shadow ||
           s->db_shadow || s->ctl.monitor_trap_flag || s->n_supplied || s->log_insns ||
           s->creep;
}

/* The trap of TF comes after an instruction that began with TF set.  But INT n, INT3 and
 * INTO clear TF on the way to their handler, and SYSCALL does if its mask says so: then
 * there is no trap after them, or a debugger within the guest would single-step the
 * kernel it has called.  [SDM 3B "Single-Step Exception Condition"] */
static bool enters_handler(const struct uop *u)
{
    return u->mnemonic == ZYDIS_MNEMONIC_INT || u->mnemonic == ZYDIS_MNEMONIC_INT1 ||
           u->mnemonic == ZYDIS_MNEMONIC_INT3 || u->mnemonic == ZYDIS_MNEMONIC_INTO ||
           u->mnemonic == ZYDIS_MNEMONIC_SYSCALL;
}

/* TF was set before the instruction just done: is there a trap?  Not if it has `silently` entered
 * a handler (see enters_handler()), nor after a load of SS by MOV or POP, so that no handler
 * runs on half a stack pointer.  The trap of a load of SS is dropped, not put off: the next
 * instruction makes one of its own.  Only breakpoints on data are put off.
 * [SDM 3A "Masking Exceptions and Interrupts When Switching Stacks"] */
static bool single_step_traps(const struct soft *s, bool silently)
{
    return !s->db_shadow && !(silently && !(s->flags & FLAG_TF));
}

/* One instruction, alone, and what follows from it; true: exit.
 *
 * First the guest's breakpoints on this address: unlike all other debug exceptions they
 * are faults, told before the instruction, and RFLAGS.RF is how their handler gets past
 * the instruction: IRET sets it from the stack, it holds back the breakpoint once, and
 * the CPU clears it again.  The monitor trap flag comes last: it is the monitor's single
 * step, which the guest cannot see.  [SDM 3B "Instruction-Breakpoint Exception Condition";
 * SDM 3C "Monitor Trap Flag"] */
static bool run_one(struct soft *s)
{
    bool trap = s->flags & FLAG_TF;
    bool mtf = s->ctl.monitor_trap_flag;

    if ((s->dr[7] & 0xff) && !(s->flags & FLAG_RF) && !s->db_shadow && code_breakpoints(s)) {
        s->pending_db = code_breakpoints(s);
        return soft_take_debug_trap(s);
    }
    s->in_shadow |= s->irq_shadow;
    s->irq_shadow = s->db_shadow = false;
    s->single = true;
    s->creep = false;
    struct block *b = block_find(s);
    bool silent = enters_handler(b->uop);
    s->flags &= ~FLAG_RF;
    s->kept_db = s->pending_db & 15;
    atomic_store_explicit(&s->icount_limit, s->icount + 1, memory_order_relaxed);
    if (UNLIKELY(s->log_insns))
        insn_log_start(s, b);
    execute(s, b);
    if (UNLIKELY(s->log_insns))
        insn_log_retired(s);
    s->kept_db = 0;
    s->single = false;
    s->in_shadow = false;
    s->n_supplied = s->next_supplied = 0;
    if (trap && single_step_traps(s, silent))
        s->pending_db |= DR6_BS;
    if (mtf) {
        soft_exit_record(s, EXIT_MTF);
        return true;
    }
    return false;
}

/* Run until there is an exit record.  The order is that of the manual's table of
 * priorities: first what belongs to the instruction just done (the debugger's watchpoints,
 * the guest's traps), then what wants to come in before the next (interrupts), then the
 * next one itself.  [SDM 3A "Prioritization of Concurrent Events"] */
static void run_loop(struct soft *s)
{
    for (;;) {
        if (UNLIKELY(s->touched)) {
            debug_tell_data(s);
            return;
        }
        if (UNLIKELY(atomic_load_explicit(&s->kicked, memory_order_relaxed))) {
            atomic_store(&s->kicked, false);
            soft_exit_record(s, EXIT_KICKED);
            return;
        }
        if (UNLIKELY(s->icount >= s->icount_end)) {
            soft_exit_record(s, EXIT_BUDGET);
            return;
        }
        if (UNLIKELY(s->pending_db && !s->db_shadow)) {
            if (soft_take_debug_trap(s))
                return;
            continue;
        }
        if (UNLIKELY(s->ctl.irq_window_exiting) && soft_irq_possible(s)) {
            soft_exit_record(s, EXIT_IRQ_WINDOW);
            return;
        }
        if (UNLIKELY(s->debug_code || s->debug_range) && debug_tell_code(s, code_linear(s, s->rip)))
            return;
        if (UNLIKELY(must_run_one(s))) {
            if (run_one(s))
                return;
            continue;
        }
        s->flags &= ~FLAG_RF;           /* matters to instruction breakpoints only */
        struct block *b = block_find(s);
        if (UNLIKELY(s->icount + b->n > s->icount_end || !b->n) ||
            (UNLIKELY(s->debug_range) && !debug_in_range(s, code_linear(s, s->rip), b->bytes))) {
            if (run_one(s))
                return;
            continue;
        }
        uint64_t limit = UNLIKELY(s->debug_range) ? s->icount + b->n : s->icount_end;
        /* The store must be seen before kicked is read: a kick comes between. */
        if (atomic_load_explicit(&s->icount_limit, memory_order_relaxed) != limit)
            atomic_store(&s->icount_limit, limit);
        if (LIKELY(!atomic_load_explicit(&s->kicked, memory_order_relaxed)))
            execute(s, b);
    }
}

/* A task switch has just been completed.  If an instruction has asked for it and the monitor steps
 * the guest, this step is over: there is an exit record. */
static bool has_stepped(struct soft *s)
{
    if (!s->ctl.monitor_trap_flag || !s->arrival.by_insn)
        return false;
    soft_exit_record(s, EXIT_MTF);
    return true;
}

/* VM entry: what comes before the first instruction.  That is the event the monitor
 * injects, or the one whose delivery an exit interrupted, which is begun again (the page
 * of the handler's stack was missing in the nested tables, say).  If there are both, the
 * injected one is a fault met during that delivery.  A task switch that was interrupted behind its
 * commit point is not begun again, but goes on.  An event wakes a halted CPU; a CPU
 * that stays halted exits at once.  True: run.  [SDM 3C "Event Injection", "Activity State"] */
static bool enter_guest(struct soft *s)
{
    struct event e = s->inject, first = s->delivering;

    s->inject.type = EVENT_NONE;
    if (UNLIKELY(s->arrival.pending)) {
        if (e.type == EVENT_NONE) {
            soft_arrive(s);
            return !has_stepped(s);
        }
        s->arrival.pending = false;     /* the injected event is a fault of the new task's */
    }
    if (UNLIKELY(s->interrupted_int.type != EVENT_NONE)) {
        if (e.type == EVENT_EXCEPTION)
            undelivered_add(s, &s->interrupted_int, &e);
        s->interrupted_int.type = EVENT_NONE;
    }
    if (e.type != EVENT_NONE && first.type != EVENT_NONE) {
        if (soft_take_second_fault(s, &e))
            return false;
    } else if (e.type == EVENT_NONE && first.type != EVENT_NONE) {
        s->rip = s->restart_rip;
        e = first;
    } else if (e.type != EVENT_NONE) {
        undelivered_begin(s, &e);
    }
    if (e.type != EVENT_NONE) {
        s->halted = false;
        soft_take_event(s, &e);
    }
    if (s->halted)
        soft_exit_record(s, EXIT_HLT);
    return !s->halted;
}

void soft_run(struct vcpu *v, uint64_t budget, struct vmexit *x)
{
    struct soft *s = v->priv;
    int why;

    s->x = x;
    s->cur = NULL;
    s->icount_end = s->icount + budget < s->icount ? UINT64_MAX : s->icount + budget;
    tlb_choose(s);                      /* conclude() may have changed anything */
    insn_log_begin(s);
    if (UNLIKELY(s->log_insns))
        insn_log_retired(s);            /* in the monitor */
    why = _setjmp(s->escape);
    s->single = false;
    /* The instruction has not happened; of port I/O and a task switch the memory side has. */
    if (why == ESCAPE_FAULT ||
        (why == ESCAPE_EXIT && x->reason != EXIT_IO && !s->arrival.pending))
        debug_untouch(s);
    if (why == ESCAPE_EXIT || why == ESCAPE_AGAIN)
        soft_unwind(s);
    s->creep = why == ESCAPE_AGAIN;
    if (why == ESCAPE_EXIT)
        ;                               /* its record is made */
    else if (why == ESCAPE_AGAIN)
        run_loop(s);
    else if (why == ESCAPE_FAULT ? !soft_take_fault(s) : enter_guest(s))
        run_loop(s);
    s->cur = NULL;
    s->irq_shadow |= s->in_shadow;      /* the instruction in the shadow is still to come */
    s->in_shadow = false;
    s->next_supplied = 0;
    v->icount = s->icount;
    v->n_exits++;
    v->irq_ready = soft_irq_possible(s);
}
