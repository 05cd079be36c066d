/*
 * debugger/tui/breaks.c -- the pane that lists breakpoints and watchpoints: where, how
 * often, under which condition; switched on and off and deleted here.
 *
 *       nr     hits  stops at
 *     *  1        2  0x100040 main if eax == 3
 *        2        0  4 bytes at 0x7000 changed          no sign: it is switched off
 *
 * Breakpoints live in the VMM's process, set by the keys here or by the console.
 * live_breaks() has a copy of the list, made anew when it may have changed; this pane keeps
 * nothing but which row is selected.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>

#include "debugger/link/link.h"
#include "debugger/symbols/symbols.h"
#include "debugger/tui/tui.h"

/* Rows, from 0: the selected one, and the first one shown. */
struct breaks { long selected, top; };

/* The breakpoint in row i; NULL: there are not so many. */
static const struct link_break *break_in_row(struct tui *t, long i)
{
    size_t n = 0;
    const struct link_break *b = t->link ? live_breaks(t, &n) : NULL;
    return i >= 0 && (size_t)i < n ? &b[i] : NULL;
}

static long count_breaks(struct tui *t)
{
    size_t n = 0;
    if (t->link)
        live_breaks(t, &n);
    return (long)n;
}

/* What an access must be to stop: BREAK_CHANGE is a write that leaves another value. */
static const char *access_name(unsigned access)
{
    return access & BREAK_CHANGE                    ? "changed"
           : access == (BREAK_READ | BREAK_WRITE) ? "read or written"
           : access & BREAK_READ                  ? "read"
                                                  : "written";
}

/* Where it stops: an event, a place in the code, or bytes in memory and how they are
 * accessed. */
static const char *describe(const struct tui *t, const struct link_break *b, char *buf, size_t n)
{
    char name[100];
    symbols_format(t->o->symbols, b->at, name, sizeof name);
    if (b->kind == BREAK_EVENT)
        snprintf(buf, n, "event %s", b->event);
    else if (b->kind == BREAK_CODE)
        snprintf(buf, n, "%#" PRIx64 " %s", b->at, name);
    else
        snprintf(buf, n, "%" PRIu64 " bytes at %#" PRIx64 " %s %s", b->len, b->at, name,
                 access_name(b->access));
    return buf;
}

/* Number, hits, where, and what else holds of it.  Switched off, it is dim and has no sign. */
static void draw_row(struct tui *t, const struct area *a, int y, const struct link_break *b,
                     bool selected)
{
    char what[400];
    enum role role = selected ? ROLE_CURSOR : b->enabled ? ROLE_TEXT : ROLE_DIM;
    draw_rest(a, y, 0, role);
    if (b->enabled)
        draw_text(a, y, 1, selected ? role : ROLE_BAD, glyph(GLYPH_BREAK));
    int x = draw_format(a, y, 3, role, "%4u %8" PRIu64 "  ", b->nr, b->hits);
    x = draw_text(a, y, x, role, describe(t, b, what, sizeof what));
    if (b->condition[0])
        x = draw_format(a, y, x, role, " if %s", b->condition);
    if (b->temporary)
        x = draw_text(a, y, x, role, " (once)");
    if (b->ignore)
        draw_format(a, y, x, role, " (the next %" PRIu64 " pass)", b->ignore);
}

/* Breakpoints may have gone since the row was selected, so it is put into bounds here. */
static void breaks_draw(struct pane *p, const struct area *a)
{
    struct breaks *s = p->state;
    long n = count_breaks(p->tui);
    draw_clear(a);
    if (a->h < 1)
        return;
    if (!n) {
        draw_wrapped(a, 0, ROLE_DIM,
                     p->tui->link
                     ? "No breakpoints. b sets one: main, port 0x3f8, exit hlt, main if eax == 3; "
                       ":watch ADDRESS stops when memory changes."
                     : "This is a recording: nothing runs, so nothing stops.");
        return;
    }
    s->selected = s->selected < 0 ? 0 : s->selected >= n ? n - 1 : s->selected;
    if (s->selected < s->top)
        s->top = s->selected;
    else if (s->selected >= s->top + a->h - 1)
        s->top = s->selected - a->h + 2;
    draw_rest(a, 0, 0, ROLE_HEAD);
    draw_format(a, 0, 3, ROLE_HEAD, "%4s %8s  %s", "nr", "hits", "stops at");
    for (int i = 0; i + 1 < a->h && s->top + i < n; i++)
        draw_row(p->tui, a, i + 1, break_in_row(p->tui, s->top + i), s->top + i == s->selected);
}

static void breaks_title(struct pane *p, char *buf, size_t n)
{
    snprintf(buf, n, "%ld", count_breaks(p->tui));
}

static void select_row(struct tui *t, struct pane *p, int by)
{
    (void)t;
    ((struct breaks *)p->state)->selected += by;
}

/* Line 0 is the heading. */
static void breaks_click(struct pane *p, int y, int x)
{
    struct breaks *s = p->state;
    (void)x;
    if (y > 0)
        s->selected = s->top + y - 1;
}

/* The list is asked for anew even if that failed: the breakpoint may be gone already. */
static void delete_it(struct tui *t, struct pane *p, int arg)
{
    const struct link_break *b = break_in_row(t, ((struct breaks *)p->state)->selected);
    (void)arg;
    if (b)
        link_break_delete(t->link, b->nr);
    live_breaks_changed(t);
}

/* A change is made of a copy: the list itself is made anew from what the VMM says. */
static void switch_it(struct tui *t, struct pane *p, int arg)
{
    const struct link_break *b = break_in_row(t, ((struct breaks *)p->state)->selected);
    char why[200];
    (void)arg;
    if (!b)
        return;
    struct link_break other = *b;
    other.enabled = !other.enabled;
    if (link_break_change(t->link, &other, why, sizeof why) < 0)
        tui_say(t, ROLE_ERROR, "%s", why);
    live_breaks_changed(t);
}

/* What is typed goes to live_break(), when Enter is pressed. */
static void ask_place(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    prompt_open(t, PROMPT_BREAK);
}

static const struct key breaks_keys[] = {
    { 'j', KEY_DOWN, NULL, "the next one", select_row, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "the one before", select_row, -1, ALWAYS },
    { 'b', KEY_IC, NULL,
      "a new one: main, port 0x3f8, exit hlt, main if eax == 3, or events as in a filter",
      ask_place, 0, LIVE },
    { 'd', KEY_DC, NULL, "delete it", delete_it, 0, LIVE },
    { ' ', 0, NULL, "switch it off, and on again", switch_it, 0, LIVE },
    { 0 }
};

const struct pane_ops pane_breaks = {
    .name = "breaks", .about = "breakpoints and watchpoints",
    .state_bytes = sizeof(struct breaks), .keys = breaks_keys,
    .title = breaks_title, .draw = breaks_draw, .click = breaks_click,
};
