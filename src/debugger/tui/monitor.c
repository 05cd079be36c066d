/*
 * debugger/tui/monitor.c -- the pane that shows the monitor at work: which of its
 * functions answered the exit, the steps it took for that (each touched a device,
 * repaired a table, logged an event), and the source of the selected one.
 *
 * A trace says what happened, not which line of the program did it.  But this program has
 * the tables and the debug information to find that out:
 *
 *     EXIT, RESUME          the handler of that reason, in the table in vm/exits.c
 *     IO_READ, IO_WRITE     the read() or write() of the device at that port
 *     any other event       the line that emits events of its kind, by the debug information;
 *                           if there are several, `b` goes through them
 *
 * In the first two cases only the function is known, so its first line is marked; in the
 * third it is the very line.
 *
 * Live, the monitor can also be stopped in a handler and stepped (step_monitor.c).  Then the pane
 * shows where it stands now, with its variables, whatever event is selected.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exit.h"
#include "debugger/symbols/line_table.h"
#include "debugger/tui/causes.h"
#include "debugger/tui/tui.h"
#include "vm/exits.h"
#include "vm/pc.h"

/* Where the monitor was at work for an event, and what it did there. */
struct place { struct source_place at; char role[120]; };

struct monitor {
    struct source *source;          /* this program's own; NULL: no debug information       */
    bool   looked;                  /* for that                                             */
    struct cause_tree causes;       /* of the selected event: the steps                     */
    struct place place;             /* of the selected event; line 0: not known             */
    unsigned which, n_places;       /* which of several places that emit such an event      */
    long   top;                     /* lines scrolled away from the place                   */
    uint64_t moves;                 /* live.monitor_moves when it was drawn: if that is another
                                       number the monitor has moved, and scrolling ends     */
};

/* Our functions have many types; for libdw an address is an address. */
typedef void any_fn(void);

/* The function that answers exits for this reason; e is an EXIT.  These three give false, or
 * 0, if the place is not known. */
static bool by_handler(struct monitor *m, const struct trace_event *e, struct place *p)
{
    exit_handler_fn *fn = vm_exit_handler((unsigned)e->arg[0]);
    snprintf(p->role, sizeof p->role, "answers exits for %s", exit_name((unsigned)e->arg[0]));
    return fn && source_of_function(m->source, (any_fn *)fn, &p->at);
}

/* The device at the port that e, an IO_READ or IO_WRITE, was about. */
static bool by_device(struct monitor *m, const struct trace_event *e, struct place *p)
{
    const struct device_ops *d = pc_port_device((uint16_t)e->arg[0]);
    bool in = e->kind == TRACE_IO_READ;
    if (!d)
        return false;
    snprintf(p->role, sizeof p->role, "%s of %s", in ? "a read" : "a write", d->name);
    return source_of_function(m->source, in ? (any_fn *)d->read : (any_fn *)d->write, &p->at);
}

/* The which-th of the places that log such events; how many there are. */
static unsigned by_kind(struct monitor *m, const struct trace_event *e, unsigned which,
                        struct place *p)
{
    unsigned n = 0;
    struct source_place at;
    while (source_of_event(m->source, e, n, &at))
        n++;
    if (!n)
        return 0;
    source_of_event(m->source, e, which % n, &p->at);
    if (n > 1)
        snprintf(p->role, sizeof p->role, "one of %u places that log %s (b: the next)", n,
                 trace_kinds[e->kind].name);
    else
        snprintf(p->role, sizeof p->role, "logged this %s", trace_kinds[e->kind].name);
    return n;
}

/* Where the monitor was at work for e, and what it did; p->at.line stays 0 if that is not
 * known.  Returns how many places it could be, of which p is the which-th. */
