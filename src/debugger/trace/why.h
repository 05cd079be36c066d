/*
 * debugger/trace/why.h -- the chain of causes of an event, in words.
 */
#ifndef DEBUGGER_TRACE_WHY_H
#define DEBUGGER_TRACE_WHY_H

#include <stdio.h>
#include "debugger/trace/text.h"

/* Gets the event with number `seq` from wherever the events are: 0, or -errno if it is
 * not there.  `arg` is what trace_why() was given. */
typedef int trace_find_fn(const void *arg, uint64_t seq, struct trace_event *e);

/* Print a line for `e` and one for each cause before it, up to one that answers no other
 * event, or whose cause `find` cannot get. */
void trace_why(const struct trace_text *x, const struct trace_event *e,
               trace_find_fn *find, const void *arg, FILE *out);

#endif
