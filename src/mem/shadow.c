/*
 * mem/shadow.c -- shadow paging: hidden faults build it, guest writes age it.
 *
 * A shadow tree always has the four levels of the hardware, whatever the guest
 * uses; `origin()` says which guest table, if any, the shadow page of each
 * level is made from:
 *
 *     shadow   4-level   PAE     2-level          large page   no paging
 *       4      PML4      (PDPT)  (directory)                   direct
 *       3      PDPT      PDPT    (directory)                   direct
 *       2      PD        PD      directory, 1/4   1G: direct   direct
 *       1      PT        PT      table, 1/2           direct   direct
 *
 * Rights are collected in the leaf; entries above it allow everything.  A leaf
 * is writable only if the guest's D bit is already set, so that the first
 * write faults and sets it; the A bits were set when the leaf was made.
 *
 * Guest tables are write-protected from the moment a shadow is made of them.
 * A write to one is let through by taking the table *out of sync*: it becomes
 * writable and its shadows may be stale, just as a TLB may be, until the guest
 * does what the manual demands after changing a table: INVLPG or a load of
 * CR3 [SDM 3A "Invalidation of TLBs and Paging-Structure Caches"].  It owes that
 * only for what a processor may have cached.  A table may have been unhooked,
 * invalidated, and then filled anew while nothing led to it; hooked in again
 * where nothing was present, it must be true at once: when an entry comes to
 * lead to a shadow page, what is stale below that goes first.  Dropping
 * the shadows at once and protecting again at the next fault would be simpler,
 * but an instruction that writes a table which it also needs (to be fetched, or
 * to reach its other operand) would then never end.
 *
 * The hardware always runs with CR0.WP set, for else the kernel could write
 * through the protection.  If the guest has WP clear, its supervisor and user
 * accesses follow different trees.
 */
#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "mem/shadow_page.h"

struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t)
{
    struct shadow *s = calloc(1, sizeof *s);
    uint64_t frames = 0;

    if (!s)
        return NULL;
    s->gmem = m;
    s->hmem = h;
    s->trace = t;
    s->n_spans = gmem_count(m);
    s->span = calloc(s->n_spans + 1, sizeof *s->span);
    for (size_t i = 0; s->span && i < s->n_spans; i++) {
        const struct gmem_region *r = gmem_region(m, i);
        s->span[i] = (struct span){ r->base, r->size, (uint32_t)frames, r->kind == GMEM_ROM };
        frames += r->size / PAGE_SIZE;
    }
    s->mappings = calloc(frames + 1, sizeof *s->mappings);
    if (!s->span || !s->mappings) {
        shadow_free(s);
        return NULL;
    }
    s->regs = (struct shadow_regs){ .gla_mask = FIELD(31, 0), .wp = true };  /* no paging: mode 0 */
    return s;
}

void shadow_free(struct shadow *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n_made; i++) {
        hmem_table_free(s->hmem, s->page[i].frame);
        free(s->page[i].node);
    }
    free(s->span);
    free(s->mappings);
    free(s);
}

/* ---- which shadow page ---- */

static unsigned guest_levels(const struct shadow *s)
{
    return s->mode >> 6 & 7;
}

/* The part of the mode that matters for a tree: whose accesses it is for. */
static uint32_t view_mode(const struct shadow *s, bool user)
{
    return user ? s->mode & ~ROLE_EVERY_WRITE : s->mode;
}

static struct key root_key(const struct shadow *s, bool user)
{
    static const unsigned root_at[5] = { [2] = 12, [3] = 5, [4] = 12 };
    unsigned levels = guest_levels(s);
    struct key k = { .role = ROLE_LEVEL(4) | ROLE_W | ROLE_U | ROLE_X };

    if (!levels) {
        k.role |= ROLE_DIRECT;
        return k;
    }
    k.role |= view_mode(s, user);
    k.gpa = s->pg.cr3 & FIELD(levels == 4 ? MAXPHYADDR - 1 : 31, root_at[levels]);
    return k;
}

