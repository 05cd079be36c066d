/*
 * debugger/tui_why.c -- the pane that says because of what the selected event
 * happened, and what else came of the same exit.
 *
 * First the chain of causes, oldest first, down to the exit (or timer) that the
 * event belongs to; then everything that came of that, as a tree in the order
 * of time: handler's work, device access, interrupt line, ..., RESUME.  An exit
 * that came of it (of an interrupt handler) is one line: it has its own story.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <curses.h>

#include "cpu/exit.h"
#include "debugger/symbols.h"
#include "debugger/tui.h"

#define MAX_STEPS  256          /* of one story */
#define MAX_CAUSES 4            /* above the exit; older ones are counted */
#define LOOK_AHEAD 4096         /* events behind the first that are looked at */

struct step { struct trace_event e; int depth; };

struct why {
    struct step step[MAX_STEPS + MAX_CAUSES];
    int      n, selected, first;    /* first: where the exit is; causes are before it */
    int      older;                 /* causes that are not shown */
    bool     cut, rootless;         /* rootless: the first cause is not in this trace */
    uint64_t missing;               /* its seq */
    long     top;
};

static int parent_of(const struct why *w, uint64_t seq)
{
    for (int i = w->n - 1; i >= w->first; i--)
        if (w->step[i].e.seq == seq)
            return i;
    return -1;
}

/* The event that e answers. */
static bool cause_of(struct tui *t, struct why *w, const struct trace_event *e, struct trace_event *cause)
{
    if (!e->cause_back || e->cause_back >= e->seq)
        return false;
    uint64_t seq = e->seq - e->cause_back;
    w->rootless = store_find_seq(t->store, seq, cause) != 0;
    w->missing = seq;
    return !w->rootless;
}

/* The exit that the selected event belongs to, or the last cause of all. */
static struct trace_event exit_of(struct tui *t, struct why *w)
{
    struct trace_event e = t->event;
    while (!tui_begins_story(&e) && cause_of(t, w, &e, &e))
        ;
    return e;
}

static void add_step(struct why *w, const struct trace_event *e, int depth)
{
    w->step[w->n++] = (struct step){ *e, depth };
}

/* What led to that exit: the nearest MAX_CAUSES, oldest first. */
static void add_causes(struct tui *t, struct why *w, const struct trace_event *first)
{
    struct trace_event above[MAX_CAUSES], e = *first;
    int n = 0;
    w->older = 0;
    while (w->older < 1000 && cause_of(t, w, &e, &e)) {
        if (n < MAX_CAUSES)
            above[n++] = e;
        else
            w->older++;
    }
    while (n > 0)
        add_step(w, &above[--n], 0);
    w->first = w->n;
}

/* What goes back to the exit: an event's cause comes before it. */
static void gather(struct tui *t, struct why *w, uint64_t from)
{
    for (uint64_t i = from; i < from + LOOK_AHEAD && i < tui_n_events(t); i++) {
        const struct trace_event *e = store_at(t->store, i);
        if (!e || !e->cause_back || e->cause_back >= e->seq)
            continue;
        int up = parent_of(w, e->seq - e->cause_back);
        if (up < 0 || (up > w->first && tui_begins_story(&w->step[up].e)))
            continue;
        if (w->n == MAX_STEPS) {
            w->cut = true;
            return;
        }
        add_step(w, e, w->step[up].depth + 1);
    }
}

static void why_follow(struct pane *p)
{
    struct why *w = p->state;
    struct tui *t = p->tui;
    w->n = w->selected = 0;
    w->cut = w->rootless = false;
    w->top = 0;
    if (!t->has_event)
        return;
    struct trace_event root = exit_of(t, w);
    add_causes(t, w, &root);
    add_step(w, &root, 0);
    gather(t, w, store_seek_seq(t->store, root.seq) + 1);
    for (int i = 0; i < w->n; i++)
        if (w->step[i].e.seq == t->event.seq)
            w->selected = i;
    w->top = w->selected > 6 ? w->selected - 6 : 0;
}

static const char *about(const struct trace_event *e)
{
    int i = e->kind == TRACE_EXIT && e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
    return i >= 0 ? exit_infos[i].about : e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].about : "";
}

