/*
 * debugger/tui_story.h -- the story of the selected event: the chain of causes, oldest
 * first, down to the exit (or timer) that it belongs to; then everything that
 * came of that, as a tree in the order of time: handler's work, device access,
 * interrupt line, ..., RESUME.  An exit that came of it (of an interrupt handler)
 * is one step: it has its own story.
 */
#ifndef DEBUGGER_TUI_STORY_H
#define DEBUGGER_TUI_STORY_H

#include "base/trace.h"

#define STORY_STEPS  256
#define STORY_CAUSES 4          /* above the exit; older ones are counted */

struct tui;
struct story_step { struct trace_event e; int depth; };

struct tui_story {
    struct story_step step[STORY_STEPS + STORY_CAUSES];
    int      n, selected, first;    /* first: where the exit is; causes are before it */
    int      older;                 /* causes that are not shown */
    bool     cut, rootless;         /* rootless: the first cause is not in this trace */
    uint64_t missing;               /* its seq */
};

void tui_story_tell(struct tui *t, struct tui_story *s);

#endif
