/*
 * mem/shadow_save.c -- shadow pages as bytes, and back.
 *
 * Saved are the pages with their names, and their entries with guest-physical
 * addresses instead of the host's; an entry that points to a shadow page names
 * it by its number.  The lists are made anew as the entries are put in.  Pages
 * stand in order of their number, each as long as the next, so that two savings
 * shortly after each other differ in few places.
 *
 * What is loaded may have been made by anybody: everything is looked at before
 * anything is changed.  A shadow can then say something untrue of the guest's
 * tables, which hurts that guest; it cannot lead out of guest memory.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/host.h"
#include "mem/shadow_page.h"

/* enter: the k-th page to be named is number all[k].enter - 1; 0: that was all.  Pages of
 * one frame are dropped in the order of their bucket, and what is counted then shows it. */
struct saved_page {
    uint64_t gpa;
    uint32_t role;
    uint16_t used, enter;
    uint64_t entry[TABLE_ENTRIES];
};

struct saved_head {
    uint64_t cr0, cr3, cr4, efer;
    uint32_t root[2];                   /* index + 1 */
    uint32_t flush, aged, n_pages, n_unsync;
    gpa_t    unsync[MAX_UNSYNC];
    struct shadow_stats stats;
};

/* ---- saving ---- */

static uint64_t saved_entry(const struct spage *p, uint64_t e)
{
    if (!(e & PTE_P))
        return e;
    if (key_level(p->key) > 1)
        return e & ~PTE_ADDR;
    return (e & ~PTE_ADDR) | leaf_page(e);
}

static void save_page(const struct spage *p, struct bytes_out *o)
{
    struct saved_page out = { .used = p->used };
    if (p->used) {
        out.gpa = p->key.gpa;
        out.role = p->key.role;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            if (p->table[i])
                out.entry[i] = saved_entry(p, p->table[i]);
    }
    BYTES_PUT(o, out);
}

/* Each bucket's pages, the last first: entering puts a page before the others. */
static void save_order(const struct shadow *s, uint8_t *all)
{
    uint16_t chain[MAX_PAGES];
    uint32_t n = 0;
    for (unsigned b = 0; b < N_BUCKETS; b++) {
        uint32_t k = 0;
        for (uint32_t i = s->bucket[b]; i; i = s->page[i - 1].next)
            chain[k++] = (uint16_t)i;
        for (; k; n++)
            memcpy(all + n * sizeof(struct saved_page) + offsetof(struct saved_page, enter),
                   &chain[--k], sizeof chain[0]);
    }
}

void shadow_save(const struct shadow *s, struct bytes_out *o)
{
    size_t pages_at;
    struct saved_head h = {
        .cr0 = s->pg.cr0, .cr3 = s->pg.cr3, .cr4 = s->pg.cr4, .efer = s->pg.efer,
        .flush = s->flush, .aged = s->aged, .n_pages = s->n_made,
        .n_unsync = (uint32_t)s->n_unsync, .stats = s->stats,
    };
    while (h.n_pages && !s->page[h.n_pages - 1].used)
        h.n_pages--;
    for (unsigned i = 0; i < 2; i++)
        h.root[i] = s->root[i] ? (uint32_t)(s->root[i] - s->page) + 1 : 0;
    memcpy(h.unsync, s->unsync, sizeof h.unsync);
    BYTES_PUT(o, h);
    pages_at = o->n;
    for (uint32_t i = 0; i < h.n_pages; i++)
        save_page(&s->page[i], o);
    if (!o->bad)
        save_order(s, o->data + pages_at);
}

/* ---- loading ---- */

static bool good_entry(const struct shadow *s, const struct saved_head *h,
                       const struct saved_page *all, const struct saved_page *p, uint64_t e)
{
    unsigned level = p->role >> 13 & 7;
    if (!(e & PTE_P))
        return level == 1 ? !(e & SHADOW_ROM) : !e;
    if (level > 1) {
        uint64_t child = (e & CHILD_INDEX) >> 52;
        return child < h->n_pages && all[child].used && (all[child].role >> 13 & 7) == level - 1 &&
               !(e & PTE_ADDR);
    }
    const struct gmem_region *r = gmem_find(s->gmem, e & PTE_ADDR);
    return r && !((e & PTE_W) && r->kind == GMEM_ROM);
}

