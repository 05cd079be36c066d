/*
 * debugger/tui/rows.h -- the matching events around a place in a trace, found as
 * they are needed.
 *
 * With a filter nobody knows which event is a line of the list until it has been compared,
 * and comparing ten million takes seconds.  So only a stretch of consecutive matches is
 * kept, around what is on the screen, and grows at both ends as the user moves:
 *
 *     events    ... 41 42 43 44 45 46 47 48 49 50 51 52 53 54 ...
 *     matching         42       45    47          51    53
 *     kept                     [45    47          51]
 *                           up <-                   -> down
 *
 * Event 45 is at[lo] and 51 is at[hi - 1].  The next search upwards goes on at 44 (up), the
 * next one downwards at 52 (down).  What pane `stream` shows is made of this.
 */
#ifndef DEBUGGER_TUI_ROWS_H
#define DEBUGGER_TUI_ROWS_H

#include "debugger/trace/store.h"

#define ROWS_MAX 4096           /* several times the tallest terminal */

struct rows {
    uint64_t at[ROWS_MAX];      /* indices in the store, ascending; in use are [lo, hi) */
    size_t   lo, hi;
    uint64_t up, down;          /* indices where the search above and below goes on    */
    bool     top;               /* nothing above matches; `up` has no meaning          */
};

/* Begin anew with event `index` alone.  It is kept even if it does not match, for the
 * selected event is shown in any case. */
void rows_reset(struct rows *r, uint64_t index);

/* Look for one more match above or below, for about budget_ns.
 *     STORE_FOUND  it is now at[lo], or at[hi - 1]
 *     STORE_MORE   not yet found; the next call goes on
 *     STORE_NONE   there is none; below there may be one when the trace has grown
 * If the array is full on that side, half of the rows on the other side are forgotten. */
enum store_found rows_up(struct rows *r, struct store *s, const struct filter *f,
                         uint64_t budget_ns);
enum store_found rows_down(struct rows *r, struct store *s, const struct filter *f,
                           uint64_t budget_ns);

/* Where event `index` is in at[]; SIZE_MAX: it is not there. */
size_t rows_find(const struct rows *r, uint64_t index);

#endif
