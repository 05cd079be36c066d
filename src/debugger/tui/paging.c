/*
 * debugger/tui/paging.c -- the pane that translates: gla -> gpa by the guest's
 * tables, gpa -> hva by the monitor's, each entry on the way (tui/walk.c); what
 * changed in the guest's tables since the stop before; and a map of which pages
 * the monitor has mapped how often.
 *
 * From top to bottom:
 *
 *     the walk        live: the tables as they are now, with what changed marked
 *                     a recording holds no tables: what the trace says of that page
 *     the changes     live: which entries of the guest's tables differ from the stop before
 *     the map         a character for each page, or so many pages: how often the monitor has
 *                     mapped or dropped it, as the trace tells
 *
 * The address is that of the selected event (the one it faulted on, else its RIP), or one
 * that was asked for (`:walk ADDRESS`).
 *
 * "Mapped" means an entry in the monitor's own table, EPT or shadow.  It is made when the
 * guest first touches a page and taken away when it is no longer true; so a page with a
 * high count is one that costs exits.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "debugger/link/link.h"
#include "debugger/link/table_diff.h"
#include "debugger/trace/field.h"
#include "debugger/tui/tui.h"
#include "debugger/tui/walk.h"

#define PAGE_SHIFT 12
#define MAX_PAGES (1u << 20)    /* 4 GiB; pages above are not on the map */
#define MAX_TOLD  4             /* events told of a recorded page */
#define SLICE     4096          /* events counted between two looks at the clock */
#define LOOK_NS   2000000       /* how long to look back for each event told */

struct paging_pane {
    /* The address that is walked. */
    uint64_t gla, gpa;          /* of the selected event, or of :walk */
    bool     has_gpa;           /* gpa is known */
    struct walk_view view;      /* live */

    /* Live: copies of the guest's tables at the latest two stops; the first changes between
     * them by address, and how many there are in all. */
    struct table_shot *shot, *shot_before;
    struct table_change change[16];
    size_t   n_changes;

    /* The map, by page number (gpa / 4096). */
    struct filter *fills;       /* lets events pass that map or drop a page            */
    uint8_t *heat;              /* how often mapped or dropped, up to 255              */
    uint64_t *when;             /* index of the latest such event, + 1; 0: never       */
    uint64_t last_page;         /* the highest page that was mapped: the map ends there */
    uint64_t done;              /* events counted: those with an index below this      */

    /* Pages mapped and dropped by events from counted_from on: since the stop before. */
    uint64_t counted_from, n_mapped, n_dropped;

    /* Recorded: the latest events about the page. */
    struct trace_event told[MAX_TOLD];
    unsigned n_told;
};

static bool paging_open(struct pane *p)
{
    struct paging_pane *g = p->state;
    struct filter_error err;
    g->fills = filter_compile("kind in (NESTED_FILL, NESTED_ZAP, SHADOW_FILL, SHADOW_ZAP)", NULL,
                              &err);
    g->heat = calloc(MAX_PAGES, sizeof *g->heat);
    g->when = calloc(MAX_PAGES, sizeof *g->when);
    return g->fills && g->heat && g->when;
}

static void paging_close(struct pane *p)
{
    struct paging_pane *g = p->state;
    filter_free(g->fills);
    free(g->heat);
    free(g->when);
    table_shot_free(g->shot);
    table_shot_free(g->shot_before);
}

/* The event's argument of that name, if events of its kind have one. */
static bool event_field(const char *name, const struct trace_event *e, uint64_t *value)
{
    const struct trace_field *f = trace_field_find(name, strlen(name));
    return f && trace_field_value(f, e, value);
}

/*
 * The map
 */

