/*
 * A right solution of a fourth kind: the shadow is made when CR3 is loaded, not when a page
 * faults.  The guest's tables are read from the root down, and each small page whose A bits are
 * set is entered at once, writable if its D bit is: a processor that has been there before would
 * have it in its TLB.  What is left for faults is the first touch, the first write, and large
 * pages.  No table of the guest is write-protected, and nothing is kept of a space that is away.
 */
#include <stdlib.h>
#include <string.h>

#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

#define MAX_FRAMES 128
#define SPARE      16                   /* frames that stay for faults */

struct shadow {
    struct gmem *gmem;
    struct hmem *hmem;
    struct paging pg;
    struct shadow_regs regs;
    hpa_t root[2];                      /* [1] only if user and kernel do not see the same */
    bool  flush, has_large;
    hpa_t frame[MAX_FRAMES];
    unsigned n_used, n_frames;
};

struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t)
{
    struct shadow *s = calloc(1, sizeof *s);
    (void)t;
    s->gmem = m;
    s->hmem = h;
    s->regs = (struct shadow_regs){ .gla_mask = FIELD(31, 0), .wp = true };
    return s;
}

void shadow_free(struct shadow *s)
{
    free(s);
}

/* With CR0.WP clear the kernel writes everywhere, and its user does not. */
static unsigned n_trees(const struct shadow *s)
{
    return walk_levels(&s->pg) && !(s->pg.cr0 & CR0_WP) ? 2 : 1;
}

static void show_roots(struct shadow *s)
{
    s->regs.cr3[0] = s->root[0];
    s->regs.cr3[1] = s->root[n_trees(s) - 1];
}

static void empty(struct shadow *s)
{
    for (unsigned i = 0; i < s->n_used; i++)
        memset(hmem_table(s->hmem, s->frame[i]), 0, PAGE_SIZE);
    s->n_used = 0;
    s->root[0] = s->root[1] = HMEM_NONE;
    s->has_large = false;
    s->flush = true;
}

static hpa_t take(struct shadow *s)
{
    if (s->n_used == s->n_frames && s->n_frames < MAX_FRAMES) {
        s->frame[s->n_frames] = hmem_table_new(s->hmem);
        s->n_frames += s->frame[s->n_frames] != HMEM_NONE;
    }
    return s->n_used < s->n_frames ? s->frame[s->n_used++] : HMEM_NONE;
}

/* Where the leaf for gla is, in one of the trees; NULL if there is none, or no frame to make it. */
static uint64_t *leaf_at(struct shadow *s, unsigned tree, gla_t gla, bool make)
{
    hpa_t at = s->root[tree];
    if (at == HMEM_NONE && make)
        at = s->root[tree] = take(s);
    for (unsigned level = 4; level > 1 && at != HMEM_NONE; level--) {
        uint64_t *e = &hmem_table(s->hmem, at)[table_index(gla, level)];
        hpa_t below = *e || !make ? HMEM_NONE : take(s);
        if (below != HMEM_NONE)
            *e = below | PTE_P | PTE_W | PTE_U;
        at = *e & PTE_ADDR;
    }
    return at == HMEM_NONE ? NULL : &hmem_table(s->hmem, at)[table_index(gla, 1)];
}

static uint64_t leaf_of(const struct shadow *s, const struct walk *w)
{
    const struct gmem_region *r = gmem_find(s->gmem, w->gpa);
    bool writable = w->dirty && w->writable;
    uint64_t e = w->user ? PTE_U : 0;
    for (unsigned i = walk_levels(&s->pg) == 3; i < w->depth; i++)
        e |= w->step[i].entry & PTE_NX;
    if (!r)
        return e | SHADOW_MMIO | (w->gpa & PAGE_MASK) | (writable ? PTE_W : 0);
    e |= PTE_P | (HMEM_GUEST + (w->gpa & PAGE_MASK));
    if (writable)
        e |= r->kind == GMEM_ROM ? SHADOW_ROM : PTE_W;
    return e;
}

/* ---- when CR3 is loaded ---- */

