/*
 * debugger/trace/drain.h -- takes events out of the ring for whoever wants them.
 *
 * The ring has one reader.  In the VMM's own process that is a drain: called
 * when the ring is full, and by hand, it passes the new events in order to
 * every sink (the trace file, the statistics, ...) and gives the room back.
 * A drain without sinks makes the ring a flight recorder: nothing is kept but
 * the last events, and nothing is ever lost for want of room.
 *
 * Sinks can work in a thread of their own, a batch of half the ring at a time,
 * while the VMM fills the other half.  If the ring is full, the VMM waits for
 * the batch the thread is at, or, if that has not come to it, does one itself:
 * nothing is lost, and what a sink sees does not depend on who was faster.
 * Room is given back when the sinks are done with it, so never more events
 * than the ring has are on their way.
 */
#ifndef DEBUGGER_TRACE_DRAIN_H
#define DEBUGGER_TRACE_DRAIN_H

#include <pthread.h>

#include "base/trace.h"

/* n events, oldest first; they are gone when the call returns. */
typedef void trace_sink_fn(void *arg, const struct trace_event *events, size_t n);

struct trace_drain {
    struct trace *trace;
    size_t        n_sinks;
    struct { trace_sink_fn *fn; void *arg; } sink[4];

    /* The thread, if there is one; `lock` is for what follows, and for sleeping. */
    bool            has_thread;
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    uint64_t        head;           /* events up to here may be taken */
    bool            is_running;     /* the thread has begun           */
    bool            busy;           /* somebody is at a batch         */
    bool            end;            /* no more will come */
};

/* Become the reader of t; d must outlive t or be detached first. */
void trace_drain_attach(struct trace_drain *d, struct trace *t);
void trace_drain_detach(struct trace_drain *d);         /* ends the thread, runs once more */
void trace_drain_add(struct trace_drain *d, trace_sink_fn *fn, void *arg);

/* From now on the sinks, all added, work in a thread, which runs when this returns. */
void trace_drain_start(struct trace_drain *d);

/* Pass on what is in the ring now.  From the VMM's thread, which then has the
 * sinks for itself until the next event. */
void trace_drain_run(struct trace_drain *d);

#endif