/* Called by store_each() for every event that maps or drops a page.  True: go on. */
static bool count_page(void *arg, uint64_t index, const struct trace_event *e)
{
    struct paging_pane *g = arg;
    uint64_t gpa;
    bool mapped = e->kind == TRACE_NESTED_FILL || e->kind == TRACE_SHADOW_FILL;
    g->n_mapped += mapped && index >= g->counted_from;
    g->n_dropped += !mapped && index >= g->counted_from;
    if (!event_field("gpa", e, &gpa) || gpa >> PAGE_SHIFT >= MAX_PAGES)
        return true;
    uint64_t page = gpa >> PAGE_SHIFT;
    g->heat[page] += g->heat[page] < UINT8_MAX;
    g->when[page] = index + 1;
    g->last_page = page > g->last_page ? page : g->last_page;
    return true;
}

/* Count events on, for the map and for the numbers mapped and dropped.  Those begin anew
 * when the guest is set going, for live_new_from() is then another event, and stand when it
 * stands. */
static bool paging_work(struct pane *p, uint64_t budget_ns)
{
    struct paging_pane *g = p->state;
    uint64_t n = tui_n_events(p->tui), end_ns = host_monotonic_ns() + budget_ns, before = g->done;
    if (g->counted_from != live_new_from(p->tui)) {
        g->counted_from = live_new_from(p->tui);
        g->n_mapped = g->n_dropped = 0;
    }
    while (g->done < n && host_monotonic_ns() < end_ns) {
        uint64_t to = g->done + SLICE < n ? g->done + SLICE : n;
        store_each(p->tui->store, g->fills, g->done, to, count_page, g);
        g->done = to;
    }
    p->tui->dirty |= before != g->done && g->done == n;
    return g->done < n;
}

static enum role heat_role(unsigned heat)
{
    return heat < 2 ? ROLE_HEAT1 : heat < 8 ? ROLE_HEAT2 : ROLE_HEAT3;
}

/* One character of the map, for `pages` pages from page number `first` on: the highest
 * count among them.  The page of the address walked is marked, and those that changed since
 * the stop before. */
static void draw_cell(struct pane *p, const struct area *a, int y, int x, uint64_t first,
                      uint64_t pages)
{
    struct paging_pane *g = p->state;
    unsigned most = 0;
    bool is_new = false,
         here = g->has_gpa && g->gpa >> PAGE_SHIFT >= first && g->gpa >> PAGE_SHIFT < first + pages;
    for (uint64_t i = first; i < first + pages && i <= g->last_page; i++) {
        most = g->heat[i] > most ? g->heat[i] : most;
        is_new |= p->tui->link && g->when[i] > live_new_from(p->tui);
    }
    char text[2] = { most == 0 ? '.' : most < 2 ? '-' : most < 8 ? '+' : '#', 0 };
    enum role role = here ? ROLE_CURSOR
                   : is_new && most ? ROLE_CHANGED
                   : most ? heat_role(most) : ROLE_HEAT0;
    draw_text(a, y, x, role, text);
}

/* Each character is a page if all up to last_page fit into the area, else as many pages as
 * it takes to make them fit.  The number at the left is the gpa of the first page in the
 * row. */
static void draw_map(struct pane *p, const struct area *a)
{
    struct paging_pane *g = p->state;
    int columns = a->w - 12;
    if (a->h < 2 || columns < 8)
        return;
    columns -= columns % 8;
    uint64_t cells = (uint64_t)columns * (uint64_t)(a->h - 1);
    uint64_t pages = g->last_page / cells + 1;
    draw_format(a, 0, 1, ROLE_HEAD,
                "pages mapped or dropped: . never  - once  + up to 7  # more; "
                "column: %" PRIu64 " page%s", pages, pages == 1 ? "" : "s");
    for (int y = 1; y < a->h; y++) {
        uint64_t row = (uint64_t)(y - 1) * (uint64_t)columns * pages;
        if (row > g->last_page)
            return;
        draw_format(a, y, 1, ROLE_DIM, "%9" PRIx64, row << PAGE_SHIFT);
        for (int x = 0; x < columns; x++)
            draw_cell(p, a, y, 11 + x, row + (uint64_t)x * pages, pages);
    }
}

/*
 * What changed since the last stop
 */

