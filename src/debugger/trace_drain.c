/*
 * debugger/trace_drain.c -- from the ring to the sinks, in at most two pieces
 * (the ring may wrap), without copying.
 */
#include "debugger/trace_drain.h"

#include "base/host.h"

static void pass_on(struct trace_drain *d, const struct trace_event *events, size_t n)
{
    for (size_t i = 0; n && i < d->n_sinks; i++)
        d->sink[i].fn(d->sink[i].arg, events, n);
}

void trace_drain_run(struct trace_drain *d)
{
    struct trace_ring *r = d->trace->ring;
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
    uint64_t n = head - r->tail, first = (r->tail + 1) & (r->size - 1);
    uint64_t until_wrap = r->size - first;
    uint64_t n_first = n < until_wrap ? n : until_wrap;

    pass_on(d, r->event + first, n_first);
    pass_on(d, r->event, n - n_first);
    __atomic_store_n(&r->tail, head, __ATOMIC_RELEASE);
}

static void drain_hook(void *arg)
{
    trace_drain_run(arg);
}

void trace_drain_attach(struct trace_drain *d, struct trace *t)
{
    bug_if(t->drain, "two readers for one trace ring");
    *d = (struct trace_drain){ .trace = t };
    t->drain = drain_hook;
    t->drain_arg = d;
}

void trace_drain_detach(struct trace_drain *d)
{
    trace_drain_run(d);
    d->trace->drain = NULL;
    d->trace->drain_arg = NULL;
}

void trace_drain_add(struct trace_drain *d, trace_sink_fn *fn, void *arg)
{
    bug_if(d->n_sinks == NELEM(d->sink), "more than %zu sinks", NELEM(d->sink));
    d->sink[d->n_sinks].fn = fn;
    d->sink[d->n_sinks].arg = arg;
    d->n_sinks++;
}
