/*
 * debugger/tui/causes.c -- the causes of an event up to the exit it belongs to, and what
 * came of that.  The list that is made is drawn in causes.h.
 */
#include "debugger/tui/causes.h"

#include "debugger/tui/tui.h"

#define LOOK_AHEAD 4096         /* events behind the exit that are looked at for consequences */

/* Which step, from the exit on, is the event with this seq?  -1: none. */
static int parent_of(const struct cause_tree *w, uint64_t seq)
{
    for (int i = w->n - 1; i >= w->first; i--)
        if (w->step[i].e.seq == seq)
            return i;
    return -1;
}

/* The event that caused e, copied to *cause (which may be e itself).  False: e has no cause,
 * or it is not in this trace, which w->rootless and w->missing tell. */
static bool cause_of(struct tui *t, struct cause_tree *w, const struct trace_event *e,
                     struct trace_event *cause)
{
    if (!e->cause_back || e->cause_back >= e->seq)
        return false;
    uint64_t seq = e->seq - e->cause_back;
    w->rootless = store_find_seq(t->store, seq, cause) != 0;
    w->missing = seq;
    return !w->rootless;
}

/* Up the chain of causes from the selected event: the first that is an exit or a timer,
 * else the oldest cause there is. */
static struct trace_event exit_of(struct tui *t, struct cause_tree *w)
{
    struct trace_event e = t->event;
    while (!tui_begins_chain(&e) && cause_of(t, w, &e, &e))
        ;
    return e;
}

static void add_step(struct cause_tree *w, const struct trace_event *e, int depth)
{
    w->step[w->n++] = (struct cause_step){ *e, depth };
}

/* What led to that exit: the nearest CAUSE_ANCESTORS of its causes, the oldest first.
 * Those beyond are counted, up to a thousand: a guest that does nothing but take interrupts
 * has a chain as long as its trace. */
static void add_causes(struct tui *t, struct cause_tree *w, const struct trace_event *first)
{
    struct trace_event above[CAUSE_ANCESTORS], e = *first;
    int n = 0;
    while (w->older < 1000 && cause_of(t, w, &e, &e)) {
        if (n < CAUSE_ANCESTORS)
            above[n++] = e;
        else
            w->older++;
    }
    while (n > 0)
        add_step(w, &above[--n], 0);
    w->first = w->n;
}

/* All that came of the exit, from index `from` on, in order of time.  One pass is enough,
 * for an event comes behind its cause: when it is met, its cause is a step already or will
 * never be one.  An exit or timer is taken as a step, but what came of it is not. */
static void gather(struct tui *t, struct cause_tree *w, uint64_t from)
{
    for (uint64_t i = from; i < from + LOOK_AHEAD && i < tui_n_events(t); i++) {
        const struct trace_event *e = store_at(t->store, i);
        if (!e || !e->cause_back || e->cause_back >= e->seq)
            continue;
        int up = parent_of(w, e->seq - e->cause_back);
        if (up < 0 || (up > w->first && tui_begins_chain(&w->step[up].e)))
            continue;
        if (w->n == CAUSE_STEPS) {
            w->cut = true;
            return;
        }
        add_step(w, e, w->step[up].depth + 1);
    }
}

void cause_tree_make(struct tui *t, struct cause_tree *w)
{
    w->n = w->selected = w->first = w->older = 0;
    w->cut = w->rootless = false;
    if (!t->has_event)
        return;
    struct trace_event root = exit_of(t, w);
    add_causes(t, w, &root);
    add_step(w, &root, 0);
    gather(t, w, store_seek_seq(t->store, root.seq) + 1);
    for (int i = 0; i < w->n; i++)
        if (w->step[i].e.seq == t->event.seq)
            w->selected = i;
}
