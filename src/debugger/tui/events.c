/*
 * debugger/tui/events.c -- the pane that lists the events, one line each.
 *
 *       101     0.000412  EXIT IO port 0x3f8 ...             <main+0x1c>
 *     > 102     0.000412  └ IO_WRITE COM1 ...                           the selected one
 *       103     0.000413  └ RESUME
 *
 * What was caused by an event is indented below it.  The list has those events that pass
 * the filter, and the selected one in any case.
 *
 * Which events those are is found little by little (rows.h).  Two numbers tie the rows to
 * the screen: `cur` is the selected row, and `line` is the line of the screen it stands in.
 * Everything else follows: row cur + 1 is in line + 1, and so on.  A move (`want` rows up
 * or down) that needs rows not found yet goes on in work(), and so does filling the screen.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "debugger/symbols/symbols.h"
#include "debugger/tui/rows.h"
#include "debugger/tui/tui.h"

struct stream {
    struct rows rows;
    size_t   cur;               /* the selected row: an index into rows.at[]           */
    int      line;              /* in which line of the list it stands, from 0         */
    int      height;            /* lines of the list, as last drawn                    */
    long     want;              /* rows still to go, down; negative: up                */
    bool     waiting;           /* some lines of the screen are not found yet          */
    uint64_t n_seen;            /* events there were when the end was last looked for  */
};

/* Also called when the filter has changed: the rows were those of the old one. */
static bool stream_open(struct pane *p)
{
    struct stream *s = p->state;
    rows_reset(&s->rows, p->tui->cursor);
    s->cur = s->rows.lo;
    return true;
}

/* Another event is selected.  If it is one of the rows, the list stays where it is and the
 * selection moves, to the edge if the row is off the screen.  Else begin anew around it, a
 * third from the top. */
static void stream_follow(struct pane *p)
{
    struct stream *s = p->state;
    size_t i = rows_find(&s->rows, p->tui->cursor);
    s->want = 0;
    if (i != SIZE_MAX) {
        long to = s->line + ((long)i - (long)s->cur);
        s->cur = i;
        s->line = to < 0 ? 0 : to >= s->height ? s->height > 0 ? s->height - 1 : 0 : (int)to;
        return;
    }
    rows_reset(&s->rows, p->tui->cursor);
    s->cur = s->rows.lo;
    s->line = s->height / 3;
    s->waiting = true;
}

/* One more row above or below.  The array may be moved for that, and its far end forgotten:
 * find the selected row again, and if even that is gone, begin anew with it. */
static enum store_found extend_rows(struct pane *p, bool up, uint64_t budget_ns)
{
    struct stream *s = p->state;
    uint64_t selected = s->rows.at[s->cur];
    enum store_found f = up ? rows_up(&s->rows, p->tui->store, p->tui->filter, budget_ns)
                            : rows_down(&s->rows, p->tui->store, p->tui->filter, budget_ns);
    s->cur = rows_find(&s->rows, selected);
    if (s->cur == SIZE_MAX) {           /* so far away that it was forgotten */
        rows_reset(&s->rows, selected);
        s->cur = s->rows.lo;
    }
    return f;
}

/* Go the rows that are wanted, as far as they are found before end_ns.  True: there are
 * some left.  (Adding SIZE_MAX is subtracting 1.) */
static bool move_wanted(struct pane *p, uint64_t end_ns)
{
    struct stream *s = p->state;
    while (s->want) {
        bool up = s->want < 0;
        if (up ? s->cur > s->rows.lo : s->cur + 1 < s->rows.hi) {
            s->cur += up ? SIZE_MAX : 1;
            s->line += up ? -1 : 1;
            s->want += up ? 1 : -1;
            continue;
        }
        enum store_found f = extend_rows(p, up, end_ns - host_monotonic_ns());
        if (f == STORE_NONE)
            s->want = 0;
        if (f == STORE_MORE || host_monotonic_ns() >= end_ns)
            break;
    }
    s->line = s->line < 0 ? 0 : s->line >= s->height ? s->height > 0 ? s->height - 1 : 0 : s->line;
    return s->want != 0;
}