/* Every page with a name is entered once. */
static bool good_order(const struct saved_head *h, const struct saved_page *all)
{
    bool seen[MAX_PAGES] = { false };
    uint32_t n = 0, used = 0;
    for (; n < h->n_pages && all[n].enter; n++) {
        uint32_t i = all[n].enter - 1u;
        if (i >= h->n_pages || !all[i].used || seen[i])
            return false;
        seen[i] = true;
    }
    for (uint32_t i = 0; i < h->n_pages; i++)
        used += all[i].used;
    return used == n;
}

static bool good(const struct shadow *s, const struct saved_head *h, const struct saved_page *all)
{
    for (unsigned i = 0; i < 2; i++)
        if (h->root[i] > h->n_pages || (h->root[i] && (!all[h->root[i] - 1].used ||
                                                       (all[h->root[i] - 1].role >> 13 & 7) != 4)))
            return false;
    for (uint32_t i = 0; i < h->n_pages; i++) {
        unsigned level = all[i].role >> 13 & 7;
        if (all[i].used > 1 || (all[i].used && (level < 1 || level > 4)))
            return false;
        for (unsigned k = 0; all[i].used && k < TABLE_ENTRIES; k++)
            if (all[i].entry[k] && !good_entry(s, h, all, &all[i], all[i].entry[k]))
                return false;
    }
    return good_order(h, all);
}

static void put_entry(struct shadow *s, struct spage *p, unsigned slot, uint64_t e)
{
    if (key_level(p->key) > 1) {
        entry_set_child(s, p, slot, &s->page[(e & CHILD_INDEX) >> 52]);
        return;
    }
    if (e & PTE_P)
        e += HMEM_GUEST;
    entry_set_leaf(s, p, slot, e);
}

/* All pages free, none made less; the free list leads to the lowest first. */
static bool make_pages(struct shadow *s, uint32_t n)
{
    shadow_drop_all(s);
    s->free = 0;
    while (s->n_made < n)
        if (!shadow_take_page(s))
            return false;
    for (uint32_t i = s->n_made; i-- > n; ) {
        s->page[i].next = s->free;
        s->free = i + 1;
    }
    return true;
}

static void take_over(struct shadow *s, const struct saved_head *h, const struct saved_page *all)
{
    for (uint32_t i = h->n_pages; i-- > 0; )
        if (!all[i].used) {
            s->page[i].next = s->free;
            s->free = i + 1;
        }
    for (uint32_t k = 0; k < h->n_pages && all[k].enter; k++) {
        uint32_t i = all[k].enter - 1u;
        shadow_enter(s, &s->page[i], (struct key){ all[i].gpa, all[i].role });
    }
    for (uint32_t i = 0; i < h->n_pages; i++)
        for (unsigned k = 0; all[i].used && k < TABLE_ENTRIES; k++)
            if (all[i].entry[k])
                put_entry(s, &s->page[i], k, all[i].entry[k]);
    for (unsigned i = 0; i < 2; i++)
        shadow_set_root(s, i, h->root[i] ? &s->page[h->root[i] - 1] : NULL);
    shadow_set_paging(s, &(struct paging){ .cr0 = h->cr0, .cr3 = h->cr3, .cr4 = h->cr4,
                                           .efer = h->efer });
    s->n_unsync = h->n_unsync;
    memcpy(s->unsync, h->unsync, sizeof s->unsync);
    s->stats = h->stats;
    s->flush = h->flush;
    s->aged = h->aged;
}

bool shadow_load(struct shadow *s, struct bytes_in *in)
{
    struct saved_head h;
    BYTES_GET(in, h);
    if (in->bad || h.n_pages > MAX_PAGES || h.n_unsync > MAX_UNSYNC)
        return false;
    const void *at = bytes_take(in, h.n_pages * sizeof(struct saved_page));
    struct saved_page *all = at ? malloc((h.n_pages + 1) * sizeof *all) : NULL;
    if (!all)
        return false;
    memcpy(all, at, h.n_pages * sizeof *all);       /* it may lie anywhere */
    bool ok = good(s, &h, all) && make_pages(s, h.n_pages);
    if (ok)
        take_over(s, &h, all);
    free(all);
    return ok;
}