/* Index into w->step of the guest entry that a shadow entry at `level` is made
 * from, or -1: a large page ended above, or there is no paging. */
static int origin(unsigned levels, unsigned level, const struct walk *w)
{
    static const int8_t step[5][5] = {
        [0] = { [4] = -1, [3] = -1, [2] = -1, [1] = -1 },
        [2] = { [4] =  0, [3] =  0, [2] =  0, [1] =  1 },
        [3] = { [4] =  0, [3] =  0, [2] =  1, [1] =  2 },
        [4] = { [4] =  0, [3] =  1, [2] =  2, [1] =  3 },
    };
    int i = step[levels][level];
    return i >= (int)w->depth ? -1 : i;
}

/* The rights of the first n guest entries, as ROLE_ bits. */
static uint32_t rights_of(unsigned levels, const struct walk *w, unsigned n)
{
    /* lab 5 begin: (void)levels, (void)w, (void)n; return 0; */
    uint32_t rights = ROLE_W | ROLE_U | ROLE_X;

    for (unsigned i = levels == 3 ? 1 : 0; i < n; i++) {    /* a PDPTE has none */
        uint64_t e = w->step[i].entry;
        rights &= (e & PTE_W ? ROLE_W : 0) | (e & PTE_U ? ROLE_U : 0) | (e & PTE_NX ? 0 : ROLE_X);
    }
    return rights;
    /* lab 5 end */
}

/* What the leaf for this walk may allow: W only once D is set. */
static uint32_t leaf_rights(uint32_t mode, unsigned levels, const struct walk *w)
{
    /* lab 5 begin: (void)mode, (void)levels, (void)w; return 0; */
    uint32_t rights = rights_of(levels, w, w->depth);

    if (mode & ROLE_EVERY_WRITE)
        rights |= ROLE_W;
    if (!w->dirty)
        rights &= ~ROLE_W;
    return rights;
    /* lab 5 end */
}

/* The shadow page at `level` (3 to 1) on the way to gla. */
static struct key key_for(uint32_t mode, unsigned levels, gla_t gla, unsigned level,
                          const struct walk *w)
{
    /* lab 5 begin: (void)(mode + levels + gla + level), (void)w; return (struct key){ 0 }; */
    int i = origin(levels, level, w);
    struct key k = { .role = ROLE_LEVEL(level) };

    if (i < 0) {
        k.gpa = w->gpa & ~(BIT(12 + 9 * level) - 1);
        k.role |= ROLE_DIRECT | leaf_rights(mode, levels, w);
        return k;
    }
    k.gpa = w->step[i].at & (levels == 3 && i == 0 ? ~UINT64_C(31) : PAGE_MASK);
    k.role |= mode | rights_of(levels, w, (unsigned)i);
    if (levels == 2 && level == 2)
        k.role |= ROLE_QUADRANT(gla >> 30 & 3);
    if (levels == 2 && level == 1)
        k.role |= ROLE_QUADRANT(gla >> 21 & 1);
    return k;
    /* lab 5 end */
}

/* ---- filling ---- */

static uint64_t make_leaf(struct shadow *s, uint32_t rights, const struct walk *w)
{
    /* lab 5 begin: (void)s, (void)rights, (void)w; return 0; */
    const struct gmem_region *r = gmem_find(s->gmem, w->gpa);
    gpa_t page = w->gpa & PAGE_MASK;
    uint64_t e = (rights & ROLE_U ? PTE_U : 0) | (rights & ROLE_X ? 0 : PTE_NX);

    if (!r)
        return e | page | SHADOW_MMIO | (rights & ROLE_W ? PTE_W : 0);
    e |= PTE_P | (HMEM_GUEST + page);
    if (!(rights & ROLE_W))
        return e;
    if (r->kind == GMEM_ROM)
        return e | SHADOW_ROM;
    return frame_is_protected(s, page) ? e : e | PTE_W;
    /* lab 5 end */
}