/* A small page that was used before: as a walk says that it is now. */
static void enter(struct shadow *s, gla_t gla)
{
    struct paging pg = s->pg;
    struct walk w;
    pg.ac = true;
    for (unsigned tree = 0; tree < n_trees(s); tree++) {
        walk(&pg, s->gmem, gla, WALK_READ | WALK_PEEK | (tree ? WALK_USER : 0), &w);
        uint64_t *leaf = w.result != WALK_OK || s->n_used + SPARE > MAX_FRAMES
                         ? NULL : leaf_at(s, tree, gla, true);
        if (leaf)
            *leaf = leaf_of(s, &w);
    }
}

/* The guest's table of this level: small pages whose A bits are set, down to the last one. */
static void compose(struct shadow *s, gpa_t at, unsigned level, gla_t base)
{
    unsigned levels = walk_levels(&s->pg), size = levels == 2 ? 4 : 8;
    unsigned n = level == 3 && levels == 3 ? 4 : (unsigned)PAGE_SIZE / size;
    unsigned shift = 12 + (levels == 2 ? 10 : 9) * (level - 1);
    char table[PAGE_SIZE];
    if (gmem_read(s->gmem, at, table, n * size))
        return;
    for (unsigned i = 0; i < n; i++) {
        gla_t gla = base | (gla_t)i << shift;
        uint64_t e = 0;
        memcpy(&e, table + i * size, size);
        bool used = (e & PTE_A) || (level == 3 && levels == 3);     /* a PDPTE has no A */
        if (!(e & PTE_P) || !used)
            continue;
        if (level == 1)
            enter(s, gla);
        else if (!(e & PTE_PS))
            compose(s, e & PTE_ADDR, level - 1, gla);
    }
}

static void begin(struct shadow *s)
{
    static const unsigned root_at[5] = { [2] = 12, [3] = 5, [4] = 12 };
    unsigned levels = walk_levels(&s->pg);
    empty(s);
    if (levels)
        compose(s, s->pg.cr3 & FIELD(levels == 4 ? MAXPHYADDR - 1 : 31, root_at[levels]), levels, 0);
    show_roots(s);
}

void shadow_switch(struct shadow *s, const struct paging *pg)
{
    unsigned levels = walk_levels(pg);
    s->pg = *pg;
    s->regs.gla_mask = levels == 4 ? FIELD(47, 0) : FIELD(31, 0);
    s->regs.smep = levels && (pg->cr4 & CR4_SMEP);
    s->regs.smap = levels && (pg->cr4 & CR4_SMAP);
    begin(s);
}

/* ---- what is left for faults, and what is taken away ---- */

enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w)
{
    struct paging pg = s->pg;
    unsigned tree = n_trees(s) == 2 && walk_is_user(access);
    gla &= s->regs.gla_mask;
    pg.ac = access & WALK_AC;
    walk(&pg, s->gmem, gla, access, w);
    if (w->result != WALK_OK)
        return SHADOW_TRUE;
    uint64_t *leaf = leaf_at(s, tree, gla, true);
    if (!leaf) {                        /* there are no more frames: begin anew */
        empty(s);
        leaf = leaf_at(s, tree, gla, true);
    }
    if (!leaf)
        return SHADOW_FAILED;
    s->flush |= *leaf != 0;
    *leaf = leaf_of(s, w);
    s->has_large |= w->page_size > PAGE_SIZE;
    show_roots(s);
    return SHADOW_FILLED;
}

void shadow_invlpg(struct shadow *s, gla_t gla)
{
    if (s->has_large)
        begin(s);
    for (unsigned tree = 0; tree < 2; tree++) {
        uint64_t *leaf = leaf_at(s, tree, gla & s->regs.gla_mask, false);
        if (leaf)
            *leaf = 0;
    }
}

void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len)
{
    (void)gpa, (void)len;
    begin(s);
}

bool shadow_take_flush(struct shadow *s)
{
    bool flush = s->flush;
    s->flush = false;
    return flush;
}

const struct shadow_regs *shadow_registers(const struct shadow *s)
{
    return &s->regs;
}