static void draw_step(struct tui *t, const struct area *a, int y, const struct step *s, bool selected,
                      bool cause)
{
    char args[500];
    const struct trace_event *e = &s->e;
    enum role role = selected ? ROLE_CURSOR : tui_role_of(e);
    if (selected)
        draw_rest(a, y, 0, role);
    int x = draw_format(a, y, 1, selected ? role : ROLE_DIM, "%8" PRIu64 "  ", e->seq);
    x += 2 * (s->depth > 1 ? s->depth - 1 : 0);
    if (cause)
        x = draw_text(a, y, x, selected ? role : ROLE_DIM, "because ");
    else if (s->depth)
        x = draw_text(a, y, x, selected ? role : ROLE_DIM, glyph(GLYPH_LAST)) + 1;
    x = draw_format(a, y, x, role, "%s ", e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?");
    x = draw_text(a, y, x, selected ? role : ROLE_TEXT, trace_text_args(store_text(t->store), e, args, sizeof args));
    const char *port = t->o->port_name && (e->kind == TRACE_IO_READ || e->kind == TRACE_IO_WRITE)
                     ? t->o->port_name((uint16_t)e->arg[0]) : NULL;
    const char *text = port ? port : about(e);
    int left = a->w * 6 / 10;
    if (left < x + 2)
        left = x + 2;
    if (left + 12 < a->w)
        draw_text(a, y, left, selected ? role : ROLE_DIM, text);
}

/* Who, where, when: two lines about the selected event. */
static int draw_facts(struct tui *t, const struct area *a)
{
    const struct trace_event *e = &t->event;
    char where[200];
    symbols_format(t->o->symbols, e->rip, where, sizeof where);
    draw_format(a, 0, 1, ROLE_STRONG, "event %" PRIu64 ": %s", e->seq, about(e));
    draw_format(a, 1, 1, ROLE_DIM, "at %" PRIu64 ".%09" PRIu64 " s, %" PRIu64 " instructions, rip %#" PRIx64 " %s%s%s",
                e->vtime_ns / 1000000000, e->vtime_ns % 1000000000, e->icount, e->rip,
                where[0] ? "<" : "", where, where[0] ? ">" : "");
    return 2;
}

static void why_draw(struct pane *p, const struct area *a)
{
    struct why *w = p->state;
    struct tui *t = p->tui;
    draw_clear(a);
    if (!t->has_event || a->h < 1)
        return;
    int y = a->h > 5 ? draw_facts(t, a) + (a->h > 12) : 0;
    if (w->rootless)
        draw_format(a, y++, 1, ROLE_DIM, "because of event %" PRIu64 ", which is not in this trace", w->missing);
    if (w->older && a->h > 8)
        draw_format(a, y++, 1, ROLE_DIM, "%d older cause%s: Enter goes there one by one", w->older,
                    w->older == 1 ? "" : "s");
    int room = a->h - y - (w->cut ? 1 : 0);
    pane_scroll(&w->top, w->n, room);
    for (int i = 0; i < room && w->top + i < w->n; i++)
        draw_step(t, a, y + i, &w->step[w->top + i], w->top + i == w->selected,
                  w->top + i < w->first);
    if (w->cut && a->h > y)
        draw_text(a, a->h - 1, 1, ROLE_DIM, "and more: this is the beginning");
}

static void why_title(struct pane *p, char *buf, size_t n)
{
    const struct why *w = p->state;
    int came = w->n - w->first - 1;
    if (w->n > w->first)
        snprintf(buf, n, "what came of %s %" PRIu64 ": %d event%s",
                 w->step[w->first].e.kind == TRACE_EXIT ? "exit" : "event", w->step[w->first].e.seq, came,
                 came == 1 ? "" : "s");
}

/* The step above or below becomes the selected event. */
static void move_step(struct tui *t, struct pane *p, int by)
{
    struct why *w = p->state;
    int to = w->selected + by;
    if (to < 0 || to >= w->n)
        return;
    tui_select(t, store_seek_seq(t->store, w->step[to].e.seq), false);
}

static const struct key why_keys[] = {
    { 'j', KEY_DOWN, NULL, "the next event of this story", move_step, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "the one before", move_step, -1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_why = {
    .name = "why", .about = "because of what it happened, and what else came of that",
    .state_bytes = sizeof(struct why), .keys = why_keys,
    .title = why_title, .draw = why_draw, .follow_selection = why_follow,
};
