/*
 * debugger/trace/futures.h -- a trace in which time goes back.
 *
 * A debugger can take its guest back and change it, or load a saved state.  What was logged
 * then comes behind a CUT event that says where the new future begins (0: in a state that was
 * loaded, which no event of this trace leads to):
 *
 *     seq     1 ... 40 ... 90 | CUT back_to 40 ... 200 | CUT back_to 0 ... 230
 *     future  0               | 1                      | 2
 *
 * Futures are numbered from 0.  What led to the end of the trace is its *story*: in a trace
 * with the first CUT only, events 1 to 40 and the CUT with all behind it.
 *
 * Whoever adds up events or draws them along the time must choose: the story, or the futures
 * side by side.  A trace without a CUT has one future, and all of it is the story.
 */
#ifndef DEBUGGER_TRACE_FUTURES_H
#define DEBUGGER_TRACE_FUTURES_H

#include "base/types.h"

struct futures;
struct store;

/* Find the CUTs of s, which must not grow meanwhile.  NULL: no memory. */
struct futures *futures_find(struct store *s);
void futures_free(struct futures *f);           /* f may be NULL */

/* How many there are, at least 1. */
size_t futures_count(const struct futures *f);

/* In which of them event `seq` is. */
size_t futures_of(const struct futures *f, uint64_t seq);

/* The event that future i begins behind; 0: none, it begins the trace or was loaded. */
uint64_t futures_back_to(const struct futures *f, size_t i);

/* Its first event, which is its CUT; 0 for the future that the trace begins with. */
uint64_t futures_first(const struct futures *f, size_t i);

/* Does event `seq` belong to the story of how it ended? */
bool futures_in_story(const struct futures *f, uint64_t seq);

#endif
