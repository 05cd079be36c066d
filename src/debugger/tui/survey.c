/*
 * debugger/tui/survey.c -- one pass over a trace, in slices.
 *
 * Virtual time is cut into SURVEY_BUCKETS pieces of the same length, one nanosecond at
 * first.  How long the run will be is not known, for the trace may be growing.  So when an
 * event lies beyond the last bucket, the length is doubled, as often as it takes, and what
 * two neighbours have counted is added up.  So a bucket is never more than twice as long
 * as the length of the run asks for.
 */
#include "debugger/tui/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "debugger/trace/filter.h"

#define SLICE 1024              /* events between looks at the clock */

struct survey *survey_new(void)
{
    struct survey *v = calloc(1, sizeof *v);
    if (v && !(v->stat = stat_new())) {
        free(v);
        return NULL;
    }
    if (v)
        v->bucket_ns = 1;
    return v;
}

void survey_free(struct survey *v)
{
    if (v)
        stat_free(v->stat);
    free(v);
}

/* Twice the time in each bucket: two neighbours become one, and the upper half is empty. */
static void halve(struct survey *v)
{
    for (size_t i = 0; i < SURVEY_BUCKETS; i++) {
        struct survey_bucket none = { 0 };
        struct survey_bucket a = 2 * i < SURVEY_BUCKETS ? v->bucket[2 * i] : none;
        struct survey_bucket b = 2 * i + 1 < SURVEY_BUCKETS ? v->bucket[2 * i + 1] : none;
        v->bucket[i] = (struct survey_bucket){ a.events + b.events, a.exits + b.exits,
                                               a.faults + b.faults, a.irqs + b.irqs };
    }
    v->bucket_ns *= 2;
}

/* Count an event in the bucket of its time.  Time may go back in a live trace, when the
 * guest was taken back: before first_ns counts as first_ns. */
static void count_time(struct survey *v, const struct trace_event *e)
{
    uint64_t ns = e->vtime_ns > v->first_ns ? e->vtime_ns - v->first_ns : 0;
    while (ns / v->bucket_ns >= SURVEY_BUCKETS)
        halve(v);
    struct survey_bucket *b = &v->bucket[ns / v->bucket_ns];
    b->events++;
    b->exits += e->kind == TRACE_EXIT;
    b->faults += e->kind == TRACE_FAULT_TRUE || e->kind == TRACE_SHADOW_FILL ||
        e->kind == TRACE_NESTED_FILL;
    b->irqs += e->kind == TRACE_INJECT;
}

/* Called by store_each() for every event.  True: go on with the next. */
static bool count_event(void *arg, uint64_t index, const struct trace_event *e)
{
    struct survey *v = arg;
    if (index == 0)
        v->first_ns = e->vtime_ns;
    if (e->vtime_ns > v->last_ns)
        v->last_ns = e->vtime_ns;
    stat_add(v->stat, e);
    count_time(v, e);
    if (e->kind == TRACE_MARK && v->n_marks < SURVEY_MARKS) {
        v->mark[v->n_marks].index = index;
        v->mark[v->n_marks].vtime_ns = e->vtime_ns;
        v->mark[v->n_marks++].n = e->arg[0];
    }
    return true;
}

/* The clock is looked at once for SLICE events, for that takes longer than counting one. */
bool survey_work(struct survey *v, struct store *s, uint64_t budget_ns)
{
    struct filter *all = filter_both(NULL, NULL);
    uint64_t n = store_n_events(s), end_ns = host_monotonic_ns() + budget_ns;
    while (all && v->done < n && host_monotonic_ns() < end_ns) {
        uint64_t to = v->done + SLICE < n ? v->done + SLICE : n;
        store_each(s, all, v->done, to, count_event, v);
        v->done = to;
        v->changed++;
    }
    filter_free(all);
    return all && v->done < n;
}
