/*
 * debugger/tui/paging.c -- the pane that translates: gla -> gpa by the guest's
 * tables, gpa -> hva by the monitor's, each entry on the way (tui/walk.c); what
 * changed in the guest's tables since the stop before; and a map of which pages
 * the monitor has mapped how often.
 *
 * The address is that of the selected event (the one it faulted on, else its RIP),
 * or one that was asked for (`:walk ADDRESS`).  Live, the tables are as they are
 * now.  A recording holds no tables: then what the trace says of that page is
 * shown instead.  The map comes from the trace in both cases.
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

struct paging_pane {
    struct walk_view view;
    struct table_shot *shot, *shot_before;      /* of the guest's tables at the last two stops */
    struct table_change change[16];
    size_t   n_changes;
    uint64_t counted_from, n_mapped, n_dropped; /* by the monitor, since the stop before */
    uint8_t *heat;              /* how often mapped or dropped, up to 255 */
    uint64_t *when;             /* index of the last such event, + 1      */
    uint64_t done, last_page;
    struct filter *fills;
    uint64_t gla, gpa;          /* of the selected event */
    bool     has_gpa;
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

static bool field(const char *name, const struct trace_event *e, uint64_t *value)
{
    const struct trace_field *f = trace_field_find(name, strlen(name));
    return f && trace_field_value(f, e, value);
}

/*
 * The map
 */

static bool count_page(void *arg, uint64_t index, const struct trace_event *e)
{
    struct paging_pane *g = arg;
    uint64_t gpa;
    bool mapped = e->kind == TRACE_NESTED_FILL || e->kind == TRACE_SHADOW_FILL;
    g->n_mapped += mapped && index >= g->counted_from;
    g->n_dropped += !mapped && index >= g->counted_from;
    if (!field("gpa", e, &gpa) || gpa >> PAGE_SHIFT >= MAX_PAGES)
        return true;
    uint64_t page = gpa >> PAGE_SHIFT;
    g->heat[page] += g->heat[page] < UINT8_MAX;
    g->when[page] = index + 1;
    g->last_page = page > g->last_page ? page : g->last_page;
    return true;
}

static bool paging_work(struct pane *p, uint64_t budget_ns)
{
    struct paging_pane *g = p->state;
    uint64_t n = tui_n_events(p->tui), end_ns = host_monotonic_ns() + budget_ns, before = g->done;
    if (g->counted_from != live_new_from(p->tui)) {
        g->counted_from = live_new_from(p->tui);
        g->n_mapped = g->n_dropped = 0;
    }
    while (g->done < n && host_monotonic_ns() < end_ns) {
        uint64_t to = g->done + 4096 < n ? g->done + 4096 : n;
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
    draw_text(a, y, x, here ? ROLE_CURSOR : is_new && most ? ROLE_CHANGED : most
              ? heat_role(most) : ROLE_HEAT0, text);
}

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
                "pages mapped or dropped: . never  - once  + up to 7  # more; column: "
                "%" PRIu64 " page%s", pages, pages == 1 ? "" : "s");
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

/* The guest's tables, kept at every stop while somebody looks. */
static void paging_stopped(struct pane *p)
{
    struct paging_pane *g = p->state;
    if (!p->shown && !g->shot)
        return;
    table_shot_free(g->shot_before);
    g->shot_before = g->shot;
    g->shot = table_shot_take(p->tui->link, &p->tui->live.now);
    g->n_changes = g->shot_before ? table_diff(g->shot_before, g->shot, g->change,
                                               NELEM(g->change)) : 0;
}

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
        x = draw_format(a, y, x, tui_role_of(e), "%s ", e->kind < N_TRACE_KINDS
                        ? trace_kinds[e->kind].name : "?");
        draw_text(a, y++, x, ROLE_TEXT, trace_text_args(store_text(p->tui->store), e, args,
                                                        sizeof args));
    }
    if (!g->n_told)
        draw_text(a, y++, 1, ROLE_DIM, "nothing");
    return y;
}

static void look_back(struct tui *t, struct paging_pane *g)
{
    char text[300];
    struct filter_error err;
    uint64_t page = (g->has_gpa ? g->gpa : g->gla) & PAGE_MASK, gla = g->gla & PAGE_MASK,
             at = t->cursor;
    g->n_told = 0;
    snprintf(text, sizeof text,
             "kind in (NESTED_FILL, NESTED_ZAP, SHADOW_FILL, SHADOW_ZAP, FAULT_TRUE) && "
             "(gpa in %#" PRIx64 "..%#" PRIx64 " || gla in %#" PRIx64 "..%#" PRIx64 ")", page,
                 page | 0xfff, gla, gla | 0xfff);
    struct filter *f = filter_compile(text, NULL, &err);
    while (f && tui_n_events(t) && g->n_told < MAX_TOLD &&
           store_prev(t->store, f, &at, 2000000) == STORE_FOUND) {
        const struct trace_event *e = store_at(t->store, at);
        if (e)
            g->told[g->n_told++] = *e;
        if (!at--)
            break;
    }
    filter_free(f);
}

static void paging_follow(struct pane *p)
{
    struct paging_pane *g = p->state;
    struct tui *t = p->tui;
    if (!t->has_event)
        return;
    if (!field("gla", &t->event, &g->gla))
        g->gla = t->event.rip;
    g->has_gpa = field("gpa", &t->event, &g->gpa);
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
    t->walk_at = ((t->has_walk_at
                   ? t->walk_at : g->gla) & PAGE_MASK) + (uint64_t)(int64_t)by * PAGE_SIZE;
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
    .name = "paging", .about =
        "the walk from gla to gpa to hva, what changed in the tables, a map of pages",
    .state_bytes = sizeof(struct paging_pane), .keys = paging_keys, .guest_stopped = paging_stopped,
        .open = paging_open, .close = paging_close, .title = paging_title,
    .draw = paging_draw, .follow_selection = paging_follow, .work = paging_work,
};
