/*
 * cpu/vcpu_trace.c -- what the trace says of a CPU: it went into the guest, came out, went on.
 *
 * The monitor runs its guest through these functions and not through the engine's table, so
 * that its account of a run is written below it: whatever the run loop makes of an exit, that
 * there was one, where and when, is logged here.  The engine itself logs what it gives the
 * guest (INJECT) and where the guest's handler is entered (DELIVER).
 */
#include "cpu/vcpu.h"

#include "base/host.h"
#include "base/trace.h"
#include "base/x86.h"
#include "cpu/regs.h"

/* From here on events carry this place, until the next exit. */
static void log_exit(struct vcpu *v, const struct vmexit *x)
{
    struct trace *t = v->trace;
    if (!t)
        return;
    trace_set_place(&t->ctx, x->rip, &x->cs);
    t->ctx.icount = v->icount;
    t->ctx.who.vcpu = v->number & 15;
    trace_enter(t, trace_emit(t, TRACE_EXIT, x->reason, exit_qualification(x), exit_extra(x)));
}

void vcpu_trace_here(struct vcpu *v)
{
    struct cpu_state s;
    if (!v->trace)
        return;
    v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &s);
    struct code_segment cs = state_code_segment(&s);
    trace_set_place(&v->trace->ctx, s.rip, &cs);
    v->trace->ctx.icount = v->icount;
}

/* The owner is asked first.  False: the engine came back for a reason of the owner's alone, such
 * as an alarm; the guest has not exited, and nothing is logged. */
EXIT_PATH bool vcpu_guest_exited(struct vcpu *v, const struct vmexit *x)
{
    if (!v->owner.guest_exited(v->owner.arg, v, x)) {
        v->ops->conclude(v, x, RETRY);
        return false;
    }
    v->turn.icount_at_exit = v->icount;
    v->turn.registers_changed = false;
    v->entered_ns = v->timing ? host_monotonic_ns() : 0;
    log_exit(v, x);
    return true;
}

/* The engine carries the verdict out; then what has changed with it is told: paging to the
 * owner, the end of the exit to the trace. */
EXIT_PATH void vcpu_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    v->ops->conclude(v, x, verdict);
    v->turn.verdict = verdict;
    v->turn.icount_concluded = v->icount;
    if (v->turn.paging_stale) {
        v->turn.paging_stale = false;
        v->owner.paging_changed(v->owner.arg, v);
    }
    uint64_t took = v->timing ? host_monotonic_ns() - v->entered_ns : 0;
    trace_emit(v->trace, TRACE_RESUME, verdict, x->rip, took);
    trace_leave(v->trace, 0);           /* what comes next starts a chain of its own */
}

/* `cause` is the event that the interrupt answers, for example the PIC's IRQ_ACK. -errno:
 * the guest cannot take it now. */
int vcpu_inject(struct vcpu *v, const struct event *e, uint64_t cause)
{
    uint64_t old = trace_enter(v->trace, cause);
    v->injection = 0;
    int err = v->ops->inject(v, e);
    trace_leave(v->trace, old);
    trace_enter(v->trace, v->injection);        /* what the guest does next answers it */
    if (!err)
        v->turn.injected = v->latest_injection = *e;
    return err;
}

void vcpu_log_injection(struct vcpu *v, uint64_t rip, const struct code_segment *cs,
                        const struct event *e)
{
    v->injection = vcpu_log_at(v, rip, cs, v->icount, TRACE_INJECT, e->vector, e->error, e->type);
}

/* Where virtual time is measured nobody calls this: v->time_base_ns is not NULL. */
void vcpu_note_exception(struct vcpu *v, const struct event *e, gla_t at, uint64_t rsp,
                         uint64_t icount)
{
    struct repeated *r = &v->repeated;
    uint64_t cr2 = e->vector == VEC_PF ? e->cr2 : 0;
    uint64_t now = v->time_base_ns ? *v->time_base_ns + icount : 0;
    if (r->vector != e->vector || r->at != at || r->cr2 != cr2 || r->rsp != rsp)
        *r = (struct repeated){ e->vector, at, cr2, rsp, 0, now, now };
    r->times++;
    r->last_ns = now;
}
