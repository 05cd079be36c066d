/*
 * debugger/tui/why.c -- the pane that says because of what the selected event
 * happened, and what else came of the same exit.
 *
 * causes.c gathers the steps; here they are drawn, and moved through: the step above or
 * below becomes the selected event.  A small pane and a good one to begin with.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <curses.h>

#include "cpu/exit.h"
#include "debugger/symbols/symbols.h"
#include "debugger/tui/causes.h"
#include "debugger/tui/tui.h"

struct why {
    struct cause_tree causes;
    long top;                   /* first step shown                                */
    int  y;                     /* line in which it is, as last drawn: for clicks  */
};

/* The selected step is to be seen, with a few lines above it. */
static void why_follow(struct pane *p)
{
    struct why *w = p->state;
    cause_tree_make(p->tui, &w->causes);
    w->top = w->causes.selected > 6 ? w->causes.selected - 6 : 0;
}

/* What such an event is, in a sentence: for an exit by its reason, else by its kind. */
static const char *about(const struct trace_event *e)
{
    int i = e->kind == TRACE_EXIT && e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
    return i >= 0 ? exit_infos[i].about : e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].about : "";
}

/* A line: seq, indentation, kind and arguments, and behind them, from 6/10 of the width on,
 * a sentence about it.  is_cause: it is above the exit, as a "because". */
static void draw_step(struct tui *t, const struct area *a, int y, const struct cause_step *s,
                      bool selected, bool is_cause)
{
    char args[500];
    const struct trace_event *e = &s->e;
    enum role role = selected ? ROLE_CURSOR : tui_role_of(e);
    if (selected)
        draw_rest(a, y, 0, role);
    int x = draw_format(a, y, 1, selected ? role : ROLE_DIM, "%8" PRIu64 "  ", e->seq);
    x += 2 * (s->depth > 1 ? s->depth - 1 : 0);
    if (is_cause)
        x = draw_text(a, y, x, selected ? role : ROLE_DIM, "because ");
    else if (s->depth)
        x = draw_text(a, y, x, selected ? role : ROLE_DIM, glyph(GLYPH_LAST)) + 1;
    x = draw_format(a, y, x, role, "%s ",
                    e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?");
    x = draw_text(a, y, x, selected ? role : ROLE_TEXT, tui_event_args(t, e, args, sizeof args));
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
    char where[200], place[PLACE_MAX];
    symbols_format(t->o->symbols, trace_linear(e), where, sizeof where);
    draw_format(a, 0, 1, ROLE_STRONG, "event %" PRIu64 ": %s", e->seq, about(e));
    draw_format(a, 1, 1, ROLE_DIM,
                "at %" PRIu64 ".%09" PRIu64 " s, %" PRIu64 " instructions, %s %s%s%s",
                e->vtime_ns / 1000000000, e->vtime_ns % 1000000000, e->icount,
                trace_place_phrase(e, place, sizeof place),
                where[0] ? "<" : "", where, where[0] ? ">" : "");
    return 2;
}

/* From the top: the facts, if there is room; what is missing above; the steps; and whether
 * there are more than could be gathered. */
static void why_draw(struct pane *p, const struct area *a)
{
    struct why *w = p->state;
    const struct cause_tree *s = &w->causes;
    struct tui *t = p->tui;
    draw_clear(a);
    if (!t->has_event || a->h < 1)
        return;
    int y = a->h > 5 ? draw_facts(t, a) + (a->h > 12) : 0;
    if (s->rootless)
        draw_format(a, y++, 1, ROLE_DIM, "because of event %" PRIu64 ", which is not in this trace",
                    s->missing);
    if (s->older && a->h > 8)
        draw_format(a, y++, 1, ROLE_DIM, "%d older cause%s: Enter goes there one by one", s->older,
                    s->older == 1 ? "" : "s");
    int room = a->h - y - (s->cut ? 1 : 0);
    w->y = y;
    pane_scroll(&w->top, s->n, room);
    for (int i = 0; i < room && w->top + i < s->n; i++)
        draw_step(t, a, y + i, &s->step[w->top + i], w->top + i == s->selected,
                  w->top + i < s->first);
    if (s->cut && a->h > y)
        draw_text(a, a->h - 1, 1, ROLE_DIM, "and more: this is the beginning");
}

/* How many events came of the exit: the step that is the exit itself does not count, nor do
 * those above it. */
static void why_title(struct pane *p, char *buf, size_t n)
{
    const struct cause_tree *w = &((struct why *)p->state)->causes;
    int came = w->n - w->first - 1;
    if (w->n > w->first)
        snprintf(buf, n, "what came of %s %" PRIu64 ": %d event%s",
                 w->step[w->first].e.kind == TRACE_EXIT ? "exit" : "event",
                 w->step[w->first].e.seq, came, came == 1 ? "" : "s");
}

/* The step above or below becomes the selected event. */
static void move_step(struct tui *t, struct pane *p, int by)
{
    const struct cause_tree *w = &((struct why *)p->state)->causes;
    int to = w->selected + by;
    if (to < 0 || to >= w->n)
        return;
    tui_select(t, store_seek_seq(t->store, w->step[to].e.seq), false);
}

/* Where the first step was drawn is known from why_draw(): clicks come after it. */
static void why_click(struct pane *p, int y, int x)
{
    const struct why *w = p->state;
    long to = w->top + y - w->y;
    (void)x;
    if (y >= w->y && to < w->causes.n)
        tui_select(p->tui, store_seek_seq(p->tui->store, w->causes.step[to].e.seq), false);
}

/* These go through the steps, where the stream's keys j and k go through all events. */
static const struct key why_keys[] = {
    { 'j', KEY_DOWN, NULL, "the next event of this chain", move_step, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "the one before", move_step, -1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_why = {
    .name = "why", .about = "because of what it happened, and what else came of that",
    .state_bytes = sizeof(struct why), .keys = why_keys,
    .title = why_title, .draw = why_draw, .click = why_click, .follow_selection = why_follow,
};
