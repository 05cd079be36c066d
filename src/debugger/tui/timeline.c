/*
 * debugger/tui/timeline.c -- the pane that draws the whole run as a line of time:
 * exits, pages, interrupts, MARKs, and where the selected event is.
 *
 *     exits  ▂▁▁▁▇█▃▁▁▁▁▁      each curve is scaled to its own highest column
 *     pages  █▁   ▃
 *     irqs       ▁▁▁▁▁▁▁▁
 *     MARK   |1  |2     |3
 *               ^ 0.000412 s   the selected event; bookmarks are in this line too
 *
 * From left to right is virtual time, from the first event to the last.  What is drawn
 * comes from the survey (survey.h), so it grows while that is counted.  Left and right
 * move by a column, and the event at that moment becomes the selected one.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui/survey.h"
#include "debugger/tui/tui.h"

#define MAX_WIDTH 512           /* columns of a curve, at most */
#define NAMES_W   7             /* columns for the names to the left of the curves */

struct timeline { int width; };     /* columns of a curve, as last drawn */

/* How long the run is; never 0, for one divides by it. */
static uint64_t span_ns(const struct survey *v)
{
    return v->last_ns > v->first_ns ? v->last_ns - v->first_ns : 1;
}

/* From time to column, and back.  The first event is in column 0, the last in the last. */
static int column_of(const struct survey *v, uint64_t ns, int width)
{
    double part = ns > v->first_ns ? (double)(ns - v->first_ns) / (double)span_ns(v) : 0;
    int x = (int)(part * (double)(width - 1) + 0.5);
    return x < 0 ? 0 : x >= width ? width - 1 : x;
}

static uint64_t time_of(const struct survey *v, int column, int width)
{
    return v->first_ns + (uint64_t)((double)span_ns(v) * column / (width > 1 ? width - 1 : 1));
}

enum curve { CURVE_EXITS, CURVE_FAULTS, CURVE_IRQS, N_CURVES };
static const struct { const char *name; enum role role; } curves[N_CURVES] = {
    { "exits", ROLE_EXIT }, { "pages", ROLE_MEM }, { "irqs", ROLE_IRQ } };

static uint32_t curve_value(const struct survey_bucket *b, enum curve c)
{
    return c == CURVE_EXITS ? b->exits : c == CURVE_FAULTS ? b->faults : b->irqs;
}

/* A curve: buckets are of the survey's length and columns of this pane's, so what falls
 * into a column is added up.  The highest column is the full height of the line. */
static void draw_curve(const struct survey *v, const struct area *a, int y, enum curve c)
{
    uint32_t sum[MAX_WIDTH] = { 0 }, most = 0;
    uint64_t used = span_ns(v) / v->bucket_ns + 1;
    for (uint64_t i = 0; i < used && i < SURVEY_BUCKETS; i++)
        sum[column_of(v, v->first_ns + i * v->bucket_ns, a->w)] += curve_value(&v->bucket[i], c);
    for (int x = 0; x < a->w; x++)
        most = sum[x] > most ? sum[x] : most;
    for (int x = 0; x < a->w; x++)
        draw_text(a, y, x, curves[c].role, draw_spark(sum[x], most));
}

/* A tick for each MARK and its number.  One that would stand in the number of the MARK
 * before is left out. */
static void draw_marks(const struct survey *v, const struct area *a, int y)
{
    int free_from = 0;
    for (size_t i = 0; i < v->n_marks; i++) {
        char text[24];
        int x = column_of(v, v->mark[i].vtime_ns, a->w);
        snprintf(text, sizeof text, "%" PRIu64, v->mark[i].n);
        if (x < free_from)
            continue;
        x = draw_text(a, y, x, ROLE_GUEST, glyph(GLYPH_VLINE));
        free_from = draw_text(a, y, x, ROLE_GUEST, text) + 1;
    }
    if (!v->n_marks)
        draw_text(a, y, 0, ROLE_DIM, "the guest set no MARK");
}

/* The last line: bookmarks, where the selected event is, and its time, to the right of the
 * sign or, near the edge, to the left. */
