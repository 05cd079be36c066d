/*
 * debugger/report/story.h -- a trace told so that another compiler tells it the same.
 *
 * Phase by phase (the guest's MARKs), what the guest did that anybody outside
 * it could tell: what it wrote to which port, which exceptions and interrupts
 * its handlers took, when it halted and called.  No addresses, no times, no
 * counts of polling; nothing that an engine does for itself.  Two engines that
 * are equivalent tell the same story; tests compare it to the expected one.
 */
#ifndef DEBUGGER_REPORT_STORY_H
#define DEBUGGER_REPORT_STORY_H

#include <stdio.h>
#include "base/trace.h"

struct story;

struct story *story_new(FILE *out);                 /* NULL: out of memory */
void story_add(struct story *s, const struct trace_event *e);
void story_end(struct story *s);                    /* prints the last phase, frees */

#endif
