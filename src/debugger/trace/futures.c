/*
 * debugger/trace/futures.c -- a list of CUTs in the order of their numbers, searched by halves.
 *
 * A damaged or invented trace may hold any numbers: a CUT that would go back to what comes
 * behind it is taken as the beginning of a loaded state.
 */
#include "debugger/trace/futures.h"

#include <stdlib.h>

#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

struct future {
    uint64_t first_seq;     /* its CUT; of the first one 0                           */
    uint64_t back_to;       /* the event it begins behind; 0: none                   */
    uint64_t story_to;      /* its last event that belongs to the story; 0: none does */
};

struct futures {
    struct future *future;  /* by first_seq */
    size_t         n, room;
    bool           failed;  /* no memory    */
};

/* Append a future; false: no memory. */
static bool add(struct futures *f, uint64_t first_seq, uint64_t back_to)
{
    if (f->n == f->room) {
        size_t room = f->room ? 2 * f->room : 16;
        struct future *more = reallocarray(f->future, room, sizeof *more);
        if (!more)
            return false;
        f->future = more;
        f->room = room;
    }
    f->future[f->n++] = (struct future){ first_seq, back_to < first_seq ? back_to : 0, 0 };
    return true;
}

static bool add_cut(void *arg, uint64_t index, const struct trace_event *e)
{
    struct futures *f = arg;
    (void)index;
    f->failed = !add(f, e->seq, e->arg[0]);
    return !f->failed;
}

/* From the last future to the one it branched off from, and so on.  Each is an earlier one
 * than the last, so this ends. */
static void mark_story(struct futures *f)
{
    for (uint64_t to = UINT64_MAX; to; ) {
        struct future *here = &f->future[futures_of(f, to)];
        here->story_to = to;
        to = here->back_to;
    }
}

struct futures *futures_find(struct store *s)
{
    struct filter_error err;
    struct futures *f = calloc(1, sizeof *f);
    struct filter *cuts = filter_compile("CUT", NULL, &err);
    bool ok = f && cuts && add(f, 0, 0);
    if (ok) {
        store_each(s, cuts, 0, UINT64_MAX, add_cut, f);
        ok = !f->failed;
    }
    filter_free(cuts);
    if (!ok) {
        futures_free(f);
        return NULL;
    }
    mark_story(f);
    return f;
}

void futures_free(struct futures *f)
{
    if (f)
        free(f->future);
    free(f);
}

size_t futures_count(const struct futures *f) { return f->n; }

/* The last one that does not begin behind seq. */
size_t futures_of(const struct futures *f, uint64_t seq)
{
    size_t lo = 0, hi = f->n;
    while (hi - lo > 1) {
        size_t middle = lo + (hi - lo) / 2;
        if (f->future[middle].first_seq <= seq)
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

uint64_t futures_back_to(const struct futures *f, size_t i)
{
    return i < f->n ? f->future[i].back_to : 0;
}

uint64_t futures_first(const struct futures *f, size_t i)
{
    return i < f->n ? f->future[i].first_seq : 0;
}

bool futures_in_story(const struct futures *f, uint64_t seq)
{
    return seq <= f->future[futures_of(f, seq)].story_to;
}