/* The shadow page of this name, made if there is none; NULL if they have run out.  From
 * now on the guest must not write the table it is made from without our knowing. */
static struct spage *get_page(struct shadow *s, struct key k)
{
    /* lab 5 begin: (void)s, (void)k; return NULL; */
    struct spage *p = spage_find(s, k);

    if (p)
        return p;
    p = spage_new(s, k);
    if (p && !(k.role & ROLE_DIRECT) && !frame_is_unsync(s, k.gpa))
        frame_protect(s, k.gpa);
    return p;
    /* lab 5 end */
}

/* Make the way to gla as the walk says; false if shadow pages have run out.  The hardware
 * tells of the new entry (SHADOW_FILL) when it comes back to gla and meets it. */
static bool fill(struct shadow *s, gla_t gla, bool user, const struct walk *w)
{
    /* lab 5 begin: (void)s, (void)gla, (void)user, (void)w; return false; */
    unsigned levels = guest_levels(s);
    uint32_t mode = view_mode(s, user);
    struct spage *p = get_page(s, root_key(s, user));

    if (!p)
        return false;
    shadow_set_root(s, user, p);
    if (!(s->mode & ROLE_EVERY_WRITE))
        shadow_set_root(s, !user, p);
    for (unsigned level = 4; level > 1; level--) {
        unsigned slot = table_index(gla, level);
        struct spage *child = get_page(s, key_for(mode, levels, gla, level - 1, w));
        if (!child)
            return false;
        if (entry_child(s, p, slot) != child) {
            s->stats.zaps += spage_forget_unsync(s, child);
            entry_set_child(s, p, slot, child);
        }
        p = child;
    }
    entry_set_leaf(s, p, table_index(gla, 1), make_leaf(s, leaf_rights(mode, levels, w), w));
    s->stats.fills++;
    return true;
    /* lab 5 end */
}

/* The walk wrote A and D into tables.  Where the same page is also shadowed as
 * a table of another entry size, those bits mean something else there. */
static void forget_misfits(struct shadow *s, const struct walk *w)
{
    unsigned size = guest_levels(s) == 2 ? 4 : 8;

    for (unsigned i = 0; i < w->depth; i++)
        s->stats.zaps += frame_drop_tables(s, w->step[i].at, size);
}

/* Entries made from the guest's table at gpa are gone. */
static void log_zap(struct shadow *s, gpa_t gpa, size_t entries)
{
    s->stats.zaps += entries;
    trace_emit(s->trace, TRACE_SHADOW_ZAP, gpa & PAGE_MASK, entries, 0);
}

static void drop_frame(struct shadow *s, gpa_t gpa)
{
    log_zap(s, gpa, frame_drop_tables(s, gpa, 0));
}

/* Tables out of sync are believed no longer. */
static void resync(struct shadow *s)
{
    /* lab 5 begin: (void)s; */
    while (s->n_unsync)
        drop_frame(s, s->unsync[--s->n_unsync]);
    /* lab 5 end */
}

static void take_out_of_sync(struct shadow *s, gpa_t gpa)
{
    /* lab 5 begin: (void)s, (void)gpa; */
    if (s->n_unsync == MAX_UNSYNC)
        resync(s);
    s->unsync[s->n_unsync++] = gpa & PAGE_MASK;
    s->stats.pt_writes++;
    /* lab 5 end */
}

enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w)
{
    /* lab 5 begin: (void)s, (void)gla, (void)access, (void)w; return SHADOW_FAILED; */
    enum shadow_verdict verdict = SHADOW_FILLED;
    struct paging pg = s->pg;
    bool user = walk_is_user(access);

    gla &= s->regs.gla_mask;
    pg.ac = access & WALK_AC;
    walk(&pg, s->gmem, gla, access & ~(unsigned)WALK_PEEK, w);
    if (w->result != WALK_OK) {
        s->stats.true_faults++;
        return SHADOW_TRUE;
    }
    s->stats.hidden_faults++;
    forget_misfits(s, w);

    const struct gmem_region *r = gmem_find(s->gmem, w->gpa);
    if (!r || (r->kind == GMEM_ROM && (access & WALK_WRITE)))
        verdict = SHADOW_DEVICE;
    else if ((access & WALK_WRITE) && frame_is_protected(s, w->gpa)) {
        take_out_of_sync(s, w->gpa);
        verdict = SHADOW_UNPROTECTED;
    }
    if (fill(s, gla, user, w))
        return verdict;

    /* Full: forget everything and begin again with what is needed now.  A table
     * being written may get protected once more; the next fault sees to that. */
    shadow_drop_all(s);
    return fill(s, gla, user, w) ? verdict : SHADOW_FAILED;
    /* lab 5 end */
}

/* ---- what the guest does to its translations ---- */

void shadow_set_paging(struct shadow *s, const struct paging *pg)
{
    unsigned levels = walk_levels(pg);

    s->pg = *pg;
    s->mode = ROLE_LEVELS(levels);
    s->regs.gla_mask = levels == 4 ? FIELD(47, 0) : FIELD(31, 0);
    s->regs.smep = levels && (pg->cr4 & CR4_SMEP);
    s->regs.smap = levels && (pg->cr4 & CR4_SMAP);
    if (levels && !(pg->cr0 & CR0_WP))
        s->mode |= ROLE_EVERY_WRITE;
    if (levels > 2 && (pg->efer & EFER_NXE))
        s->mode |= ROLE_NXE;
    if (levels == 2 && (pg->cr4 & CR4_PSE))
        s->mode |= ROLE_PSE;
}

void shadow_switch(struct shadow *s, const struct paging *pg)
{
    /* lab 5 begin: (void)s, (void)pg; */
    bool cached = true;

    resync(s);
    shadow_set_paging(s, pg);
    for (unsigned user = 0; user < 2; user++) {
        shadow_set_root(s, user, spage_find(s, root_key(s, user)));
        cached &= s->root[user] != NULL;
    }
    if (!cached)
        s->stats.roots++;               /* the first fault will make it */
    s->flush = true;
    trace_emit(s->trace, TRACE_SHADOW_ROOT, pg->cr3, cached, 0);
    /* lab 5 end */
}

/* INVLPG forgets the page, and whatever the hardware caches of the levels above
 * it.  Only tables out of sync can have changed, and where in them is not known:
 * of those, shadows above the last level go, and in the last level this page.
 * A table that has no shadow left is in step again: protected when next used. */
void shadow_invlpg(struct shadow *s, gla_t gla)
{
    /* lab 5 begin: (void)s, (void)gla; */
    for (size_t i = s->n_unsync; i-- > 0;) {
        size_t entries = frame_forget_page(s, s->unsync[i], table_index(gla, 1));
        if (entries)
            log_zap(s, s->unsync[i], entries);
        if (!frame_is_table(s, s->unsync[i]))
            s->unsync[i] = s->unsync[--s->n_unsync];
    }
    /* lab 5 end */
}

void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len)
{
    for (size_t i = 0; len && i < s->n_spans; i++) {
        const struct span *span = &s->span[i];
        gpa_t last = len - 1 > UINT64_MAX - gpa ? UINT64_MAX : gpa + len - 1;
        gpa_t span_last = span->base + span->size - 1;
        if (last < span->base || gpa > span_last)
            continue;
        gpa_t at = (gpa > span->base ? gpa : span->base) & PAGE_MASK;
        gpa_t end = last < span_last ? last : span_last;
        for (; at <= end; at += PAGE_SIZE)
            if (frame_is_table(s, at))
                drop_frame(s, at);
    }
}

bool shadow_take_flush(struct shadow *s)
{
    bool flush = s->flush;
    s->flush = false;
    if (flush)
        s->aged = false;
    return flush;
}

void shadow_get_stats(const struct shadow *s, struct shadow_stats *st)
{
    *st = s->stats;
}

const struct shadow_regs *shadow_registers(const struct shadow *s)
{
    return &s->regs;
}
