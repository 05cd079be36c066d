/*
 * debugger/tui/rows.c -- a stretch of matches that grows at both ends.
 *
 * The stretch begins in the middle of an array.  When it has grown to one end of the
 * array, the half that is nearer to that end is moved to the other, and the rest is
 * forgotten: the user moves on there, and what is forgotten can be found again.
 */
#include "debugger/tui/rows.h"

#include <string.h>

void rows_reset(struct rows *r, uint64_t index)
{
    r->lo = ROWS_MAX / 2;
    r->hi = r->lo + 1;
    r->at[r->lo] = index;
    r->top = index == 0;
    r->up = index - 1;          /* wraps around for event 0: then `top` says not to use it */
    r->down = index + 1;
}

/* The array is full at its end: keep the later half of the rows, moved to the beginning.
 * The earlier ones are forgotten, so the search upwards goes on right above the first row
 * kept. */
static void make_room_below(struct rows *r)
{
    size_t keep = ROWS_MAX / 2;
    memmove(r->at, r->at + ROWS_MAX - keep, keep * sizeof r->at[0]);
    r->lo = 0;
    r->hi = keep;
    r->top = r->at[0] == 0;
    r->up = r->at[0] - 1;
}

/* The array is full at its beginning: keep the earlier half, moved to the end. */
static void make_room_above(struct rows *r)
{
    size_t keep = ROWS_MAX / 2;
    memmove(r->at + ROWS_MAX - keep, r->at, keep * sizeof r->at[0]);
    r->lo = ROWS_MAX - keep;
    r->hi = ROWS_MAX;
    r->down = r->at[r->hi - 1] + 1;
}

/* store_prev() and store_next() leave in *at where to go on if they found nothing in time,
 * and the match itself if they did.  So after a match `up` is moved one event further.  At
 * event 0 there is no event further up; r->top then says so, as an index below 0 cannot. */
enum store_found rows_up(struct rows *r, struct store *s, const struct filter *f,
                         uint64_t budget_ns)
{
    if (r->top)
        return STORE_NONE;
    enum store_found found = store_prev(s, f, &r->up, budget_ns);
    if (found == STORE_NONE)
        r->top = true;
    if (found != STORE_FOUND)
        return found;
    if (r->lo == 0)
        make_room_above(r);
    r->at[--r->lo] = r->up;
    r->top = r->up == 0;
    r->up--;
    return found;
}

enum store_found rows_down(struct rows *r, struct store *s, const struct filter *f,
                           uint64_t budget_ns)
{
    enum store_found found = store_next(s, f, &r->down, budget_ns);
    if (found != STORE_FOUND)
        return found;
    if (r->hi == ROWS_MAX)
        make_room_below(r);
    r->at[r->hi++] = r->down++;
    return found;
}

/* at[lo .. hi) is in ascending order: halve the stretch until one place is left. */
size_t rows_find(const struct rows *r, uint64_t index)
{
    size_t lo = r->lo, hi = r->hi;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->at[mid] < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->hi && r->at[lo] == index ? lo : SIZE_MAX;
}
