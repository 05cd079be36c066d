/*
 * debugger/tui/layout.c -- which panes are where.
 *
 * A layout is a table of slots in 24ths of the screen, one table for each size of
 * terminal.  "lecture" on a wide one:
 *
 *     y 0   +---------------------+
 *           | stream              |
 *     y 13  +-----------+---------+      SLOT(STREAM,   0,  0, 13, 24)
 *           | why       | monitor |      SLOT(WHY,     13,  0, 24, 13)
 *     y 24  +-----------+---------+      SLOT(MONITOR, 13, 13, 24, 24)
 *           x 0         x 13      x 24
 *
 * t->slot[] is a copy of such a table, which the user may change by putting another pane
 * into a slot.  It is taken anew when another layout is chosen or the terminal's size
 * becomes another one.  Each pane is in one slot at most.
 *
 * In a slot the first line is the pane's title; to the left of a slot that does not begin
 * at the edge is a line of one column.  On a terminal too small for several panes, or when
 * the user wants it large, the focused pane has all of the screen.
 */
#include <stdio.h>
#include <string.h>

#include "debugger/tui/tui.h"

#define TINY_W 40               /* columns and lines below which one pane gets all */
#define TINY_H 10

#define SLOT(id, y0, x0, y1, x1) { PANE_##id, y0, x0, y1, x1 }
#define END { 0, 0, 0, 0, 0 }

/* Sizes of terminals, and the columns and lines from which a terminal has that size. */
enum { SMALL, WIDE, VAST, N_SIZES };
static const struct { int w, h; } sizes[N_SIZES] = { [WIDE] = { 120, 30 }, [VAST] = { 160, 45 } };

