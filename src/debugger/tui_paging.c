/*
 * debugger/tui_paging.c -- the pane that translates: gla -> gpa by the guest's
 * tables, gpa -> hva by the monitor's, each entry on the way; and a map of which
 * pages the monitor has mapped how often.
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
#include "debugger/link.h"
#include "debugger/trace_field.h"
#include "debugger/tui.h"
#include "mem/nested.h"

#define PAGE_SHIFT 12
#define MAX_PAGES (1u << 20)    /* 4 GiB; pages above are not on the map */
#define MAX_TOLD  4             /* events told of a recorded page */

struct paging_pane {
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
    g->fills = filter_compile("kind in (NESTED_FILL, NESTED_ZAP, SHADOW_FILL, SHADOW_ZAP)", NULL, &err);
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

static void draw_cell(struct pane *p, const struct area *a, int y, int x, uint64_t first, uint64_t pages)
{
    struct paging_pane *g = p->state;
    unsigned most = 0;
    bool is_new = false, here = g->has_gpa && g->gpa >> PAGE_SHIFT >= first && g->gpa >> PAGE_SHIFT < first + pages;
    for (uint64_t i = first; i < first + pages && i <= g->last_page; i++) {
        most = g->heat[i] > most ? g->heat[i] : most;
        is_new |= p->tui->link && g->when[i] > p->tui->live.events_before;
    }
    char text[2] = { most == 0 ? '.' : most < 2 ? '-' : most < 8 ? '+' : '#', 0 };
    draw_text(a, y, x, here ? ROLE_CURSOR : is_new && most ? ROLE_CHANGED : most ? heat_role(most) : ROLE_HEAT0, text);
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
    draw_format(a, 0, 1, ROLE_HEAD, "pages mapped or dropped: . never  - once  + up to 7 times  # more; a column is %"
                PRIu64 " page%s", pages, pages == 1 ? "" : "s");
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
 * The walk
 */

static const char *entry_bits(uint64_t e, char *buf, size_t n)
{
    snprintf(buf, n, "%s%s%s%s%s%s%s", e & PTE_P ? "P" : "-", e & PTE_W ? "W" : "-", e & PTE_U ? "U" : "-",
             e & PTE_A ? "A" : "-", e & PTE_D ? "D" : "-", e & PTE_PS ? " large" : "", e & PTE_NX ? " NX" : "");
    return buf;
}

/* Names of the levels, root first, by how many there are. */
static const char *level_name(const struct cpu_state *s, unsigned i)
{
    static const char *const four[] = { "PML4E", "PDPTE", "PDE", "PTE" };
    bool pae = s->cr4 & CR4_PAE, lng = s->efer & EFER_LMA;
    unsigned skip = lng ? 0 : pae ? 1 : 2;
    return i + skip < 4 ? four[i + skip] : "?";
}

static int draw_guest_walk(struct tui *t, const struct area *a, int y, uint64_t gla, struct walk *w)
{
    char bits[40];
    link_walk(t->link, gla, WALK_READ, w);
    int x = draw_format(a, y, 1, ROLE_STRONG, "gla %#" PRIx64, gla);
    if (!(t->live.now.cr0 & CR0_PG)) {
        draw_format(a, y++, x, ROLE_DIM, "   paging is off: the linear address is the physical one");
    } else {
        draw_format(a, y++, x, ROLE_DIM, "   the guest's tables, from CR3 %#" PRIx64, t->live.now.cr3);
        for (unsigned i = 0; i < w->depth; i++)
            draw_format(a, y++, 1 + 2 * (int)i, ROLE_GUEST, "%s %s at gpa %#" PRIx64 " is %#" PRIx64 "  %s", glyph(GLYPH_LAST),
                        level_name(&t->live.now, i), w->step[i].at, w->step[i].entry,
                        entry_bits(w->step[i].entry, bits, sizeof bits));
    }
    if (w->result == WALK_OK)
        draw_format(a, y, 1, ROLE_STRONG, "gpa %#" PRIx64 "  (%s%s, %" PRIu64 " KiB page)", w->gpa,
                    w->writable ? "writable" : "read-only", w->user ? ", user" : "", w->page_size / 1024);
    else
        draw_format(a, y, 1, ROLE_BAD, "#PF, error code %#x: no page there", w->error);
    return y + 1;
}

static int draw_second(struct tui *t, const struct area *a, int y, uint64_t gla, const struct walk *w)
{
    struct link_second s = { 0 };
    const char *mmu = store_info(t->store, "mmu");
    bool shadow = mmu && strcmp(mmu, "shadow") == 0;
    if (!shadow && w->result != WALK_OK)
        return y;
    int err = link_second(t->link, shadow ? gla : w->gpa, &s);
    if (err < 0) {
        draw_text(a, y, 1, ROLE_DIM, "the second translation is the kernel's, and cannot be seen");
        return y + 1;
    }
    draw_format(a, y++, 1, ROLE_DIM, s.is_shadow ? "the shadow of the guest's tables, which the CPU really walks"
                                                 : "the nested table (EPT), which every reference above is walked by too");
    for (unsigned i = 0; i < s.depth && i < 4; i++)
        draw_format(a, y++, 1 + 2 * (int)i, ROLE_MEM, "%s level %u  %#" PRIx64, glyph(GLYPH_LAST), s.step[i].level, s.step[i].entry);
    if (s.ok)
        draw_format(a, y, 1, ROLE_STRONG, "hva %#" PRIx64 "  (%" PRIu64 " KiB page)", s.hva, s.page_size / 1024);
    else
        draw_text(a, y, 1, ROLE_BAD, "not mapped yet: the first touch is an exit");
    return y + 1;
}

/* What the trace says of the page, latest first. */
static int draw_told(struct pane *p, const struct area *a, int y)
{
    struct paging_pane *g = p->state;
    char args[300];
    y = draw_wrapped(a, y, ROLE_DIM, "Page tables are not recorded. What the trace says of this page until here:");
    for (unsigned i = 0; i < g->n_told; i++) {
        const struct trace_event *e = &g->told[i];
        int x = draw_format(a, y, 1, ROLE_DIM, "%8" PRIu64 "  ", e->seq);
        x = draw_format(a, y, x, tui_role_of(e), "%s ", e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?");
        draw_text(a, y++, x, ROLE_TEXT, trace_text_args(store_text(p->tui->store), e, args, sizeof args));
    }
    if (!g->n_told)
        draw_text(a, y++, 1, ROLE_DIM, "nothing");
    return y;
}

static void look_back(struct tui *t, struct paging_pane *g)
{
    char text[300];
    struct filter_error err;
    uint64_t page = (g->has_gpa ? g->gpa : g->gla) & PAGE_MASK, gla = g->gla & PAGE_MASK, at = t->cursor;
    g->n_told = 0;
    snprintf(text, sizeof text, "kind in (NESTED_FILL, NESTED_ZAP, SHADOW_FILL, SHADOW_ZAP, FAULT_TRUE) && "
             "(gpa in %#" PRIx64 "..%#" PRIx64 " || gla in %#" PRIx64 "..%#" PRIx64 ")", page, page | 0xfff, gla, gla | 0xfff);
    struct filter *f = filter_compile(text, NULL, &err);
    while (f && tui_n_events(t) && g->n_told < MAX_TOLD && store_prev(t->store, f, &at, 2000000) == STORE_FOUND) {
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
    if (t->has_walk_at)
        g->gla = t->walk_at;
    if (!t->link)
        look_back(t, g);
}

static void paging_draw(struct pane *p, const struct area *a)
{
    struct paging_pane *g = p->state;
    struct tui *t = p->tui;
    struct walk w;
    int y;
    draw_clear(a);
    if (a->h < 1)
        return;
    if (t->link) {
        y = draw_guest_walk(t, a, 0, t->has_walk_at ? t->walk_at : g->gla, &w);
        y = draw_second(t, a, y, t->has_walk_at ? t->walk_at : g->gla, &w);
        if (w.result == WALK_OK) {
            g->gpa = w.gpa;
            g->has_gpa = true;
        }
    } else {
        int x = draw_format(a, 0, 1, ROLE_STRONG, "gla %#" PRIx64, g->gla);
        if (g->has_gpa)
            draw_format(a, 0, x, ROLE_STRONG, "  gpa %#" PRIx64, g->gpa);
        y = draw_told(p, a, 1);
    }
    y++;
    struct area map = { a->y + y, a->x, a->h - y, a->w };
    draw_map(p, &map);
}

static void paging_title(struct pane *p, char *buf, size_t n)
{
    const struct tui *t = p->tui;
    snprintf(buf, n, "%s%s", t->has_walk_at ? "of :walk" : "of the selected event's address",
             t->link ? ", tables as they are now" : "");
}

const struct pane_ops pane_paging = {
    .name = "paging", .about = "the walk from gla to gpa to hva, and a map of pages",
    .state_bytes = sizeof(struct paging_pane), .open = paging_open, .close = paging_close, .title = paging_title,
    .draw = paging_draw, .follow_selection = paging_follow, .work = paging_work,
};
