/*
 * base/vclock.c -- the virtual clock and its timers.
 *
 * A machine has about half a dozen timers, so a sorted list is all there is:
 * the head is what is due next.  A timer that is armed again leaves the list
 * and enters it anew, so the list never holds a stale entry; the generation
 * is what snapshots and the trace know an arming by.
 */
#include "base/vclock.h"

#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"

#define MAX_TIMERS 32

struct vclock {
    uint64_t       now_ns;
    uint64_t       armings;
    struct trace  *trace;
    size_t         n_armed;
    struct vtimer *armed[MAX_TIMERS];   /* by deadline, ties by order of arming */
};

struct vclock *vclock_new(struct trace *t)
{
    struct vclock *c = calloc(1, sizeof *c);
    if (c)
        c->trace = t;
    return c;
}

void vclock_free(struct vclock *c)
{
    free(c);
}

uint64_t vclock_now_ns(const struct vclock *c)
{
    return c->now_ns;
}

/* The trace stamps its events with this time. */
void vclock_set_ns(struct vclock *c, uint64_t now_ns)
{
    if (now_ns > c->now_ns)
        c->now_ns = now_ns;
    if (c->trace)
        c->trace->ctx.vtime_ns = c->now_ns;
}

uint64_t vclock_next_ns(const struct vclock *c)
{
    return c->n_armed ? c->armed[0]->deadline_ns : VCLOCK_NEVER;
}

uint64_t vclock_next_of(const struct vclock *c, const void *arg)
{
    uint64_t next = VCLOCK_NEVER;
    for (size_t i = 0; i < c->n_armed; i++)
        if (c->armed[i]->arg == arg && c->armed[i]->deadline_ns < next)
            next = c->armed[i]->deadline_ns;
    return next;
}

void vtimer_init(struct vtimer *t, struct vclock *c, vtimer_fn *fn, void *arg)
{
    *t = (struct vtimer){ .clock = c, .fn = fn, .arg = arg, .deadline_ns = VCLOCK_NEVER };
}

/* A timer that is not armed is in no list, and cancelling it does nothing. */
void vtimer_cancel(struct vtimer *t)
{
    struct vclock *c = t->clock;
    for (size_t i = 0; i < c->n_armed; i++) {
        if (c->armed[i] != t)
            continue;
        for (; i + 1 < c->n_armed; i++)
            c->armed[i] = c->armed[i + 1];
        c->n_armed--;
    }
    t->deadline_ns = VCLOCK_NEVER;
}

/* Equal deadlines fire in the order of arming: without a rule two runs could differ. */
static bool is_later(const struct vtimer *a, const struct vtimer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns > b->deadline_ns : a->order > b->order;
}

/* From the end of the list forwards, moving later ones up by one place. */
static void insert_by_deadline(struct vtimer *t)
{
    struct vclock *c = t->clock;
    if (t->deadline_ns == VCLOCK_NEVER)
        return;
    bug_if(c->n_armed == MAX_TIMERS, "more than %d timers armed", MAX_TIMERS);
    size_t i = c->n_armed++;
    for (; i > 0 && is_later(c->armed[i - 1], t); i--)
        c->armed[i] = c->armed[i - 1];
    c->armed[i] = t;
}

/* The cause is what the trace is working on now, for example the guest's OUT to the timer
 * chip; when the timer fires, its event names that one as its cause. */
void vtimer_arm(struct vtimer *t, uint64_t deadline_ns)
{
    struct vclock *c = t->clock;
    vtimer_cancel(t);
    t->generation++;
    t->deadline_ns = deadline_ns;
    t->cause = c->trace ? c->trace->ctx.cause : 0;
    t->order = ++c->armings;
    insert_by_deadline(t);
}

uint64_t vclock_armings(const struct vclock *c)
{
    return c->armings;
}

/* armings is restored because it decides between equal deadlines in the future, too. */
void vclock_restore(struct vclock *c, uint64_t now_ns, uint64_t armings)
{
    c->now_ns = now_ns;
    c->armings = armings;
    vclock_set_ns(c, now_ns);
}

void vtimer_restore(struct vtimer *t, uint64_t deadline_ns, uint32_t generation, uint64_t cause,
                    uint64_t order)
{
    vtimer_cancel(t);
    t->deadline_ns = deadline_ns;
    t->generation = generation;
    t->cause = cause;
    t->order = order;
    insert_by_deadline(t);
}

/* A timer's function may arm it again, or others, and those may be due as well: hence the
 * loop looks at the head of the list each time.  The timer leaves the list before its
 * function is called. */
void vclock_run_due(struct vclock *c)
{
    while (c->n_armed && c->armed[0]->deadline_ns <= c->now_ns) {
        struct vtimer *t = c->armed[0];
        uint64_t deadline = t->deadline_ns;
        uint64_t old = trace_enter(c->trace, t->cause);
        uint64_t seq = trace_emit(c->trace, TRACE_TIMER, deadline, t->generation, 0);
        vtimer_cancel(t);
        trace_enter(c->trace, seq);
        t->fn(t->arg);
        trace_leave(c->trace, old);
    }
}