static unsigned find_place(struct monitor *m, const struct trace_event *e, unsigned which,
                           struct place *p)
{
    const struct trace_event *root = m->causes.n ? &m->causes.step[m->causes.first].e : NULL;
    p->at.line = 0;
    if (e->kind == TRACE_EXIT && by_handler(m, e, p))
        return 1;
    if (e->kind == TRACE_RESUME && root && root->kind == TRACE_EXIT &&
        root->seq == e->seq - e->cause_back && by_handler(m, root, p))
        return 1;
    if ((e->kind == TRACE_IO_READ || e->kind == TRACE_IO_WRITE) && by_device(m, e, p))
        return 1;
    return by_kind(m, e, which, p);
}

/* Reading the debug information takes a while, so it is done when the pane is first shown. */
static void monitor_follow(struct pane *p)
{
    struct monitor *m = p->state;
    if (!m->looked)
        m->source = source_open();
    m->looked = true;
    m->which = 0;
    m->top = 0;
    m->place.at.line = 0;
    cause_tree_make(p->tui, &m->causes);
    if (p->tui->has_event)
        m->n_places = find_place(m, &p->tui->event, 0, &m->place);
}

static void monitor_close(struct pane *p)
{
    source_close(((struct monitor *)p->state)->source);
}

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The steps of this exit with the functions that made them, in `rows` lines around the
 * selected one.  Causes above the exit are not shown here.  Returns the line below. */
static int draw_steps(struct monitor *m, const struct area *a, int y, int rows)
{
    const struct cause_tree *s = &m->causes;
    int n = s->n - s->first, at = s->selected - s->first,
        from = at > rows - 2 ? at - (rows - 2) : 0;
    if (from + rows > n)
        from = n > rows ? n - rows : 0;
    for (int i = from; i < n && i < from + rows; i++, y++) {
        const struct cause_step *step = &s->step[s->first + i];
        struct place p = { 0 };
        bool here = i == at;
        find_place(m, &step->e, 0, &p);
        if (here)
            draw_rest(a, y, 0, ROLE_CURSOR);
        int x = draw_format(a, y, 1, here ? ROLE_CURSOR : ROLE_DIM, "%8" PRIu64 "  ", step->e.seq);
        x += 2 * (step->depth > 1 ? step->depth - 1 : 0);
        x = draw_format(a, y, x, here ? ROLE_CURSOR : tui_role_of(&step->e), "%-12s",
                        step->e.kind < N_TRACE_KINDS ? trace_kinds[step->e.kind].name : "?");
        if (p.at.line)
            x = draw_format(a, y, x, here ? ROLE_CURSOR : ROLE_STRONG, " %s()", p.at.function);
        if (p.at.line)
            draw_format(a, y, x, here ? ROLE_CURSOR : ROLE_DIM, "  %s:%d", file_of(p.at.file),
                        p.at.line);
    }
    return y;
}

/* Source lines, with the place in the upper quarter; m->top scrolls away from it, and is
 * kept within the file.  Comments are dim. */
static void draw_source(struct monitor *m, const struct area *a, int y,
                        const struct source_place *at)
{
    int line = at->line, lines = a->h - y, first = line - lines / 4 + (int)m->top;
    if (first < 1)
        first = 1;
    m->top = first - (line - lines / 4);
    for (int i = 0; i < lines; i++) {
        const char *text = source_line(m->source, at->file, first + i);
        bool here = first + i == line;
        if (!text) {
            if (!i)
                draw_wrapped(a, y, ROLE_DIM, "its source is not readable here");
            return;
        }
        if (here)
            draw_rest(a, y + i, 0, ROLE_BESIDE);
        draw_format(a, y + i, 1, here ? ROLE_GUEST : ROLE_DIM, "%s%5d",
                    here ? glyph(GLYPH_MARKER) : " ", first + i);
        const char *begin = text + strspn(text, " ");
        bool comment = strncmp(begin, "/*", 2) == 0 || strncmp(begin, "* ", 2) == 0;
        draw_text(a, y + i, 9, here ? ROLE_BESIDE : comment ? ROLE_DIM : ROLE_TEXT, text);
    }
}

