/*
 * debugger/link/linear_map.c -- see linear_map.h.
 */
#include "debugger/link/linear_map.h"

#include <string.h>

#include "base/x86.h"
#include "debugger/link/link.h"

void linear_map_begin(struct linear_map *m, const struct link *l)
{
    struct cpu_state s;
    memset(m, 0, offsetof(struct linear_map, cached));
    link_get_groups(l, LINK_CORE, &s);
    m->link = l;
    m->pg = paging_for_debugger(&s);    /* rights as the tables give them, whoever asks */
    m->pg.cr0 |= CR0_WP;
    m->pg.cr4 &= ~(CR4_SMEP | CR4_SMAP);
}

/* The 4 KiB of page table at `at`. The last four are kept: going up through the addresses,
 * the walk meets the same upper tables again and again, and each time would be a pread(). */
static const uint64_t *table_page(struct linear_map *m, gpa_t at)
{
    for (unsigned i = 0; i < NELEM(m->at); i++)
        if (m->filled[i] && m->at[i] == at)
            return m->cached[i];
    unsigned i = m->next++ % NELEM(m->at);
    m->filled[i] = true;
    m->at[i] = at;
    if (link_read_phys(m->link, at, m->cached[i], PAGE_SIZE))
        memset(m->cached[i], 0xff, PAGE_SIZE);  /* no memory: the bus reads as ones */
    return m->cached[i];
}

/* The walker's way to an entry (struct walk_source, mem/walk.h). Nothing is ever written:
 * the walk only peeks. */
static void *read_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct linear_map *m = arg;
    (void)write;
    m->entry = 0;
    memcpy(&m->entry, (const char *)table_page(m, at & PAGE_MASK) + (at & ~PAGE_MASK), size);
    return &m->entry;
}

/* What memory is behind the piece at address `at`? A large page may cover RAM, ROM and a
 * gap; the piece is then cut down to the region, or the gap between two regions, that
 * contains `at`. */
static void look_behind(const struct linear_map *m, gla_t at, struct linear_piece *p)
{
    const struct gmem_region *r;
    size_t n = link_regions(m->link, &r);
    gpa_t gpa = p->gpa + (at - p->from), lowest = p->gpa, highest = p->gpa + (p->last - p->from);
    for (size_t i = 0; i < n; i++) {
        gpa_t end = r[i].base + r[i].size - 1;
        if (gpa >= r[i].base && gpa <= end) {
            p->behind = r[i].kind == GMEM_ROM ? BEHIND_ROM : BEHIND_RAM;
            lowest = r[i].base > lowest ? r[i].base : lowest;
            highest = end < highest ? end : highest;
        } else if (end < gpa && end >= lowest) {
            lowest = end + 1;
        } else if (r[i].base > gpa && r[i].base <= highest) {
            highest = r[i].base - 1;
        }
    }
    p->last = p->from + (highest - p->gpa);
    p->from += lowest - p->gpa;
    p->gpa = lowest;
}

/* Is `at` no linear address at all?  With 4-level paging only addresses whose bits 63 to 47
 * are all equal exist, otherwise only those below 4 GiB. If it is none, the piece is the
 * whole hole. */
static bool outside(unsigned levels, gla_t at, struct linear_piece *p)
{
    p->from = levels == 4 ? BIT(47) : BIT(32);      /* [SDM 1 "Canonical Addressing"] */
    p->last = levels == 4 ? ~BIT(47) : UINT64_MAX;
    return at >= p->from && at <= p->last;
}

void linear_map_at(struct linear_map *m, gla_t at, struct linear_piece *p)
{
    unsigned levels = walk_levels(&m->pg), bits = levels == 2 ? 10 : 9;
    struct walk w;
    *p = (struct linear_piece){ .present = false };
    if (outside(levels, at, p))
        return;
    if (!levels) {
        *p = (struct linear_piece){ 0, UINT32_MAX, true, true, true, true, 0, BEHIND_NOTHING };
        look_behind(m, at, p);
        return;
    }
    walk_from(&m->pg, &(struct walk_source){ read_entry, m }, at, WALK_READ | WALK_PEEK, &w);
    /* If the walk ended at a missing entry, w.depth says at which level.  The hole is as
     * large as what that entry would translate: 512 (or 1024) pages for each level below
     * it. */
    unsigned below = levels - (w.depth ? w.depth : 1);
    uint64_t size = w.result == WALK_OK ? w.page_size : UINT64_C(1) << (12 + bits * below);
    p->from = at & ~(size - 1);
    p->last = p->from + (size - 1);
    if (w.result != WALK_OK)
        return;
    p->present = true;
    p->writable = w.writable;
    p->user = w.user;
    p->executable = w.executable;
    p->gpa = w.gpa & ~(size - 1);
    look_behind(m, at, p);
}

bool linear_alike(const struct linear_piece *a, const struct linear_piece *b)
{
    return a->present == b->present && a->writable == b->writable && a->user == b->user &&
           a->executable == b->executable && a->behind == b->behind;
}
