/*
 * debugger/report/story.h -- a trace retold so that two equivalent runs give the same text.
 *
 * A test compares the story of a guest with the expected one ("golden") that is kept beside
 * it.  So only those things are told that do not change with the compiler, the engine or the
 * speed of the machine: phase by phase (the guest's MARKs), what the guest did that anybody
 * outside of it could see.  What it wrote to which port, which exceptions and interrupts its
 * handlers took, when it halted, when it called the monitor.  Not told are addresses, times,
 * how often it read while it waited, and all that an engine does for itself.
 *
 *     MARK 1
 *       writes port 0xe9, 22 times, values 6f00bbc1
 *       takes vector 0xe, 10002 times
 *
 * (The chain of causes of a single event, which the TUI shows, is something else: causes.)
 */
#ifndef DEBUGGER_REPORT_STORY_H
#define DEBUGGER_REPORT_STORY_H

#include <stdio.h>
#include "base/trace.h"

struct story;

/* A story that is printed to `out`, which stays the caller's.  NULL: no memory. */
struct story *story_new(FILE *out);

/* The next event of the run.  At a MARK the phase before it is printed. */
void story_add(struct story *s, const struct trace_event *e);

/* Print the last phase and free the story. s may be NULL. */
void story_end(struct story *s);

#endif
