/*
 * debugger/tui/rows.h -- the matching events around a place in a trace, found as
 * they are needed.
 *
 * Ten million events do not fit a screen, and with a filter nobody knows where
 * the next match is until it has been looked for.  So a stretch of consecutive
 * matches is kept and grows at both ends, a little at a time.
 */
#ifndef DEBUGGER_TUI_ROWS_H
#define DEBUGGER_TUI_ROWS_H

#include "debugger/trace/store.h"

#define ROWS_MAX 4096           /* several times the tallest terminal */

struct rows {
    uint64_t at[ROWS_MAX];      /* indices in the store; those in use are [lo, hi) */
    size_t   lo, hi;
    uint64_t up, down;          /* where the search above and below goes on */
    bool     top;               /* nothing is above                         */
};

/* Just event `index`, which need not match. */
void rows_reset(struct rows *r, uint64_t index);

/* One more above or below.  FOUND: it is at[lo], or at[hi - 1].  NONE below may
 * change when the trace grows. */
enum store_found rows_up(struct rows *r, struct store *s, const struct filter *f,
                         uint64_t budget_ns);
enum store_found rows_down(struct rows *r, struct store *s, const struct filter *f,
                           uint64_t budget_ns);

/* Where event `index` is in at[], or SIZE_MAX. */
size_t rows_find(const struct rows *r, uint64_t index);

#endif