/* At each stop copy the guest's tables, and compare with the copy before.  That costs time,
 * so it begins only when the pane is first shown; from then on it is done at every stop, so
 * that there is something to compare with. */
static void paging_stopped(struct pane *p)
{
    struct paging_pane *g = p->state;
    if (!p->shown && !g->shot)
        return;
    table_shot_free(g->shot_before);
    g->shot_before = g->shot;
    g->shot = table_shot_take(p->tui->link, &p->tui->live.now);
    g->n_changes = g->shot_before
                 ? table_diff(g->shot_before, g->shot, g->change, NELEM(g->change)) : 0;
}

/* One line: "7f000  PTE  118063 PW-AD -> 10c063 PW-AD". */
static int draw_change(const struct area *a, int y, const struct table_change *c)
{
    char before[40], after[40];
    int x = draw_format(a, y, 3, ROLE_TEXT, "%10" PRIx64, c->gla);
    x = draw_format(a, y, x, ROLE_GUEST, "  %-5s", walk_level_name(c->level));
    x = draw_format(a, y, x, ROLE_DIM, " %10" PRIx64 " %-7s %s ", c->before,
                    walk_bits(c->before, before, sizeof before), glyph(GLYPH_ARROW));
    draw_format(a, y, x, ROLE_CHANGED, "%" PRIx64 " %s", c->after,
                walk_bits(c->after, after, sizeof after));
    return y + 1;
}

/* How many entries changed, and the first of them, in at most a fifth of the pane's lines.
 * Returns the line below. */
static int draw_changes(struct pane *p, const struct area *a, int y)
{
    struct paging_pane *g = p->state;
    int room = a->h / 5, x;
    if (!g->shot_before || y >= a->h)
        return y;
    x = draw_text(a, y, 1, ROLE_HEAD, "since the stop before:");
    x = draw_format(a, y, x, g->n_changes ? ROLE_STRONG : ROLE_DIM,
                    " %zu entr%s of %zu of the guest's tables changed%s; ",
                    g->n_changes, g->n_changes == 1 ? "y" : "ies", table_shot_tables(g->shot),
                    table_shot_is_whole(g->shot) ? "" : " (there are more)");
    draw_format(a, y++, x, ROLE_DIM, "the monitor mapped %" PRIu64 ", dropped %" PRIu64,
                g->n_mapped, g->n_dropped);
    for (size_t i = 0; i < g->n_changes && i < NELEM(g->change) && (int)i < room; i++)
        y = draw_change(a, y, &g->change[i]);
    return y;
}

/*
 * A recording
 */

