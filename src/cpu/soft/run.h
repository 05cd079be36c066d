/*
 * cpu/soft/run.h -- what the run loop shares with its neighbours.
 *
 * An instruction that cannot go on leaves by longjmp to the setjmp in soft_run().  The
 * value it carries says why, and so what soft_run() does next.
 */
#ifndef CPU_SOFT_RUN_H
#define CPU_SOFT_RUN_H

#include "cpu/soft/soft.h"

enum escape {
    ESCAPE_FAULT = 1,           /* s->raised: an exception (raise.c)                     */
    ESCAPE_EXIT,                /* *s->x: the monitor is needed (exits.c)                */
    ESCAPE_AGAIN,               /* run the instruction again, in a block of its own      */
};

/* Put RIP, the instruction count and pending breakpoints back to before the current
 * instruction; afterwards there is none (s->cur is NULL). */
void soft_unwind(struct soft *s);

/* Deliver *e now, between two instructions.  An exception counts as one instruction. */
void soft_take_event(struct soft *s, const struct event *e);

/* Could the guest take an external interrupt now?
 * [SDM 3A "Masking Maskable Hardware Interrupts"] */
bool soft_irq_possible(const struct soft *s);

/* What the engine struct (soft.c) is made of.  engine.h says what each must do. */
void soft_run(struct vcpu *v, uint64_t budget, struct vmexit *x);
int  soft_get_state(struct vcpu *v, unsigned groups, struct cpu_state *c);
int  soft_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *c);

/* Forget decoded code and everything half done (soft.c): guest memory may be another's by
 * now.  Registers are put in with soft_set_state() afterwards, which empties the TLB. */
void soft_start_over(struct soft *s);

/* ---- raise.c ---- */

/* s->raised was raised: deliver it to the guest, or to the monitor if it wants to see
 * it.  True: there is an exit record. */
bool soft_take_fault(struct soft *s);

/* Fault *e happened while s->delivering was being delivered: *e becomes what to deliver.
 * True: there is an exit record instead. */
bool soft_take_second_fault(struct soft *s, struct event *e);

/* Deliver the debug exception that s->pending_db is about, in the same way. */
bool soft_take_debug_trap(struct soft *s);

/* ---- exits.c ---- */

/* Fill in an exit record for exception *e. */
void soft_exit_exception(struct soft *s, const struct event *e);

#endif
