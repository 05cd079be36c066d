/*
 * debugger/tui/causes.h -- why the selected event happened, and what else came of the
 * same exit: a list of steps for the panes `why` and `monitor`.
 *
 * Every event names the event that caused it (cause_back in base/trace.h).  Following that
 * from the selected event leads to the exit, or timer, that it belongs to.  The list has
 * that in the middle, what led to it above, and all that came of it below, in order of
 * time and indented like a tree:
 *
 *     because INJECT vector 0x20     an older cause; the exit happened in its handler
 *     EXIT IO port 0x40              step[first]: the exit that all below belongs to
 *       IO_WRITE port 0x40           depth 1: caused by the exit
 *         TIMER ...                  depth 2: caused by the IO_WRITE
 *       RESUME                       the exit is answered
 *
 * An exit or a timer that came of this one is a step too, but what came of *that* is not
 * shown: it has a list of its own, when it is selected.
 */
#ifndef DEBUGGER_TUI_CAUSES_H
#define DEBUGGER_TUI_CAUSES_H

#include "base/trace.h"

#define CAUSE_STEPS  256        /* of the tree, at most; then it is cut */
#define CAUSE_ANCESTORS 4       /* causes above the exit; older ones are only counted */

struct tui;

/* An event, and how many causes lie between it and step[first] (0: none, or it is above). */
struct cause_step { struct trace_event e; int depth; };

struct cause_tree {
    struct cause_step step[CAUSE_STEPS + CAUSE_ANCESTORS];
    int      n;                     /* of them                                       */
    int      selected;              /* which step is the selected event              */
    int      first;                 /* which step is the exit; older causes are before it */
    int      older;                 /* causes still older, which are not in the list */
    bool     cut;                   /* more came of it than there is room for        */
    bool     rootless;              /* the oldest cause is not in this trace, ...    */
    uint64_t missing;               /* ... an event with this seq                    */
};

/* Fill *s for t's selected event; with no steps if there is none. */
void cause_tree_make(struct tui *t, struct cause_tree *s);

#endif
