/*
 * debugger/tui/layout.c -- which panes are where.
 *
 * A layout is a table of slots in 24ths of the screen, one table for each size of
 * terminal: small (80 columns), wide, and huge.  The user may put another pane
 * into a slot; of a terminal too small for several panes the focused one gets
 * all.  Each pane has a line of title; beside each other they are a line apart.
 */
#include <stdio.h>
#include <string.h>

#include "debugger/tui/tui.h"

#define TINY_W 40               /* below this one pane gets all */
#define TINY_H 10

#define SLOT(id, y0, x0, y1, x1) { PANE_##id, y0, x0, y1, x1 }
#define END { 0, 0, 0, 0, 0 }

enum { SMALL, WIDE, VAST, N_SIZES };
static const struct { int w, h; } sizes[N_SIZES] = { [WIDE] = { 120, 30 }, [VAST] = { 160, 45 } };

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
        SLOT(STAT, 15, 0, 21, 13), SLOT(SERIAL, 15, 13, 21, 24), SLOT(TIMELINE, 21, 0, 24, 24),
            END },
      { SLOT(STREAM, 0, 0, 14, 12), SLOT(WHY, 0, 12, 6, 24), SLOT(GUEST, 6, 12, 14, 24),
        SLOT(STAT, 14, 0, 21, 12), SLOT(MONITOR, 14, 12, 18, 24), SLOT(SERIAL, 18, 12, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END } } },
    { "debug", "everything at once", {
      { SLOT(STREAM, 0, 0, 7, 24), SLOT(GUEST, 7, 0, 19, 24), SLOT(WHY, 19, 0, 24, 24), END },
      { SLOT(STREAM, 0, 0, 10, 12), SLOT(GUEST, 0, 12, 15, 24), SLOT(MONITOR, 10, 0, 15, 12),
        SLOT(WHY, 15, 0, 21, 12), SLOT(DEVICES, 15, 12, 21, 24), SLOT(TIMELINE, 21, 0, 24, 24),
            END },
      { SLOT(STREAM, 0, 0, 9, 12), SLOT(GUEST, 0, 12, 11, 24), SLOT(MONITOR, 9, 0, 16, 12),
        SLOT(PAGING, 11, 12, 17, 24), SLOT(WHY, 16, 0, 21, 12), SLOT(DEVICES, 17, 12, 21, 24),
        SLOT(TIMELINE, 21, 0, 24, 24), END } } },
};

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

static bool is_placed(const struct tui *t, unsigned pane)
{
    for (unsigned i = 0; i < t->n_slots; i++)
        if (t->slot[i].pane == pane)
            return true;
    return false;
}

/* On the screen beside the focused pane, if it is not there: in the last slot but that. */
void layout_beside(struct tui *t, enum pane_id id)
{
    unsigned last = t->n_slots - 1;
    t->maximised = t->maximised && tui_focused(t) == &t->pane[id];
    if (t->n_slots > 1 && !is_placed(t, id))
        t->slot[last == t->focus ? last - 1 : last].pane = (uint8_t)id;
    t->dirty = true;
}

/* Copy the table that fits the size; the focus stays on its pane if that is still there, and a
 * monitor that is watched on the screen. */
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

static void place_pane(struct pane *p, struct area a, bool beside)
{
    if (beside) {
        a.x++;
        a.w--;
    }
    p->area = (struct area){ a.y + 1, a.x, a.h - 1, a.w };
    p->shown = a.h > 0 && a.w > 0;
    if (p->shown && p->stale && p->ops->follow_selection)
        p->ops->follow_selection(p);
    p->stale = p->stale && !p->shown;
}

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
        place_pane(&t->pane[s->pane], (struct area){ whole->y + y0, whole->x + x0, y1 - y0, x1 - x0 },
             x0 > 0);
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

/* Another pane in the focused slot: the next that is nowhere. */
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
