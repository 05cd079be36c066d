/*
 * debugger/trace_drain.h -- takes events out of the ring for whoever wants them.
 *
 * The ring has one reader.  In the VMM's own process that is a drain: called
 * when the ring is full, and by hand, it passes the new events in order to
 * every sink (the trace file, the statistics, ...) and gives the room back.
 * A drain without sinks makes the ring a flight recorder: nothing is kept but
 * the last events, and nothing is ever lost for want of room.
 */
#ifndef DEBUGGER_TRACE_DRAIN_H
#define DEBUGGER_TRACE_DRAIN_H

#include "base/trace.h"

/* n events, oldest first; they are gone when the call returns. */
typedef void trace_sink_fn(void *arg, const struct trace_event *events, size_t n);

struct trace_drain {
    struct trace *trace;
    size_t        n_sinks;
    struct { trace_sink_fn *fn; void *arg; } sink[4];
};

/* Become the reader of t; d must outlive t or be detached first. */
void trace_drain_attach(struct trace_drain *d, struct trace *t);
void trace_drain_detach(struct trace_drain *d);         /* runs once more */
void trace_drain_add(struct trace_drain *d, trace_sink_fn *fn, void *arg);

/* Pass on what is in the ring now. */
void trace_drain_run(struct trace_drain *d);

#endif
