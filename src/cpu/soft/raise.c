/*
 * cpu/soft/raise.c -- an instruction raises an exception, and who gets it.
 *
 * Raising is what an instruction does when it finds that it cannot be executed:
 * fault_because() and its kin note the exception in s->raised and leave the instruction
 * by longjmp.  The run loop then calls soft_take_fault(), which undoes what the
 * instruction had begun and either exits to the monitor, if the exception bitmap asks
 * for it, or delivers the exception through the guest's IDT.  How delivery works is
 * in deliver.c.
 *
 * Three kinds of exception differ in what RIP the handler finds on its stack:
 *   fault   RIP of the instruction, which can be executed again (#PF, #GP)
 *   trap    RIP of the next one (#BP, #OF, single step)
 *   abort   no useful RIP (#DF)
 * [SDM 3A "Exception Classifications", "Error Code"]
 */
#include <Zydis/Mnemonic.h>

#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"
#include "cpu/soft/system/system.h"

/* ---- raising ---- */

_Noreturn static void raise_event(struct soft *s, const struct event *e, enum obstacle why,
                                  uint64_t at)
{
    s->raised = *e;
    s->obstacle = why;
    s->obstacle_at = at;
    longjmp(s->escape, ESCAPE_FAULT);
}

static bool has_error_code(unsigned vector)
{
    static const uint32_t with_error = 0
#define X(nr, name, err, about) | (uint32_t)(err) << nr
        VECTOR_LIST(X)
#undef X
        ;
    return with_error >> vector & 1;
}

static struct event exception(unsigned vector, uint32_t error)
{
    bool has = has_error_code(vector);

    return (struct event){ .type = EVENT_EXCEPTION, .vector = (uint8_t)vector,
                           .has_error = has, .error = has ? error : 0 };
}

void fault_because(struct soft *s, enum obstacle why, uint64_t at, unsigned vector, uint32_t error)
{
    struct event e = exception(vector, error);

    raise_event(s, &e, why, at);
}

/* A page fault also tells which address was meant: CR2 gets it as the exception is
 * delivered, not now, because a monitor that intercepts the fault may repair its cause,
 * and then the guest must see nothing of it. */
void soft_page_fault(struct soft *s, gla_t gla, uint32_t error)
{
    raise_event(s, &(struct event){ .type = EVENT_EXCEPTION, .vector = VEC_PF, .has_error = true,
                                    .error = error, .cr2 = gla }, OBSTACLE_UNKNOWN, gla);
}

/* A selector error code is the selector with its two lowest bits put to another use:
 *
 *     15                3  2   1   0
 *     index in the table   TI IDT EXT      TI: in the LDT; IDT: a gate's number, not a selector
 *
 * EXT says that the program is not to blame: the fault came up while an interrupt or an
 * earlier exception was being delivered.  [SDM 3A "Error Code"] */
void fault_sel_because(struct soft *s, enum obstacle why, unsigned vector, unsigned sel)
{
    fault_because(s, why, sel, vector, (sel & 0xfffc) | delivers_external(s));
}

void gp_because(struct soft *s, enum obstacle why, uint64_t at)
{
    fault_because(s, why, at, VEC_GP, delivers_external(s));
}

void fault_desc(struct soft *s, enum obstacle why, unsigned vector, const struct descriptor *d)
{
    bool in_table = d->at;      /* desc_fetch() has found it */
    /* No LDT and no TSS is in an LDT (desc_fetch_global()): that is no question of its end. */
    bool misplaced = d->sel & 4 && (why == OBSTACLE_SEL_LDT || why == OBSTACLE_SEL_TSS);

    fault_sel_because(s, in_table || misplaced ? why : OBSTACLE_SEL_LIMIT, vector, d->sel);
}

/* The handlers of bytes that are no instruction, and of an instruction of more than
 * 15 bytes, which is #GP(0).  [SDM 3A "Interrupt 6-Invalid Opcode Exception (#UD)"] */
void op_ud(struct soft *s, const struct uop *u)
{
    s->cur = u;
    fault_because(s, u->mnemonic == ZYDIS_MNEMONIC_UD2 ? OBSTACLE_UD2 : OBSTACLE_NO_INSN, 0, VEC_UD,
                  0);
}

void op_gp(struct soft *s, const struct uop *u)
{
    s->cur = u;
    fault_because(s, OBSTACLE_INSN_LENGTH, 0, VEC_GP, 0);
}

/* ---- who gets it ---- */

/* The exception bitmap of the VMCS has a bit for each vector: set, the exception goes to
 * the monitor instead of the guest's handler.  With shadow page tables every #PF must go
 * there, because the guest's own tables may well allow what the shadow does not: then the
 * guest has done nothing wrong and must not hear of it.  [SDM 3C "Exception Bitmap"] */
static bool intercepted(const struct soft *s, unsigned vector)
{
    if (vector == VEC_PF && s->v->mmu == MMU_SHADOW)
        return true;
    return s->ctl.exception_bitmap >> (vector & 31) & 1;
}

/* Two exceptions have met, and soft_escalate() says what becomes of them: one after the
 * other, a double fault, or the shutdown that is called a triple fault.  A double fault has
 * a bit of its own in the exception bitmap. */
bool soft_take_second_fault(struct soft *s, struct event *e)
{
    uint8_t vector = e->vector;

    s->rip = s->restart_rip;
    undelivered_add(s, &s->delivering, e);
    if (!soft_escalate(s, e)) {
        delivery_summary(&s->undelivered, soft_exit_record(s, EXIT_TRIPLE_FAULT));
        return true;
    }
    if (e->vector == vector || !intercepted(s, e->vector))
        return false;
    soft_exit_exception(s, e);
    return true;
}

bool soft_take_fault(struct soft *s)
{
    struct event e = s->raised, by_int;
    const struct uop *u = s->cur;

    if (intercepted(s, e.vector)) {
        if (undelivered_is_int(s, u, &by_int))
            s->interrupted_int = by_int;
        soft_exit_exception(s, &e);     /* with the instruction's bytes: before unwinding */
        soft_unwind(s);
        return true;
    }
    soft_unwind(s);
    s->arrival.pending = false;         /* else it was the new task's fault */
    s->n_supplied = s->next_supplied = 0;
    s->in_shadow = false;
    if (s->delivering.type != EVENT_NONE) {
        if (soft_take_second_fault(s, &e))
            return true;
    } else if (UNLIKELY(undelivered_is_int(s, u, &by_int))) {
        undelivered_add(s, &by_int, &e);
    }
    undelivered_begin(s, &e);
    soft_take_event(s, &e);
    return false;
}

/* #DB as a trap: it comes after the instruction that caused it, with the next one's RIP.
 * The monitor gets the causes in DR6, as the guest's handler would have found them there
 * (note_debug() in deliver.c).  [SDM 3B "Debug Exceptions"] */
bool soft_take_debug_trap(struct soft *s)
{
    struct event e = { .type = EVENT_EXCEPTION, .vector = VEC_DB };

    s->obstacle = OBSTACLE_UNKNOWN;     /* nothing has been refused */
    if (intercepted(s, VEC_DB)) {
        soft_exit_exception(s, &e);
        s->dr[6] = (s->dr[6] & ~UINT64_C(15)) | s->pending_db;
        s->pending_db = 0;
        return true;
    }
    undelivered_begin(s, &e);
    soft_take_event(s, &e);
    return false;
}