/* Find the rows for the lines above and below the selected one.  If the trace ends above
 * the bottom of the screen, the list is moved down so that the last event stands in the
 * last line, as long as there are rows to fill the top.  True: not all are found yet. */
static bool fill_screen(struct pane *p, uint64_t end_ns)
{
    struct stream *s = p->state;
    enum store_found f = STORE_FOUND;
    while (s->cur - s->rows.lo < (size_t)s->line && f == STORE_FOUND &&
           host_monotonic_ns() < end_ns)
        f = extend_rows(p, true, end_ns - host_monotonic_ns());
    if (f == STORE_NONE)
        s->line = (int)(s->cur - s->rows.lo);
    bool more = f != STORE_NONE && s->cur - s->rows.lo < (size_t)s->line;
    f = STORE_FOUND;
    while (s->rows.hi - s->cur < (size_t)(s->height - s->line) && f == STORE_FOUND
           && host_monotonic_ns() < end_ns)
        f = extend_rows(p, false, end_ns - host_monotonic_ns());
    /* The end of the trace goes to the bottom of the screen. */
    while (f == STORE_NONE && s->rows.hi - s->cur < (size_t)(s->height - s->line)
           && s->cur - s->rows.lo > (size_t)s->line)
        s->line++;
    if (f == STORE_NONE && s->cur - s->rows.lo == (size_t)s->line && !s->rows.top
        && s->rows.hi - s->cur < (size_t)(s->height - s->line)) {
        s->line = s->height - (int)(s->rows.hi - s->cur);
        return true;            /* and the lines above it are to be found */
    }
    return more || (f != STORE_NONE && s->rows.hi - s->cur < (size_t)(s->height - s->line));
}

/* The selection follows with each slice, so that a long move is seen to move. */
static bool stream_work(struct pane *p, uint64_t budget_ns)
{
    struct stream *s = p->state;
    uint64_t end_ns = host_monotonic_ns() + budget_ns, before = s->rows.hi - s->rows.lo;
    bool moving = s->want != 0;
    if (!tui_n_events(p->tui))
        return false;
    bool more = move_wanted(p, end_ns);
    if (moving) {
        long want = s->want;
        tui_select(p->tui, s->rows.at[s->cur], false);
        s->want = want;                 /* stream_follow() has ended the move: go on */
    }
    s->waiting = fill_screen(p, end_ns);
    s->n_seen = tui_n_events(p->tui);
    if (s->rows.hi - s->rows.lo != before || moving)
        p->tui->dirty = true;
    return more || s->waiting;
}

/*
 * Drawing
 */

/* How far to indent: how many causes lie between this event and the exit it belongs to. */
static int depth_of(const struct tui *t, const struct trace_event *e)
{
    struct trace_event now = *e;
    int depth = 0;
    while (depth < 6 && !tui_begins_chain(&now) && now.cause_back && now.cause_back < now.seq
           && store_find_seq(t->store, now.seq - now.cause_back, &now) == 0)
        depth++;
    return depth;
}

bool tui_begins_chain(const struct trace_event *e)
{
    return e->kind == TRACE_EXIT || e->kind == TRACE_TIMER;
}

/* Kinds that matter have a colour of their own; all others have that of the layer that
 * logged them, as memory and devices.  A RESUME is dim: it only says that an exit is over. */
