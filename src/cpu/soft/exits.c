/*
 * cpu/soft/exits.c -- leaving the guest: filling in the exit record, going back to the monitor.
 *
 * What VMX hardware does on a VM exit is done here in two steps.  The instruction's
 * handler asks soft_exit_record() for a record, fills in what is special to the reason,
 * and calls soft_leave(), which goes back to run() by longjmp.  RIP stays at the
 * instruction: the monitor answers first, and conclude.c then retires it.
 * [SDM 3C "VM Exits", "VM-Exit Information Fields"]
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"

/* The bytes of the current instruction, from where it was decoded. */
static void copy_bytes(const struct soft *s, struct vmexit *x)
{
    const struct block *b = s->block;
    uintptr_t start = (uintptr_t)b->hva + s->cur->off;

    for (unsigned i = 0; i < x->len; i++) {
        bool second = b->hva2 && ((start + i) & PAGE_MASK) != ((uintptr_t)b->hva & PAGE_MASK);
        x->bytes[i] = second ? b->hva2[(start + i) & ~PAGE_MASK] : *(const uint8_t *)(start + i);
    }
}

/* RIP and bytes are those of the instruction that exits, if one does.  An exit in the
 * midst of delivering an event (the page of the stack is missing, say) belongs to no
 * instruction: INT1, for one, is over when its event is on the way. */
struct vmexit *soft_exit_record(struct soft *s, enum exit_reason reason)
{
    struct vmexit *x = s->x;
    bool at_insn = s->cur && s->delivering.type == EVENT_NONE;

    memset(x, 0, sizeof *x);
    x->reason = reason;
    x->raw = reason;
    x->rip = at_insn ? rip_mask(s, uop_rip(s, s->cur)) :
             s->delivering.type == EVENT_SOFTWARE ? s->restart_rip : s->rip;
    x->cs = s->code;
    if (at_insn) {
        x->len = s->cur->len;
        copy_bytes(s, x);
    }
    return x;
}

void soft_leave(struct soft *s)
{
    longjmp(s->escape, ESCAPE_EXIT);
}

void soft_again(struct soft *s)
{
    longjmp(s->escape, ESCAPE_AGAIN);
}

/* s->left outlives the decoded block: the monitor may forget code before it concludes. */
void system_leave(struct soft *s, const struct uop *u)
{
    s->left = *u;
    soft_leave(s);
}

/* Of a page fault the qualification is the address, of a debug exception what DR6 will say.
 * [SDM 3C "Exit Qualification for Debug Exceptions"] */
void soft_exit_exception(struct soft *s, const struct event *e)
{
    struct vmexit *x = soft_exit_record(s, EXIT_EXCEPTION);

    x->fault.vector = e->vector;
    x->fault.type = EVENT_EXCEPTION;
    x->fault.has_error = e->has_error;
    x->fault.error = e->error;
    x->fault.gla = e->vector == VEC_DB ? s->pending_db : e->cr2;
}