static void draw_cursor(struct tui *t, const struct area *a, int y)
{
    const struct survey *v = t->survey;
    for (unsigned i = 0; i < t->n_bookmarks; i++) {
        const struct trace_event *e = store_at(t->store, t->bookmark[i].index);
        if (e)
            draw_text(a, y, column_of(v, e->vtime_ns, a->w), ROLE_GUEST, glyph(GLYPH_BOOKMARK));
    }
    if (!t->has_event)
        return;
    int x = column_of(v, t->event.vtime_ns, a->w);
    draw_text(a, y, x, ROLE_STRONG, glyph(GLYPH_CARET));
    char when[40];
    snprintf(when, sizeof when, "%.6f s", (double)t->event.vtime_ns / 1e9);
    int left = x + 2 + (int)strlen(when) < a->w ? x + 2 : x - 1 - (int)strlen(when);
    draw_text(a, y, left, ROLE_DIM, when);
}

/* As many curves as there are lines, but for two: those of the MARKs and the cursor. */
static void timeline_draw(struct pane *p, const struct area *a)
{
    struct tui *t = p->tui;
    struct timeline *l = p->state;
    const struct survey *v = t->survey;
    struct area in = { a->y, a->x + NAMES_W, a->h, a->w - 8 > MAX_WIDTH ? MAX_WIDTH : a->w - 8 };
    draw_clear(a);
    if (in.w < 4 || a->h < 1)
        return;
    l->width = in.w;
    int n = a->h - 2 < 1 ? 1 : a->h - 2 > N_CURVES ? N_CURVES : a->h - 2, y = 0;
    for (enum curve c = 0; c < (enum curve)n; c++, y++) {
        draw_text(a, y, 1, curves[c].role, curves[c].name);
        draw_curve(v, &in, y, c);
    }
    draw_text(a, y, 1, ROLE_GUEST, "MARK");
    draw_marks(v, &in, y++);
    draw_cursor(t, &in, y);
}

static void timeline_title(struct pane *p, char *buf, size_t n)
{
    const struct survey *v = p->tui->survey;
    int at = snprintf(buf, n, "%.6f s of virtual time, %zu MARK%s",
                      (double)(v->last_ns - v->first_ns) / 1e9,
                      v->n_marks, v->n_marks == 1 ? "" : "s");
    if (v->done < tui_n_events(p->tui))
        snprintf(buf + at, n - (size_t)at, ", read %.0f%%",
                 100.0 * (double)v->done / (double)tui_n_events(p->tui));
}

/* Select the first event at that time or later; backward: the last one at that time or
 * earlier. */
static void to_time(struct tui *t, uint64_t ns, bool backward)
{
    uint64_t n = tui_n_events(t), i = store_seek_time(t->store, ns + backward);
    if (backward && i)
        i--;
    if (n)
        tui_select(t, i < n ? i : n - 1, false);
}

/* Move so many columns.  Several events may share a column, and the nearest event in the
 * new one may be the one selected already: then at least to its neighbour, or the key would
 * seem dead. */
static void scrub(struct tui *t, struct pane *p, int by)
{
    const struct timeline *l = p->state;
    uint64_t before = t->cursor, n = tui_n_events(t);
    if (l->width < 1 || !t->has_event || !n)
        return;
    t->follow = false;
    int column = column_of(t->survey, t->event.vtime_ns, l->width) + by;
    if (column < 0 || column >= l->width)
        tui_select(t, column < 0 ? 0 : n - 1, false);
    else
        to_time(t, time_of(t->survey, column, l->width), by < 0);
    if (by > 0 && t->cursor <= before && before + 1 < n)
        tui_select(t, before + 1, false);
    else if (by < 0 && t->cursor >= before && before)
        tui_select(t, before - 1, false);
}

static void timeline_click(struct pane *p, int y, int x)
{
    const struct timeline *l = p->state;
    (void)y;
    if (x >= NAMES_W && x - NAMES_W < l->width)
        to_time(p->tui, time_of(p->tui->survey, x - NAMES_W, l->width), false);
}

static const struct key timeline_keys[] = {
    { 'l', KEY_RIGHT, NULL, "a column later", scrub, 1, ALWAYS },
    { 'h', KEY_LEFT, NULL, "a column earlier", scrub, -1, ALWAYS },
    { 'L', 0, NULL, "ten columns later", scrub, 10, ALWAYS },
    { 'H', 0, NULL, "ten columns earlier", scrub, -10, ALWAYS },
    { 0 }
};

const struct pane_ops pane_timeline = {
    .name = "timeline", .about = "the whole run: exits, pages mapped, interrupts, MARKs, bookmarks",
    .state_bytes = sizeof(struct timeline), .keys = timeline_keys,
    .title = timeline_title, .draw = timeline_draw, .click = timeline_click,
};