enum role tui_role_of(const struct trace_event *e)
{
    switch (e->kind) {
    case TRACE_EXIT: case TRACE_RESUME: return e->kind == TRACE_EXIT ? ROLE_EXIT : ROLE_DIM;
    case TRACE_ODDITY: case TRACE_UNCLAIMED: case TRACE_FAULT_TRUE:
    case TRACE_UNDELIVERED: case TRACE_STUCK: case TRACE_INVARIANT: return ROLE_BAD;
    case TRACE_START: case TRACE_STOP: case TRACE_MARK: case TRACE_HYPERCALL: case TRACE_MODE:
        return ROLE_GUEST;
    case TRACE_INJECT: case TRACE_DELIVER: case TRACE_TIMER: return ROLE_IRQ;
    }
    unsigned layer = trace_layer(e->kind);
    return layer == LAYER_MEM ? ROLE_MEM : layer == LAYER_IO ? ROLE_IO : ROLE_TEXT;
}

static const char *kind_of(const struct trace_event *e)
{
    return e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?";
}

/* An engine that counts instructions measures no time of the host, and each RESUME would
 * end with the same words that say nothing. */
char *tui_event_args(const struct tui *t, const struct trace_event *e, char *buf, size_t n)
{
    static const char untimed[] = " host_ns 0";
    trace_text_args(store_text(t->store), e, buf, n);
    size_t len = strlen(buf), tail = sizeof untimed - 1;
    if (e->kind == TRACE_RESUME && len > tail && strcmp(buf + len - tail, untimed) == 0)
        buf[len - tail] = '\0';
    return buf;
}

char *tui_event_text(const struct tui *t, const struct trace_event *e, char *buf, size_t n)
{
    char where[160] = "";
    int at = snprintf(buf, n, "%s ", kind_of(e));
    if (at < 0 || (size_t)at >= n)
        return buf;
    tui_event_args(t, e, buf + at, n - (size_t)at);
    size_t len = strlen(buf);
    if (t->o->symbols && symbols_format(t->o->symbols, trace_linear(e), where, sizeof where)[0])
        snprintf(buf + len, n - len, "  <%s>", where);
    return buf;
}

static int decimal_width(uint64_t n)
{
    int w = 1;
    while (n >= 10) {
        n /= 10;
        w++;
    }
    return w;
}

/* Widths of the columns; 0: there is no room for it. */
struct columns { int seq, time, rip; };

/* What a pane of this width has room for: an event's number always, its time from 60
 * columns on, RIP from 110 on.  The number is as wide as the last event's, so that columns
 * stay put. */
static struct columns columns_for(const struct tui *t, const struct area *a)
{
    int seq = decimal_width(tui_n_events(t));
    return (struct columns){ .seq = seq < 5 ? 5 : seq, .time = a->w < 60 ? 0 : a->w < 110 ? 12 : 15,
                             .rip = a->w < 110 ? 0 : 17 };
}

/* In microseconds in a narrow column, in seconds and nanoseconds in a wide one. */
static int draw_time(const struct area *a, int y, int x, int width, enum role role, uint64_t ns)
{
    if (!width)
        return x;
    if (width < 15)
        return draw_format(a, y, x, role, "%*.3f", width, (double)ns / 1e3);
    return draw_format(a, y, x, role, "%*" PRIu64 ".%09" PRIu64, width - 10, ns / 1000000000,
                       ns % 1000000000);
}

static void draw_head(const struct tui *t, const struct area *a)
{
    struct columns c = columns_for(t, a);
    draw_rest(a, 0, 0, ROLE_HEAD);
    int x = draw_format(a, 0, 2, ROLE_HEAD, "%*s", c.seq, "event");
    if (c.time)
        x = draw_format(a, 0, x, ROLE_HEAD, "%*s", c.time,
                        c.time < 15 ? "virtual us" : "virtual s");
    if (c.rip)
        x = draw_format(a, 0, x, ROLE_HEAD, "%*s", c.rip, "place");
    draw_text(a, 0, x + 2, ROLE_HEAD, "what");
}

static bool is_bookmarked(const struct tui *t, uint64_t index)
{
    for (unsigned i = 0; i < t->n_bookmarks; i++)
        if (t->bookmark[i].index == index)
            return true;
    return false;
}

/* Where in text the part begins, in upper or lower case; -1: nowhere. */
static int find_in(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (int i = 0; n && text[i]; i++)
        if (strncasecmp(text + i, part, n) == 0)
            return i;
    return -1;
}