/* The variables of the function it stands in, below the source: a third of the lines. */
static void draw_locals(struct tui *t, const struct area *a)
{
    char *text = beside_locals(t), *line = text, *rest = NULL;
    for (int y = 0; line && y < a->h && (line = strtok_r(y ? NULL : line, "\n", &rest)); y++)
        draw_text(a, y, 1, ROLE_TEXT, draw_clean(line));
    free(text);
}

/* The monitor stands in a handler: in the first line the functions, innermost first; then
 * its source, and in the lower third its variables. */
static void draw_standing(struct pane *p, const struct area *a)
{
    struct monitor *m = p->state;
    struct source_place at = { 0 }, up;
    int locals = a->h >= 14 ? a->h / 3 : 0;
    beside_where(p->tui, 0, &at);
    int x = draw_format(a, 0, 1, ROLE_GUEST, "%s()", at.function);
    for (unsigned level = 1; x < a->w && beside_where(p->tui, level, &up); level++)
        x = draw_format(a, 0, x, ROLE_DIM, " for %s()", up.function);
    if (m->moves != p->tui->live.monitor_moves)
        m->top = 0;
    m->moves = p->tui->live.monitor_moves;
    draw_source(m, &(struct area){ a->y, a->x, a->h - locals, a->w }, 1, &at);
    if (locals)
        draw_locals(p->tui, &(struct area){ a->y + a->h - locals, a->x, locals, a->w });
}

/* A recording, or a guest that is not watched: the steps in the upper third, then who
 * answered the selected event, then the source. */
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
    if (beside_stands(p->tui)) {
        draw_standing(p, a);
        return;
    }
    int y = 0, n = m->causes.n - m->causes.first;
    if (a->h >= 12 && n > 1)
        y = draw_steps(m, a, 0, n < a->h / 3 ? n : a->h / 3);
    if (!m->place.at.line) {
        draw_wrapped(a, y, ROLE_DIM, "no place is known that logs this event");
        return;
    }
    int x = draw_format(a, y, 1, ROLE_STRONG, "%s()", m->place.at.function);
    x = draw_format(a, y, x, ROLE_TEXT, " %s", m->place.role);
    draw_format(a, y, x + 2, ROLE_DIM, "%s:%d  in layer %s", m->place.at.file, m->place.at.line,
                trace_layer_name(e->kind));
    draw_source(m, a, y + 1, &m->place.at);
}

static void monitor_title(struct pane *p, char *buf, size_t n)
{
    const struct monitor *m = p->state;
    const struct cause_tree *s = &m->causes;
    int steps = s->n - s->first;
    if (beside_stands(p->tui))
        snprintf(buf, n, "it answers exit %s; s S f step it, c goes on", beside_exit(p->tui));
    else if (steps > 1)
        snprintf(buf, n, "%d steps for %s %" PRIu64, steps,
                 s->step[s->first].e.kind == TRACE_EXIT ? "exit" : "event",
                 s->step[s->first].e.seq);
    else if (m->place.at.line)
        snprintf(buf, n, "%s", m->place.at.file);
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
    m->top = 0;
    if (t->has_event)
        m->n_places = find_place(m, &t->event, ++m->which, &m->place);
}

static const struct key monitor_keys[] = {
    { 'j', KEY_DOWN, NULL, "scroll down", scroll_source, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "scroll up", scroll_source, -1, ALWAYS },
    { 'b', 0, NULL, "another place that logs such events", next_place, 0, ALWAYS },
    { 0 }
};

const struct pane_ops pane_monitor = {
    .name = "monitor",
    .about = "the monitor's functions that answered, step by step, and their source",
    .state_bytes = sizeof(struct monitor), .keys = monitor_keys, .close = monitor_close,
    .title = monitor_title, .draw = monitor_draw, .follow_selection = monitor_follow,
};