/* What the trace says of the page, latest first. */
static int draw_told(struct pane *p, const struct area *a, int y)
{
    struct paging_pane *g = p->state;
    char args[300];
    y = draw_wrapped(a, y, ROLE_DIM,
                     "Page tables are not recorded. What the trace says of this page until here:");
    for (unsigned i = 0; i < g->n_told; i++) {
        const struct trace_event *e = &g->told[i];
        int x = draw_format(a, y, 1, ROLE_DIM, "%8" PRIu64 "  ", e->seq);
        x = draw_format(a, y, x, tui_role_of(e), "%s ",
                        e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?");
        draw_text(a, y++, x, ROLE_TEXT,
                  trace_text_args(store_text(p->tui->store), e, args, sizeof args));
    }
    if (!g->n_told)
        draw_text(a, y++, 1, ROLE_DIM, "nothing");
    return y;
}

/* A recording: the latest events, up to the selected one, that map or drop this page or
 * fault on it.  A page may be named by its gpa or by its gla. */
static void look_back(struct tui *t, struct paging_pane *g)
{
    char text[300];
    struct filter_error err;
    uint64_t page = (g->has_gpa ? g->gpa : g->gla) & PAGE_MASK, gla = g->gla & PAGE_MASK;
    uint64_t at = t->cursor;
    g->n_told = 0;
    snprintf(text, sizeof text,
             "kind in (NESTED_FILL, NESTED_ZAP, SHADOW_FILL, SHADOW_ZAP, FAULT_TRUE) && "
             "(gpa in %#" PRIx64 "..%#" PRIx64 " || gla in %#" PRIx64 "..%#" PRIx64 ")",
             page, page | 0xfff, gla, gla | 0xfff);
    struct filter *f = filter_compile(text, NULL, &err);
    while (f && tui_n_events(t) && g->n_told < MAX_TOLD &&
           store_prev(t->store, f, &at, LOOK_NS) == STORE_FOUND) {
        const struct trace_event *e = store_at(t->store, at);
        if (e)
            g->told[g->n_told++] = *e;
        if (!at--)
            break;
    }
    filter_free(f);
}

/* The address of the event: the gla it has as an argument, as page faults do, else its RIP. */
static void paging_follow(struct pane *p)
{
    struct paging_pane *g = p->state;
    struct tui *t = p->tui;
    if (!t->has_event)
        return;
    if (!event_field("gla", &t->event, &g->gla))
        g->gla = trace_linear(&t->event);
    g->has_gpa = event_field("gpa", &t->event, &g->gpa);
    if (t->has_walk_at) {
        g->gla = t->walk_at;
        g->has_gpa = false;
    }
    if (!t->link)
        look_back(t, g);
}

static void paging_draw(struct pane *p, const struct area *a)
{
    struct paging_pane *g = p->state;
    struct tui *t = p->tui;
    int y;
    draw_clear(a);
    if (a->h < 1)
        return;
    if (t->link) {
        walk_look(t, &g->view, t->has_walk_at ? t->walk_at : g->gla);
        if (!g->shot)
            paging_stopped(p);
        if (g->view.walk.result == WALK_OK) {
            g->gpa = g->view.walk.gpa;
            g->has_gpa = true;
        }
        y = walk_draw(t, &g->view, a, 0);
        y = draw_changes(p, a, y);
    } else {
        if (t->has_walk_at && g->gla != t->walk_at)
            paging_follow(p);
        int x = draw_format(a, 0, 1, ROLE_STRONG, "gla %#" PRIx64, g->gla);
        if (g->has_gpa)
            draw_format(a, 0, x, ROLE_STRONG, "  gpa %#" PRIx64, g->gpa);
        y = draw_told(p, a, 1);
    }
    y += a->h - y > 8;
    struct area map = { a->y + y, a->x, a->h - y, a->w };
    draw_map(p, &map);
}

/* Another page is walked, one beside this. */
static void turn_page(struct tui *t, struct pane *p, int by)
{
    struct paging_pane *g = p->state;
    uint64_t page = (t->has_walk_at ? t->walk_at : g->gla) & PAGE_MASK;
    t->walk_at = page + (uint64_t)(int64_t)by * PAGE_SIZE;
    t->has_walk_at = true;
    paging_follow(p);
}

static void walk_selected(struct tui *t, struct pane *p, int arg)
{
    (void)arg;
    t->has_walk_at = false;
    paging_follow(p);
}

static const struct key paging_keys[] = {
    { 'l', KEY_RIGHT, NULL, "the next page", turn_page, 1, ALWAYS },
    { 'h', KEY_LEFT, NULL, "the page before", turn_page, -1, ALWAYS },
    { 'w', 0, NULL, "again the address of the selected event", walk_selected, 0, ALWAYS },
    { 0 }
};

static void paging_title(struct pane *p, char *buf, size_t n)
{
    const struct tui *t = p->tui;
    snprintf(buf, n, "%s%s", t->has_walk_at ? "of :walk" : "of the selected event's address",
             t->link ? ", tables as they are now" : "");
}

const struct pane_ops pane_paging = {
    .name = "paging",
    .about = "the walk from gla to gpa to hva, what changed in the tables, a map of pages",
    .state_bytes = sizeof(struct paging_pane), .keys = paging_keys,
    .open = paging_open, .close = paging_close, .title = paging_title, .draw = paging_draw,
    .follow_selection = paging_follow, .guest_stopped = paging_stopped, .work = paging_work,
};
