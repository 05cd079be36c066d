/*
 * debugger/tui/causes.h -- the selected event's chain of causes, oldest
 * first, down to the exit (or timer) that it belongs to; then everything that
 * came of that, as a tree in the order of time: handler's work, device access,
 * interrupt line, ..., RESUME.  An exit that came of it (of an interrupt handler)
 * is one step: it has its own causes.
 */
#ifndef DEBUGGER_TUI_CAUSES_H
#define DEBUGGER_TUI_CAUSES_H

#include "base/trace.h"

#define CAUSE_STEPS  256
#define CAUSE_ANCESTORS 4          /* above the exit; older ones are counted */

struct tui;
struct cause_step { struct trace_event e; int depth; };

struct cause_tree {
    struct cause_step step[CAUSE_STEPS + CAUSE_ANCESTORS];
    int      n, selected, first;    /* first: where the exit is; causes are before it */
    int      older;                 /* causes that are not shown */
    bool     cut, rootless;         /* rootless: the first cause is not in this trace */
    uint64_t missing;               /* its seq */
};

void cause_tree_make(struct tui *t, struct cause_tree *s);

#endif
