/*
 * A right solution of a third kind: a tree for each address space, kept while the guest is in
 * another one, and no table of the guest write-protected.  When the guest comes back (or says
 * INVLPG of a large page) each leaf is compared with what the guest's tables say now, and only
 * what is old goes.  That costs the monitor time and the guest no faults.
 */
#include <stdlib.h>
#include <string.h>

#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

#define MAX_FRAMES 2000
#define MAX_SPACES 16

struct space { struct paging pg; hpa_t root[2]; bool used, has_large; };

struct shadow {
    struct gmem *gmem;
    struct hmem *hmem;
    struct shadow_regs regs;
    bool  flush;
    struct space space[MAX_SPACES], *now;
    unsigned next;
    hpa_t frame[MAX_FRAMES];
    unsigned n_used, n_frames;
};

struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t)
{
    struct shadow *s = calloc(1, sizeof *s);
    (void)t;
    s->gmem = m;
    s->hmem = h;
    s->now = &s->space[0];
    s->regs = (struct shadow_regs){ .gla_mask = FIELD(31, 0), .wp = true };
    return s;
}

void shadow_free(struct shadow *s)
{
    free(s);
}

/* All spaces but the current one are forgotten, and that one is empty. */
static void empty(struct shadow *s)
{
    struct paging pg = s->now->pg;
    for (unsigned i = 0; i < s->n_used; i++)
        memset(hmem_table(s->hmem, s->frame[i]), 0, PAGE_SIZE);
    s->n_used = 0;
    memset(s->space, 0, sizeof s->space);
    *s->now = (struct space){ .pg = pg, .used = true };
    s->flush = true;
}

static hpa_t take(struct shadow *s)
{
    if (s->n_used == s->n_frames && s->n_frames < MAX_FRAMES) {
        hpa_t frame = hmem_table_new(s->hmem);
        if (frame == HMEM_NONE)
            return HMEM_NONE;
        s->frame[s->n_frames++] = frame;
    }
    return s->n_used < s->n_frames ? s->frame[s->n_used++] : HMEM_NONE;
}

static uint64_t leaf_of(struct shadow *s, const struct walk *w)
{
    const struct gmem_region *r = gmem_find(s->gmem, w->gpa);
    uint64_t e = w->user ? PTE_U : 0, w_bit = w->dirty && w->writable ? PTE_W : 0;
    for (unsigned i = walk_levels(&s->now->pg) == 3; i < w->depth; i++)
        e |= w->step[i].entry & PTE_NX;
    if (!r)
        return e | SHADOW_MMIO | (w->gpa & PAGE_MASK) | w_bit;
    e |= PTE_P | (HMEM_GUEST + (w->gpa & PAGE_MASK));
    return e | (w_bit && r->kind == GMEM_ROM ? SHADOW_ROM : w_bit);
}

/* Does the guest still say at least what the leaf does? */
static bool is_true(struct shadow *s, gla_t gla, unsigned view, uint64_t leaf)
{
    struct paging pg = s->now->pg;
    struct walk w;
    pg.ac = true;
    walk(&pg, s->gmem, gla, (view ? WALK_USER : 0) | WALK_READ | WALK_PEEK, &w);
    if (w.result != WALK_OK)
        return false;
    for (unsigned i = walk_levels(&pg) == 3; i < w.depth; i++)
        if (!(w.step[i].entry & PTE_A))
            return false;
    return leaf == leaf_of(s, &w);
}

static void validate(struct shadow *s, hpa_t at, unsigned level, gla_t base, unsigned view)
{
    uint64_t *table = at == HMEM_NONE ? NULL : hmem_table(s->hmem, at);
    for (unsigned i = 0; table && i < TABLE_ENTRIES; i++) {
        gla_t gla = base + ((gla_t)i << (12 + 9 * (level - 1)));
        if (!table[i])
            continue;
        if (level > 1)
            validate(s, table[i] & PTE_ADDR, level - 1, gla, view);
        else if (!is_true(s, gla, view, table[i])) {
            table[i] = 0;
            s->flush = true;
        }
    }
}

