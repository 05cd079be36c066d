/*
 * cpu/soft/system/int.c -- INT n, INT3, INTO, INT1: interrupts that a program asks for.
 *
 * They go through the IDT as events do (deliver.c), with two differences: the gate's DPL
 * must allow it, so that a program cannot call the kernel's own handlers, and a fault on
 * the way is the instruction's own: s->delivering stays empty, and the error code has no EXT.
 * If the monitor made INT3 or INTO exit and reflects it, soft_take_event() in run.c delivers it in
 * the same way, with s->delivering set, so that an exit on the way can begin it again.
 * [SDM 2A "INT n/INTO/INT3/INT1-Call to Interrupt Procedure"]
 */
#include "cpu/soft/system/system.h"

void op_int(struct soft *s, const struct uop *u)
{
    struct event e = { .type = EVENT_IRQ, .vector = (uint8_t)u->imm };

    if (!v86_mode(s) || !deliver_v86_redirected(s, e.vector))
        soft_deliver(s, &e, true);
}

/* INT3, INTO and INT1 raise exceptions, so the exception bitmap applies; they
 * are traps, so RIP is already beyond them when the handler is entered.  INT1 is
 * a hardware event in all but name: no DPL check, no redirection. */
static void trap_instruction(struct soft *s, const struct uop *u, unsigned vector)
{
    struct event e = { .type = EVENT_EXCEPTION, .vector = (uint8_t)vector };

    if (s->ctl.exception_bitmap >> vector & 1) {
        struct vmexit *x = soft_exit_record(s, EXIT_EXCEPTION);
        x->fault.vector = (uint8_t)vector;
        x->fault.type = vector == VEC_DB ? EVENT_INT1 : EVENT_SOFTWARE;
        system_leave(s, u);
    }
    soft_deliver(s, &e, vector != VEC_DB);
}

void op_int3(struct soft *s, const struct uop *u)
{
    trap_instruction(s, u, VEC_BP);
}

void op_into(struct soft *s, const struct uop *u)
{
    if (soft_flags(s) & FLAG_OF)
        trap_instruction(s, u, VEC_OF);
}

void op_int1(struct soft *s, const struct uop *u)
{
    trap_instruction(s, u, VEC_DB);
}