/* Kind, arguments, and the symbol of RIP, dim and at the right edge if there is room.  A
 * RESUME has none: it is that of its EXIT.  is_plain: all in one role, on the line of the
 * cursor. */
static void draw_what(const struct tui *t, const struct area *a, int y, int x, enum role role,
                      const struct trace_event *e, bool is_plain)
{
    char args[500], where[160] = "";
    tui_event_args(t, e, args, sizeof args);
    x = draw_format(a, y, x, role, "%s ", kind_of(e));
    x = draw_text(a, y, x, is_plain ? role : ROLE_TEXT, args);
    if (e->kind != TRACE_RESUME)
        symbols_format(t->o->symbols, trace_linear(e), where, sizeof where);
    int left = a->w - (int)strlen(where) - 3;
    if (where[0] && x + 2 < a->w)
        draw_format(a, y, x + 2 > left ? x + 2 : left, is_plain ? role : ROLE_DIM, "<%s>", where);
}

/* One line: sign of a bookmark or of the selected event, seq, time, RIP, indentation, text.
 * What is searched for is marked where it stands in the text; in a symbol it is not, for
 * the symbol may have been moved to the right edge. */
static void draw_event(const struct tui *t, const struct area *a, int y, uint64_t index,
                       bool selected)
{
    const struct trace_event *at = store_at(t->store, index);
    struct columns c = columns_for(t, a);
    enum role row = selected ? ROLE_CURSOR : ROLE_TEXT;
    draw_rest(a, y, 0, row);
    if (is_bookmarked(t, index))
        draw_text(a, y, 1, selected ? row : ROLE_GUEST, glyph(GLYPH_BOOKMARK));
    if (selected)
        draw_text(a, y, 0, row, glyph(GLYPH_MARKER));
    if (!at) {
        draw_text(a, y, 2, ROLE_BAD, "this part of the file is damaged");
        return;
    }
    struct trace_event e = *at;         /* copied: looking for its causes may end *at */
    char place[PLACE_MAX];
    enum role dim = selected ? row : ROLE_DIM;
    int x = draw_format(a, y, 2, dim, "%*" PRIu64, c.seq, e.seq);
    x = draw_time(a, y, x, c.time, dim, e.vtime_ns);
    if (c.rip)
        x = draw_format(a, y, x, dim, "%*s", c.rip, trace_place_text(&e, place, sizeof place));
    x += 2;
    int depth = depth_of(t, &e);
    if (depth) {
        x += 2 * (depth - 1);
        x = draw_text(a, y, x, dim, glyph(GLYPH_LAST)) + 1;
    }
    int text_at = x;
    draw_what(t, a, y, x, selected ? row : tui_role_of(&e), &e, selected);
    if (t->search_text[0]) {
        char text[600];
        int hit = find_in(tui_event_text(t, &e, text, sizeof text), t->search_text);
        const char *symbol = strstr(text, "  <");
        if (hit >= 0 && (!symbol || hit < symbol - text))
            draw_role(a, y, text_at + hit, (int)strlen(t->search_text), ROLE_FOUND);
    }
}

/* Rows not found yet are drawn as "looking...", and appear as work() finds them.  A first
 * try is made here, so that usually all are there at once. */
static void stream_draw(struct pane *p, const struct area *a)
{
    struct stream *s = p->state;
    struct tui *t = p->tui;
    draw_clear(a);
    if (a->h < 1)
        return;
    int head = a->h > 3;
    struct area list = { a->y + head, a->x, a->h - head, a->w };
    if (head)
        draw_head(t, a);
    if (s->height != list.h && s->line >= list.h)
        s->line = list.h - 1;
    s->height = list.h;
    if (!tui_n_events(t)) {
        draw_wrapped(a, 1, ROLE_DIM, "no events yet");
        return;
    }
    s->waiting = fill_screen(p, host_monotonic_ns() + 2000000);
    for (int y = 0; y < list.h; y++) {
        size_t i = s->cur + (size_t)y - (size_t)s->line;
        if (s->cur + (size_t)y >= s->rows.lo + (size_t)s->line && i < s->rows.hi)
            draw_event(t, &list, y, s->rows.at[i], i == s->cur);
        else if (s->waiting && (y == 0 || i == s->rows.hi))
            draw_format(&list, y, 2, ROLE_DIM, "looking%s", glyph(GLYPH_DOTS));
    }
}