/* The kernel and its user see the same, but with CR0.WP clear the kernel writes everywhere. */
static unsigned trees(const struct shadow *s)
{
    return walk_levels(&s->now->pg) && !(s->now->pg.cr0 & CR0_WP) ? 2 : 1;
}

static void validate_all(struct shadow *s)
{
    for (unsigned view = 0; view < trees(s); view++)
        validate(s, s->now->root[view], 4, 0, view);
}

static void show_roots(struct shadow *s)
{
    s->regs.cr3[0] = s->now->root[0];
    s->regs.cr3[1] = s->now->root[trees(s) - 1];
}

static struct space *find_space(struct shadow *s, const struct paging *pg)
{
    for (unsigned i = 0; i < MAX_SPACES; i++) {
        const struct paging *p = &s->space[i].pg;
        if (s->space[i].used && p->cr0 == pg->cr0 && p->cr3 == pg->cr3 && p->cr4 == pg->cr4 &&
            p->efer == pg->efer)
            return &s->space[i];
    }
    struct space *new = &s->space[s->next++ % MAX_SPACES];
    *new = (struct space){ .pg = *pg, .used = true };
    return new;
}

void shadow_switch(struct shadow *s, const struct paging *pg)
{
    unsigned levels = walk_levels(pg);
    s->now = find_space(s, pg);
    s->regs.gla_mask = levels == 4 ? FIELD(47, 0) : FIELD(31, 0);
    s->regs.smep = levels && (pg->cr4 & CR4_SMEP);
    s->regs.smap = levels && (pg->cr4 & CR4_SMAP);
    validate_all(s);
    show_roots(s);
    s->flush = true;
}

static uint64_t *leaf_at(struct shadow *s, gla_t gla, unsigned view, bool make)
{
    hpa_t *root = &s->now->root[view];
    if (*root == HMEM_NONE && make)
        *root = take(s);
    hpa_t at = *root;
    for (unsigned level = 4; level > 1 && at != HMEM_NONE; level--) {
        uint64_t *e = &hmem_table(s->hmem, at)[table_index(gla, level)];
        hpa_t below = *e || !make ? HMEM_NONE : take(s);
        if (below != HMEM_NONE)
            *e = below | PTE_P | PTE_W | PTE_U;
        at = *e & PTE_ADDR;
    }
    return at == HMEM_NONE ? NULL : &hmem_table(s->hmem, at)[table_index(gla, 1)];
}

enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w)
{
    struct paging pg = s->now->pg;
    gla &= s->regs.gla_mask;
    pg.ac = access & WALK_AC;
    walk(&pg, s->gmem, gla, access, w);
    if (w->result != WALK_OK)
        return SHADOW_TRUE;
    unsigned view = trees(s) == 2 && walk_is_user(access);
    uint64_t *leaf = leaf_at(s, gla, view, true);
    if (!leaf) {                        /* there are no more frames: begin anew */
        empty(s);
        leaf = leaf_at(s, gla, view, true);
    }
    if (!leaf)
        return SHADOW_FAILED;
    s->flush |= *leaf != 0;
    *leaf = leaf_of(s, w);
    s->now->has_large |= w->page_size > PAGE_SIZE;
    show_roots(s);
    return SHADOW_FILLED;
}

void shadow_invlpg(struct shadow *s, gla_t gla)
{
    for (unsigned view = 0; view < trees(s) && !s->now->has_large; view++) {
        uint64_t *leaf = leaf_at(s, gla & s->regs.gla_mask, view, false);
        if (leaf)
            *leaf = 0;
    }
    if (s->now->has_large)
        validate_all(s);
}

void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len)
{
    (void)gpa, (void)len;
    empty(s);
    show_roots(s);
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
