/*
 * debugger/tui_monitor.c -- the pane that shows the monitor at work: which of its
 * functions answered the exit, touched the device, emitted the event.
 *
 * An EXIT is answered by the function that the table in vm/exits.c names; a
 * device access by the device's own read or write; any other event was logged
 * by the line that emits its kind.  The trace does not say which line of a
 * function was at work, so for the first two the whole function is marked.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exit.h"
#include "debugger/source.h"
#include "debugger/tui.h"
#include "vm/exits.h"
#include "vm/pc.h"

struct monitor {
    struct source *source;
    bool   looked;                  /* for the debug information */
    struct source_place place;
    char   role[120];               /* what that function did */
    unsigned which, n_places;       /* of several places that emit such an event */
    long   top;                     /* lines scrolled away from the place */
};

/* Our functions have many types; for libdw an address is an address. */
typedef void any_fn(void);

static bool by_handler(struct monitor *m, const struct trace_event *e)
{
    exit_handler_fn *fn = vm_exit_handler((unsigned)e->arg[0]);
    snprintf(m->role, sizeof m->role, "answers exits for %s", exit_name((unsigned)e->arg[0]));
    return fn && source_of_function(m->source, (any_fn *)fn, &m->place);
}

static bool by_device(struct monitor *m, const struct trace_event *e)
{
    const struct device_ops *d = pc_port_device((uint16_t)e->arg[0]);
    bool in = e->kind == TRACE_IO_READ;
    if (!d)
        return false;
    snprintf(m->role, sizeof m->role, "%s of %s", in ? "a read" : "a write", d->name);
    return in ? source_of_function(m->source, (any_fn *)d->read, &m->place)
              : source_of_function(m->source, (any_fn *)d->write, &m->place);
}

static bool by_kind(struct monitor *m, const struct trace_event *e)
{
    struct source_place p;
    m->n_places = 0;
    while (e->kind < N_TRACE_KINDS && source_of_kind(m->source, e->kind, m->n_places, &p))
        m->n_places++;
    if (!m->n_places)
        return false;
    m->which %= m->n_places;
    source_of_kind(m->source, e->kind, m->which, &m->place);
    if (m->n_places > 1)
        snprintf(m->role, sizeof m->role, "one of %u places that log %s (b: the next)", m->n_places,
                 trace_kinds[e->kind].name);
    else
        snprintf(m->role, sizeof m->role, "logged this %s", trace_kinds[e->kind].name);
    return true;
}

static void find_place(struct monitor *m, const struct trace_event *e)
{
    m->place.line = 0;
    m->n_places = 1;
    m->top = 0;
    if (e->kind == TRACE_EXIT && by_handler(m, e))
        return;
    if ((e->kind == TRACE_IO_READ || e->kind == TRACE_IO_WRITE) && by_device(m, e))
        return;
    by_kind(m, e);
}

static void monitor_follow(struct pane *p)
{
    struct monitor *m = p->state;
    if (!m->looked)
        m->source = source_open();
    m->looked = true;
    m->which = 0;
    m->place.line = 0;
    if (p->tui->has_event)
        find_place(m, &p->tui->event);
}

static void monitor_close(struct pane *p)
{
    source_close(((struct monitor *)p->state)->source);
}

/* The place stands in the upper third; a function begins two lines above its brace. */
static void draw_source(struct monitor *m, const struct area *a, int y)
{
    int lines = a->h - y, first = m->place.line - lines / 4 + (int)m->top;
    if (first < 1)
        first = 1;
    m->top = first - (m->place.line - lines / 4);
    for (int i = 0; i < lines; i++) {
        const char *text = source_line(m->source, m->place.file, first + i);
        bool here = first + i == m->place.line;
        if (!text) {
            if (!i)
                draw_wrapped(a, y, ROLE_DIM, "its source is not readable here");
            return;
        }
        if (here)
            draw_rest(a, y + i, 0, ROLE_BESIDE);
        draw_format(a, y + i, 1, here ? ROLE_GUEST : ROLE_DIM, "%s%5d", here ? glyph(GLYPH_MARKER) : " ", first + i);
        bool comment = strstr(text, "/*") == text + strspn(text, " ") || strncmp(text + strspn(text, " "), "* ", 2) == 0;
        draw_text(a, y + i, 9, here ? ROLE_BESIDE : comment ? ROLE_DIM : ROLE_TEXT, text);
    }
}

static void monitor_draw(struct pane *p, const struct area *a)
{
    struct monitor *m = p->state;
    const struct trace_event *e = &p->tui->event;
    draw_clear(a);
    if (!p->tui->has_event || a->h < 1)
        return;
    if (!m->source) {
        draw_wrapped(a, 0, ROLE_DIM, "this program was built without debug information");
        return;
    }
    if (!m->place.line) {
        draw_wrapped(a, 0, ROLE_DIM, "no place is known that logs this event");
        return;
    }
    int x = draw_format(a, 0, 1, ROLE_STRONG, "%s()", m->place.function);
    x = draw_format(a, 0, x, ROLE_TEXT, " %s", m->role);
    draw_format(a, 0, x + 2, ROLE_DIM, "%s:%d  in layer %s", m->place.file, m->place.line,
                e->layer < N_LAYERS ? layer_names[e->layer] : "?");
    draw_source(m, a, 1);
}

static void monitor_title(struct pane *p, char *buf, size_t n)
{
    const struct monitor *m = p->state;
    if (m->place.line)
        snprintf(buf, n, "%s", m->place.file);
}

static void scroll_source(struct tui *t, struct pane *p, int by)
{
    (void)t;
    ((struct monitor *)p->state)->top += by;
}

static void next_place(struct tui *t, struct pane *p, int arg)
{
    struct monitor *m = p->state;
    (void)arg;
    m->which++;
    if (t->has_event)
        find_place(m, &t->event);
}

static const struct key monitor_keys[] = {
    { 'j', KEY_DOWN, NULL, "scroll down", scroll_source, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "scroll up", scroll_source, -1, ALWAYS },
    { 'b', 0, NULL, "another place that logs such events", next_place, 0, ALWAYS },
    { 0 }
};

const struct pane_ops pane_monitor = {
    .name = "monitor", .about = "the monitor's function that answered, and its source",
    .state_bytes = sizeof(struct monitor), .keys = monitor_keys, .close = monitor_close,
    .title = monitor_title, .draw = monitor_draw, .follow_selection = monitor_follow,
};
