/*
 * debugger/tui/search.c -- where is the next event that reads like this?
 *
 * There are two sorts of search.  The user's (`/`) compares text: kind, arguments and
 * symbol, as the stream shows them, in upper or lower case.  The other one looks for the
 * nearest event that the filter shows, after the filter has changed or the trace has grown.
 * Both look only at events that pass the filter, go on for a few milliseconds at a time,
 * and select what they find.  At most one search is going on: a new one ends the old.
 *
 * The end of the trace is not the end of a search.  By text it goes on once from the other
 * end; for the filter it goes on in the other direction, from where the end was met.
 *
 * Not here: finding bytes in memory (memory.c), going to the next EXIT or MARK (key.c).
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/host.h"
#include "debugger/tui/tui.h"

#define AT_ONCE_NS 2000000      /* of looking before the loop goes on */

static void begin_search(struct tui *t, bool by_text, bool backward, uint64_t from)
{
    t->search = (struct search){ .active = true, .by_text = by_text, .backward = backward,
                                 .at = from, .looked_at = 0 };
    if (tui_n_events(t) == 0)
        t->search.active = false;
    t->dirty = true;
    search_work(t, AT_ONCE_NS);     /* most are found before the next key */
}

void search_text(struct tui *t, bool backward, uint64_t from)
{
    if (t->search_text[0])
        begin_search(t, true, backward, from);
}

void search_filter(struct tui *t, bool backward, uint64_t from)
{
    begin_search(t, false, backward, from);
}

void search_stop(struct tui *t) { t->search.active = false; }

/* Upper and lower case are the same, in ASCII. */
static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

/* Is event `index`, which has passed the filter, what we look for? */
static bool is_it(struct tui *t, uint64_t index)
{
    char text[600];
    const struct trace_event *e = store_at(t->store, index);
    return e && (!t->search.by_text ||
                 contains(tui_event_text(t, e, text, sizeof text), t->search_text));
}

/* One end of the trace is reached.  Go on as the head of this file says, but only once; the
 * second time there is nothing, and a message says so.  False: the search is over. */
static bool turn_around(struct tui *t)
{
    struct search *s = &t->search;
    if (!s->wrapped) {
        s->wrapped = true;
        if (s->by_text)
            s->at = s->backward ? tui_n_events(t) - 1 : 0;
        else
            s->backward = !s->backward;
        return true;
    }
    s->active = false;
    tui_say(t, ROLE_ERROR, s->by_text ? "nothing reads like \"%s\"" : "no event matches \"%s\"",
            s->by_text ? t->search_text : t->filter_text);
    return false;
}

static void select_found(struct tui *t)
{
    struct search *s = &t->search;
    s->active = false;
    if (s->wrapped && s->by_text)
        tui_say(t, ROLE_DIM, "went on from the %s", s->backward ? "end" : "beginning");
    tui_select(t, s->at, false);
}

/* The event just compared was not it: go on with its neighbour.  Adding UINT64_MAX is
 * subtracting 1.  False: there is no neighbour. */
static bool step_over(struct search *s)
{
    if (s->backward && s->at == 0)
        return false;
    s->at += s->backward ? UINT64_MAX : 1;
    return true;
}

bool search_work(struct tui *t, uint64_t budget_ns)
{
    struct search *s = &t->search;
    uint64_t end_ns = host_monotonic_ns() + budget_ns;
    while (s->active) {
        enum store_found f = s->backward ? store_prev(t->store, t->filter, &s->at, budget_ns)
                                         : store_next(t->store, t->filter, &s->at, budget_ns);
        s->looked_at++;
        if (f == STORE_FOUND && is_it(t, s->at))
            select_found(t);
        else if (f == STORE_NONE || (f == STORE_FOUND && !step_over(s)))
            turn_around(t);
        if (s->active && host_monotonic_ns() >= end_ns)
            return true;
    }
    return false;
}
