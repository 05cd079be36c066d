/*
 * debugger/trace/ring.h -- a ring that outlives its writer.
 *
 * The ring of a run that is recorded in FILE lies in a file too, FILE.ring, as
 * long as the run lasts.  What is written to mapped memory is the kernel's at
 * once: kill -9 takes nothing back.  So a reader of a FILE that nobody has closed
 * finds the events that are in no block yet in FILE.ring: of a run that was killed,
 * and of one that is going on and has not filled a block for long.
 *
 * That needs no help from whoever is killed, if the room of an event is given back
 * only when its block is written: drains pass on whole blocks.
 */
#ifndef DEBUGGER_TRACE_RING_H
#define DEBUGGER_TRACE_RING_H

#include "base/trace.h"

/* For a run that will be recorded at `path`; in memory only if it cannot be beside
 * that (a pipe, a directory that is not ours).  NULL and errno. */
struct trace *trace_ring_new(const char *path, size_t n_events);

/* The run has closed its file: nothing is in the ring that is not there. */
void trace_ring_remove(const char *path);

/* The same for a run that will have no right to remove a file: a process of its own waits outside
 * of the sandbox.  keeper: start it; a descriptor, or -1 and errno.  release: it removes the
 * ring now, and returns when that is done.  If the run is killed the ring stays. */
int  trace_ring_keeper(const char *path);
void trace_ring_release(int keeper);

/* The ring beside `path`, to look into; -1: there is none. */
int trace_ring_open(const char *path);

/* What is in it, as of now: a copy, to be freed; NULL if it is no ring, or there is no memory. */
struct trace_ring *trace_ring_copy(int fd);

/* Event `seq` of a copy, if the ring still had it. */
const struct trace_event *trace_ring_event(const struct trace_ring *copy, uint64_t seq);

#endif