/* The slots of a table end with END.  The first slot has the focus at first. */
static const struct layout {
    const char *name, *about;
    struct slot slot[N_SIZES][TUI_SLOTS];
} layouts[] = {
    { "lecture", "few and large, for a projector", {
      { SLOT(STREAM, 0, 0, 14, 24), SLOT(WHY, 14, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 13, 24), SLOT(WHY, 13, 0, 24, 13), SLOT(MONITOR, 13, 13, 24, 24), END },
      { SLOT(STREAM, 0, 0, 13, 24), SLOT(WHY, 13, 0, 24, 13), SLOT(MONITOR, 13, 13, 24, 24),
        END } } },
    { "lab", "the events, their causes, what the guest wrote, and the counts", {
      { SLOT(STREAM, 0, 0, 9, 24), SLOT(WHY, 9, 0, 17, 24), SLOT(STAT, 17, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 15, 13), SLOT(WHY, 0, 13, 10, 24), SLOT(MONITOR, 10, 13, 15, 24),
        SLOT(STAT, 15, 0, 21, 13), SLOT(SERIAL, 15, 13, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 14, 12), SLOT(WHY, 0, 12, 6, 24), SLOT(GUEST, 6, 12, 14, 24),
        SLOT(STAT, 14, 0, 21, 12), SLOT(MONITOR, 14, 12, 18, 24), SLOT(SERIAL, 18, 12, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END } } },
    { "debug", "everything at once", {
      { SLOT(STREAM, 0, 0, 7, 24), SLOT(GUEST, 7, 0, 19, 24), SLOT(WHY, 19, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 10, 12), SLOT(GUEST, 0, 12, 15, 24), SLOT(MONITOR, 10, 0, 15, 12),
        SLOT(WHY, 15, 0, 21, 12), SLOT(DEVICES, 15, 12, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 9, 12), SLOT(GUEST, 0, 12, 11, 24), SLOT(MONITOR, 9, 0, 16, 12),
        SLOT(PAGING, 11, 12, 17, 24), SLOT(WHY, 16, 0, 21, 12), SLOT(DEVICES, 17, 12, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END } } },
};

/* The largest size that the terminal has room for. */
static int size_of(const struct area *whole)
{
    int size = SMALL;
    for (int i = 0; i < N_SIZES; i++)
        if (whole->w >= sizes[i].w && whole->h >= sizes[i].h)
            size = i;
    return size;
}

const char *tui_layout_name(unsigned i)
{
    return i < NELEM(layouts) ? layouts[i].name : NULL;
}

struct pane *tui_focused(struct tui *t)
{
    return &t->pane[t->slot[t->focus].pane];
}

bool tui_layout_exists(const char *name)
{
    for (size_t i = 0; i < NELEM(layouts); i++)
        if (strcmp(layouts[i].name, name) == 0)
            return true;
    return false;
}

/* Is this pane in any slot? */
static bool is_placed(const struct tui *t, unsigned pane)
{
    for (unsigned i = 0; i < t->n_slots; i++)
        if (t->slot[i].pane == pane)
            return true;
    return false;
}

/* In the last slot but the focused one, if it is nowhere yet: what one looks at stays. */
void layout_beside(struct tui *t, enum pane_id id)
{
    unsigned last = t->n_slots - 1;
    t->maximised = t->maximised && tui_focused(t) == &t->pane[id];
    if (t->n_slots > 1 && !is_placed(t, id))
        t->slot[last == t->focus ? last - 1 : last].pane = (uint8_t)id;
    t->dirty = true;
}

/* Copy the table that fits the size.  The focus stays on its pane if that is in the new
 * table too.  A monitor that is watched must be seen, so its pane is put in if it is not
 * there. */
static void take_layout(struct tui *t, int size)
{
    const struct slot *from = layouts[t->layout].slot[size];
    uint8_t focused = t->n_slots ? t->slot[t->focus].pane : 0;
    t->n_slots = t->focus = 0;
    while (t->n_slots < TUI_SLOTS && from[t->n_slots].y1) {
        t->slot[t->n_slots] = from[t->n_slots];
        if (from[t->n_slots].pane == focused)
            t->focus = t->n_slots;
        t->n_slots++;
    }
    t->laid_out = true;
    t->size = size;
    if (t->live.stepper)
        layout_beside(t, PANE_MONITOR);
}

bool layout_choose(struct tui *t, const char *name)
{
    for (size_t i = 0; i < NELEM(layouts); i++)
        if (strcmp(layouts[i].name, name) == 0) {
            t->layout = (int)i;
            t->maximised = false;
            take_layout(t, t->size);
            t->dirty = true;
            return true;
        }
    return false;
}

/* Give the pane its area.  has_neighbour: there is a pane to the left of it, so the first
 * column is for the line between them.  If another event was selected while it was not on
 * the screen, it is told now. */
static void place_pane(struct pane *p, struct area a, bool has_neighbour)
{
    if (has_neighbour) {
        a.x++;
        a.w--;
    }
    p->area = (struct area){ a.y + 1, a.x, a.h - 1, a.w };
    p->shown = a.h > 0 && a.w > 0;
    if (p->shown && p->stale && p->ops->follow_selection)
        p->ops->follow_selection(p);
    p->stale = p->stale && !p->shown;
}

/* Called before each drawing, for the terminal may have another size by then.  Edges are
 * computed from the 24ths of the whole, not from widths, so that neighbours meet exactly. */
void layout_arrange(struct tui *t, const struct area *whole)
{
    static const struct area none;
    int size = size_of(whole);
    if (!t->laid_out || size != t->size)
        take_layout(t, size);
    for (unsigned i = 0; i < N_PANES; i++) {
        t->pane[i].shown = false;
        t->pane[i].area = none;
    }
    if (t->maximised || whole->w < TINY_W || whole->h < TINY_H) {
        place_pane(tui_focused(t), *whole, false);
        return;
    }
    for (unsigned i = 0; i < t->n_slots; i++) {
        const struct slot *s = &t->slot[i];
        int y0 = s->y0 * whole->h / 24, y1 = s->y1 * whole->h / 24;
        int x0 = s->x0 * whole->w / 24, x1 = s->x1 * whole->w / 24;
        struct area a = { whole->y + y0, whole->x + x0, y1 - y0, x1 - x0 };
        place_pane(&t->pane[s->pane], a, x0 > 0);
    }
}

static void draw_title(struct tui *t, struct pane *p)
{
    char title[300] = "", line[400];
    struct area a = { p->area.y - 1, p->area.x, 1, p->area.w };
    bool focused = p == tui_focused(t);
    if (p->ops->title)
        p->ops->title(p, title, sizeof title);
    draw_rest(&a, 0, 0, focused ? ROLE_FOCUS : ROLE_TITLE);
    snprintf(line, sizeof line, " %s%s%s", p->ops->name, title[0] ? "  " : "", title);
    draw_text(&a, 0, 0, focused ? ROLE_FOCUS : ROLE_TITLE, line);
}

/* The line between two panes is drawn with the right one of them. */
void layout_draw(struct tui *t)
{
    for (unsigned i = 0; i < N_PANES; i++) {
        struct pane *p = &t->pane[i];
        if (!p->shown)
            continue;
        if (p->area.h > 0)
            p->ops->draw(p, &p->area);
        draw_title(t, p);
        struct area edge = { p->area.y - 1, p->area.x - 1, p->area.h + 1, 1 };
        for (int y = 0; p->area.x > 0 && y < edge.h; y++)
            draw_text(&edge, y, 0, ROLE_DIM, glyph(GLYPH_VLINE));
    }
}

void layout_focus(struct tui *t, int by)
{
    if (t->n_slots)
        t->focus = (t->focus + t->n_slots + (unsigned)by) % t->n_slots;
    t->dirty = true;
}

/* Another pane in the focused slot: the next one, in the order of PANE_LIST, that is in no
 * other slot. */
void layout_swap(struct tui *t, int by)
{
    unsigned pane = t->slot[t->focus].pane;
    for (unsigned i = 0; i < N_PANES; i++) {
        pane = (pane + N_PANES + (unsigned)by) % N_PANES;
        if (!is_placed(t, pane)) {
            t->slot[t->focus].pane = (uint8_t)pane;
            break;
        }
    }
    t->dirty = true;
}

bool layout_show(struct tui *t, enum pane_id id)
{
    for (unsigned i = 0; i < t->n_slots; i++)
        if (t->slot[i].pane == id) {
            t->focus = i;
            t->dirty = true;
            return true;
        }
    t->slot[t->focus].pane = (uint8_t)id;
    t->dirty = true;
    return true;
}

/* A pane's title belongs to it. */
bool layout_click(struct tui *t, int y, int x)
{
    for (unsigned i = 0; i < t->n_slots; i++) {
        const struct pane *p = &t->pane[t->slot[i].pane];
        if (p->shown && y >= p->area.y - 1 && y < p->area.y + p->area.h && x >= p->area.x
            && x < p->area.x + p->area.w) {
            t->focus = i;
            t->dirty = true;
            return true;
        }
    }
    return false;
}

void pane_scroll(long *top, long n_lines, int height)
{
    long last = n_lines - height;
    if (*top > last)
        *top = last;
    if (*top < 0)
        *top = 0;
}
