/*
 * A right solution of another kind: the shadow as nothing but a TLB in memory.  No table of the
 * guest is write-protected.  A load of CR3 empties everything, INVLPG one page; what is needed
 * again is filled again.  Short, and three times as many faults.
 */
#include <stdlib.h>
#include <string.h>

#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

#define MAX_FRAMES 1000

struct shadow {
    struct gmem *gmem;
    struct hmem *hmem;
    struct paging pg;
    struct shadow_regs regs;
    bool  flush, has_large;
    hpa_t frame[MAX_FRAMES];            /* taken once and used again and again */
    unsigned n_used, n_frames;
};

struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t)
{
    struct shadow *s = calloc(1, sizeof *s);
    (void)t;
    s->gmem = m;
    s->hmem = h;
    s->regs.wp = true;
    s->regs.gla_mask = FIELD(31, 0);
    return s;
}

void shadow_free(struct shadow *s)
{
    free(s);
}

static void empty(struct shadow *s)
{
    for (unsigned i = 0; i < s->n_used; i++)
        memset(hmem_table(s->hmem, s->frame[i]), 0, PAGE_SIZE);
    s->n_used = 0;
    s->regs.cr3[0] = s->regs.cr3[1] = HMEM_NONE;
    s->flush = true;
    s->has_large = false;
}

static hpa_t take(struct shadow *s)
{
    if (s->n_used == s->n_frames && s->n_frames < MAX_FRAMES) {
        s->frame[s->n_frames] = hmem_table_new(s->hmem);
        s->n_frames += s->frame[s->n_frames] != HMEM_NONE;
    }
    return s->n_used < s->n_frames ? s->frame[s->n_used++] : HMEM_NONE;
}

void shadow_switch(struct shadow *s, const struct paging *pg)
{
    unsigned levels = walk_levels(pg);
    empty(s);
    s->pg = *pg;
    s->regs.gla_mask = levels == 4 ? FIELD(47, 0) : FIELD(31, 0);
    s->regs.smep = levels && (pg->cr4 & CR4_SMEP);
    s->regs.smap = levels && (pg->cr4 & CR4_SMAP);
}

/* The leaf's place, or NULL.  With CR0.WP clear a page may be the kernel's to write and not the
 * user's: the two always have trees of their own here. */
static uint64_t *leaf_at(struct shadow *s, gla_t gla, unsigned view, bool make)
{
    hpa_t at = s->regs.cr3[view];
    if (at == HMEM_NONE && make)
        at = s->regs.cr3[view] = take(s);
    for (unsigned level = 4; level > 1 && at != HMEM_NONE; level--) {
        uint64_t *e = &hmem_table(s->hmem, at)[table_index(gla, level)];
        if (!*e && make) {
            hpa_t below = take(s);
            if (below == HMEM_NONE)
                return NULL;
            *e = below | PTE_P | PTE_W | PTE_U;
        }
        at = *e & PTE_ADDR;
    }
    return at == HMEM_NONE ? NULL : &hmem_table(s->hmem, at)[table_index(gla, 1)];
}

static uint64_t leaf_of(struct shadow *s, const struct walk *w)
{
    const struct gmem_region *r = gmem_find(s->gmem, w->gpa);
    bool writable = w->dirty && w->writable;
    uint64_t e = (w->user ? PTE_U : 0);
    unsigned pae = walk_levels(&s->pg) == 3;
    for (unsigned i = pae; i < w->depth; i++)
        e |= w->step[i].entry & PTE_NX;
    if (!r)
        return e | SHADOW_MMIO | (w->gpa & PAGE_MASK) | (writable ? PTE_W : 0);
    e |= PTE_P | (HMEM_GUEST + (w->gpa & PAGE_MASK));
    if (writable)
        e |= r->kind == GMEM_ROM ? SHADOW_ROM : PTE_W;
    return e;
}

enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w)
{
    struct paging pg = s->pg;
    unsigned view = walk_is_user(access);
    gla &= s->regs.gla_mask;
    pg.ac = access & WALK_AC;
    walk(&pg, s->gmem, gla, access, w);
    if (w->result != WALK_OK)
        return SHADOW_TRUE;
    uint64_t *leaf = leaf_at(s, gla, view, true);
    if (!leaf) {                        /* there are no more frames: begin anew */
        empty(s);
        leaf = leaf_at(s, gla, view, true);
    }
    if (!leaf)
        return SHADOW_FAILED;
    s->flush |= *leaf != 0;
    *leaf = leaf_of(s, w);
    s->has_large |= w->page_size > PAGE_SIZE;
    return SHADOW_FILLED;
}

void shadow_invlpg(struct shadow *s, gla_t gla)
{
    if (s->has_large) {
        empty(s);
        return;
    }
    for (unsigned view = 0; view < 2; view++) {
        uint64_t *leaf = leaf_at(s, gla & s->regs.gla_mask, view, false);
        if (leaf)
            *leaf = 0;
    }
}

void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len)
{
    (void)gpa, (void)len;
    empty(s);
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