/* "17/2134", events lost because the ring was full, the filter, whether the end is
 * followed. */
static void stream_title(struct pane *p, char *buf, size_t n)
{
    const struct tui *t = p->tui;
    uint64_t events = tui_n_events(t), lost = store_lost(t->store);
    int at = snprintf(buf, n, "%" PRIu64 "/%" PRIu64, events ? t->cursor + 1 : 0, events);
    if (lost && (size_t)at < n)
        at += snprintf(buf + at, n - (size_t)at, "  %" PRIu64 " LOST", lost);
    if (t->filter_text[0] && (size_t)at < n)
        at += snprintf(buf + at, n - (size_t)at, "  \\ %s", t->filter_text);
    if (t->follow && (size_t)at < n)
        snprintf(buf + at, n - (size_t)at, "  following");
}

/*
 * Keys
 */

/* A key against the direction of a move that is under way ends that move. */
static void move_rows(struct tui *t, struct pane *p, int by)
{
    struct stream *s = p->state;
    t->follow = false;
    search_stop(t);
    if (s->want / (by > 0 ? 1 : -1) < 0)
        s->want = 0;
    s->want += by;
    stream_work(p, 2000000);
}

/* Pages are counted in halves: Ctrl-D goes one, PageDown two. */
static void move_pages(struct tui *t, struct pane *p, int halves)
{
    struct stream *s = p->state;
    int half = s->height / 2;
    move_rows(t, p, halves * (half > 0 ? half : 1));
}

/* The first or last event that the filter shows, so it has to be looked for.  Selecting the
 * event that is selected already pushes it on the stack of jumps, and Esc leads back here. */
static void to_end(struct tui *t, struct pane *p, int backward)
{
    uint64_t n = tui_n_events(t);
    (void)p;
    if (!n)
        return;
    tui_select(t, t->cursor, true);
    search_filter(t, backward, backward ? n - 1 : 0);
}

/* From the line on the screen to the row: the selected row is in line s->line. */
static void stream_click(struct pane *p, int y, int x)
{
    const struct stream *s = p->state;
    long row = (long)s->cur - s->line + y - (p->area.h > 3);
    (void)x;
    if (row < (long)s->rows.lo || row >= (long)s->rows.hi)
        return;
    p->tui->follow = false;
    tui_select(p->tui, s->rows.at[row], false);
}

static const struct key stream_keys[] = {
    { 'j', KEY_DOWN, NULL, "the next event", move_rows, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "the one before", move_rows, -1, ALWAYS },
    { CTRL('d'), 0, NULL, "half a screen down", move_pages, 1, ALWAYS },
    { CTRL('u'), 0, NULL, "half a screen up", move_pages, -1, ALWAYS },
    { KEY_NPAGE, CTRL('f'), NULL, "a screen down", move_pages, 2, ALWAYS },
    { KEY_PPAGE, CTRL('b'), NULL, "a screen up", move_pages, -2, ALWAYS },
    { 'g', KEY_HOME, NULL, "the first event", to_end, 0, ALWAYS },
    { 'G', KEY_END, NULL, "the last event", to_end, 1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_stream = {
    .name = "stream", .about = "every event, in order; what answers one is indented below it",
    .state_bytes = sizeof(struct stream), .keys = stream_keys,
    .open = stream_open, .title = stream_title, .draw = stream_draw,
    .click = stream_click, .follow_selection = stream_follow, .work = stream_work,
};
