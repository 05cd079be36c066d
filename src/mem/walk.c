/*
 * mem/walk.c -- the guest's page tables: one loop over a description of each
 * paging mode.
 *
 * The three modes differ in the size of an entry, in how many bits of the
 * address each level takes, and in which bits are reserved where; that is
 * struct format.  What is common, and so is code: follow entries while they are
 * present and well-formed, collect the rights of all levels, judge the access
 * by the collected rights, and only then write A and D.
 *
 * Our rule for A and D: they are set when the whole walk has succeeded and
 * allowed the access, A in every entry used, D in the leaf if it is a write.
 * (The manual also allows a processor to set A on the way to a fault.)  One
 * rule in one place is what lets nested and shadow paging show a guest the
 * same bits.  [SDM 3A "Accessed and Dirty Flags"]
 *
 * The PDPTEs of PAE paging are read from memory at each walk, as AMD
 * processors do under nested paging, not loaded at MOV to CR3; a malformed one
 * gives a page fault with RSVD.  [APM 2 "Nested Paging", "Legacy PAE Mode"]
 * Their bits 6:5 are let pass, though reserved: a table that is also used at a
 * lower level gets A and D there, and must not change its meaning by our hand.
 */
#include "mem/walk.h"

#include <string.h>

#include "base/x86.h"
#include "mem/gmem.h"

#define HIGH_RSVD   FIELD(51, MAXPHYADDR)   /* address bits the CPU does not have */
#define PAE_RSVD    FIELD(62, MAXPHYADDR)   /* PAE has no ignored bits up there   */
#define ANY_RIGHTS  (PTE_W | PTE_U | PTE_A)

/* Indexed by level: 1 is the page table, 2 the page directory, and so on. */
struct format {
    unsigned levels;
    unsigned entry_size;
    unsigned root_at;           /* where the table address in CR3 begins         */
    unsigned large;             /* BIT(level): entries there may map a page (PS) */
    uint8_t  shift[5];          /* lowest address bit of the index               */
    uint16_t mask[5];           /* of the index                                  */
    uint64_t rsvd[5];           /* must be 0 in an entry that points to a table, */
    uint64_t rsvd_large[5];     /* ... or maps a large page                      */
    uint64_t nx[5];             /* PTE_NX, if that is what bit 63 means there    */
    uint64_t no_rights[5];      /* the entry has none of these bits: allow       */
};

/* [SDM 3A "32-Bit Paging"].  PSE-36: bits 20:13 of a 4 MiB PDE are bits 39:32
 * of the address, bit 21 is reserved. */
static const struct format format_2level = {
    .levels = 2, .entry_size = 4, .root_at = 12,
    .large      = BIT(2),
    .shift      = { [1] = 12,    [2] = 22 },
    .mask       = { [1] = 0x3ff, [2] = 0x3ff },
    .rsvd_large = { [2] = BIT(21) },
};

/* [SDM 3A "PAE Paging"] */
static const struct format format_pae = {
    .levels = 3, .entry_size = 8, .root_at = 5,
    .large      = BIT(2),
    .shift      = { [1] = 12,       [2] = 21,       [3] = 30 },
    .mask       = { [1] = 0x1ff,    [2] = 0x1ff,    [3] = 3 },
    .rsvd       = { [1] = PAE_RSVD, [2] = PAE_RSVD,
                    [3] = FIELD(63, MAXPHYADDR) | FIELD(8, 7) | FIELD(2, 1) },
    .rsvd_large = { [2] = PAE_RSVD | FIELD(20, 13) },
    .nx         = { [1] = PTE_NX,   [2] = PTE_NX },
    .no_rights  = { [3] = ANY_RIGHTS },
};

/* [SDM 3A "4-Level Paging and 5-Level Paging"] */
static const struct format format_4level = {
    .levels = 4, .entry_size = 8, .root_at = 12,
    .large      = BIT(2) | BIT(3),
    .shift      = { [1] = 12,        [2] = 21,        [3] = 30,        [4] = 39 },
    .mask       = { [1] = 0x1ff,     [2] = 0x1ff,     [3] = 0x1ff,     [4] = 0x1ff },
    .rsvd       = { [1] = HIGH_RSVD, [2] = HIGH_RSVD, [3] = HIGH_RSVD, [4] = HIGH_RSVD | PTE_PS },
    .rsvd_large = { [2] = HIGH_RSVD | FIELD(20, 13),  [3] = HIGH_RSVD | FIELD(29, 13) },
    .nx         = { [1] = PTE_NX,    [2] = PTE_NX,    [3] = PTE_NX,    [4] = PTE_NX },
};

unsigned walk_levels(const struct paging *pg)
{
    if (!(pg->cr0 & CR0_PG))
        return 0;
    if (!(pg->cr4 & CR4_PAE))
        return 2;
    return pg->efer & EFER_LMA ? 4 : 3;
}

static const struct format *choose_format(const struct paging *pg)
{
    static const struct format *const by_levels[5] = {
        [2] = &format_2level, [3] = &format_pae, [4] = &format_4level,
    };
    return by_levels[walk_levels(pg)];
}

/* [SDM 3A "Page-Fault Exceptions"] */
static uint32_t fault_error(const struct paging *pg, unsigned access, uint32_t why)
{
    bool tells_fetch = (pg->cr4 & CR4_SMEP) || ((pg->cr4 & CR4_PAE) && (pg->efer & EFER_NXE));

    return why
        | (access & WALK_WRITE ? (uint32_t)PF_W : 0)
        | (walk_is_user(access) ? (uint32_t)PF_U : 0)
        | (access & WALK_FETCH && tells_fetch ? (uint32_t)PF_I : 0);
}

/* What the rights of all levels together allow this privilege; false if not
 * this access.  [SDM 3A "Determination of Access Rights"] */
static inline bool judge(const struct paging *pg, unsigned access, uint64_t rights, struct walk *w)
{
    bool user_access = walk_is_user(access);

    w->user = rights & PTE_U;
    w->writable = (rights & PTE_W) || (!user_access && !(pg->cr0 & CR0_WP));
    w->executable = (rights & PTE_NX) &&        /* kept inverted: set allows */
                    !(w->user && !user_access && (pg->cr4 & CR4_SMEP));

    if (user_access && !w->user)
        return false;
    if (access & WALK_FETCH)
        return w->executable;
    if ((access & WALK_WRITE) && !w->writable)
        return false;
    bool smap = !user_access && w->user && (pg->cr4 & CR4_SMAP);
    return !smap || (pg->ac && !(access & WALK_SYSTEM));
}

/* The address a leaf at `level` maps gla to. */
static gpa_t leaf_gpa(const struct format *f, uint64_t leaf, unsigned level, gla_t gla)
{
    uint64_t offset = BIT(f->shift[level]) - 1;
    uint64_t base = leaf & PTE_ADDR;

    if (f->entry_size == 4 && level == 2)
        base = (leaf & FIELD(31, 22)) | (leaf & FIELD(20, 13)) << (32 - 13);
    return (base & ~offset) | (gla & offset);
}

/* Set `bits` in an entry, if it still says what was read.  A processor does this with
 * one locked operation: between its read and its write another CPU may have unmapped
 * the page, and an A or D bit must never appear in an entry that was changed since.
 * [SDM 3A "Accessed and Dirty Flags"] */
static bool set_bits(void *hva, unsigned size, uint64_t was, uint64_t bits)
{
    uint32_t was32 = (uint32_t)was;

    if (size == 4)
        return __atomic_compare_exchange_n((uint32_t *)hva, &was32, was32 | (uint32_t)bits, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((uint64_t *)hva, &was, was | bits, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

enum mark { MARKED, MARK_NO_MEMORY, MARK_ENTRY_CHANGED };

/* Set the bits a successful access leaves behind.  MARK_NO_MEMORY if the source would
 * not give an entry for writing; depth then tells which one. */
static enum mark mark_used(const struct format *f, const struct walk_source *src, unsigned access,
                           struct walk *w)
{
    for (unsigned i = 0; i < w->depth; i++) {
        unsigned level = f->levels - i;
        uint64_t bits = f->no_rights[level] & PTE_A ? 0 : PTE_A;
        if (i == w->depth - 1 && (access & WALK_WRITE))
            bits |= PTE_D;
        if ((w->step[i].entry & bits) == bits)
            continue;
        void *hva = src->entry(src->arg, w->step[i].at, f->entry_size, true);
        if (!hva) {
            w->depth = i + 1;
            w->result = WALK_NO_MEMORY;
            return MARK_NO_MEMORY;
        }
        if (!set_bits(hva, f->entry_size, w->step[i].entry, bits))
            return MARK_ENTRY_CHANGED;
        w->wrote = true;
        w->step[i].entry |= bits;
    }
    return MARKED;
}

static void no_paging(gla_t gla, struct walk *w)
{
    w->result = WALK_OK;
    w->gpa = gla;
    w->page_size = PAGE_SIZE;
    w->error = 0;
    w->writable = w->user = w->executable = w->dirty = true;
    w->global = false;
    w->depth = 0;
}

static void walk_fails(const struct paging *pg, unsigned access, uint32_t why, struct walk *w)
{
    w->result = WALK_FAULT;
    w->error = fault_error(pg, access, why);
}

/* One walk.  False if an entry changed between its being read and the A and D bits being
 * set: then it must be done again. */
static inline __attribute__((always_inline))
bool walk_once(const struct paging *pg, const struct walk_source *src, gla_t gla,
               unsigned access, struct walk *w)
{
    const struct format *f = choose_format(pg);
    if (!f) {
        no_paging(gla, w);
        return true;
    }
    unsigned large = f->entry_size == 4 && !(pg->cr4 & CR4_PSE) ? 0 : f->large;
    uint64_t rsvd_nx = pg->efer & EFER_NXE ? 0 : PTE_NX;
    uint64_t table = pg->cr3 & FIELD(MAXPHYADDR - 1, 0) & ~(BIT(f->root_at) - 1);
    uint64_t rights = ~UINT64_C(0), entry;
    unsigned level = f->levels;

    if (level < 4)
        table &= FIELD(31, 0);          /* CR3 may have been loaded in 64-bit mode */
    w->depth = 0;
    for (;; level--) {
        gpa_t at = table + ((gla >> f->shift[level]) & f->mask[level]) * f->entry_size;
        const void *hva = src->entry(src->arg, at, f->entry_size, false);
        w->step[w->depth].at = at;
        w->step[w->depth].entry = 0;
        w->depth++;
        if (!hva) {
            w->result = WALK_NO_MEMORY;
            return true;
        }
        entry = f->entry_size == 4 ? *(const uint32_t *)hva : *(const uint64_t *)hva;
        w->step[w->depth - 1].entry = entry;
        if (!(entry & PTE_P)) {
            walk_fails(pg, access, 0, w);
            return true;
        }
        bool maps_large = (entry & PTE_PS) && (large & BIT(level));
        uint64_t rsvd = maps_large ? f->rsvd_large[level] : f->rsvd[level];
        if (entry & (rsvd | (f->nx[level] & rsvd_nx))) {
            walk_fails(pg, access, PF_P | PF_RSVD, w);
            return true;
        }
        rights &= (entry ^ PTE_NX) | f->no_rights[level];
        if (maps_large || level == 1)
            break;
        table = entry & PTE_ADDR;
    }
    if (!judge(pg, access, rights, w)) {
        walk_fails(pg, access, PF_P, w);
        return true;
    }
    w->result = WALK_OK;
    w->error = 0;
    w->gpa = leaf_gpa(f, entry, level, gla);
    w->page_size = BIT(f->shift[level]);
    w->global = (entry & PTE_G) && (pg->cr4 & CR4_PGE);

    bool sets_dirty = (access & WALK_WRITE) && !(entry & PTE_D);
    if (!(access & WALK_PEEK) && (!(rights & PTE_A) || sets_dirty)) {
        enum mark mark = mark_used(f, src, access, w);
        if (mark != MARKED)
            return mark == MARK_NO_MEMORY;
    }
    w->dirty = w->step[w->depth - 1].entry & PTE_D;
    return true;
}

/* Inlined into both entry points so that the direct one reads guest memory without an
 * indirect call. */
static inline __attribute__((always_inline))
void walk_with(const struct paging *pg, const struct walk_source *src, gla_t gla,
               unsigned access, struct walk *w)
{
    w->wrote = false;
    while (!walk_once(pg, src, gla, access, w))
        ;
}

void walk_from(const struct paging *pg, const struct walk_source *src, gla_t gla,
               unsigned access, struct walk *w)
{
    walk_with(pg, src, gla, access, w);
}

void *walk_bus_entry(struct gmem *m, gpa_t at, unsigned size, bool write, uint64_t *scratch)
{
    const struct gmem_region *r = gmem_find(m, at);

    /* Entries are aligned to their size and regions to pages: an entry never
     * lies half inside. */
    if (r && (r->kind == GMEM_RAM || !write))
        return gmem_hva(r, at, size);
    *scratch = ~UINT64_C(0);
    if (r)
        memcpy(scratch, gmem_hva(r, at, size), size);   /* ROM: what is written there is lost */
    return scratch;
}

/* The source of walk(): walk_bus_entry(), with the region of the last table in
 * hand, as the next one mostly lies there too. */
struct direct { struct gmem *m; const struct gmem_region *r; uint64_t scratch; };

static inline void *direct_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct direct *d = arg;

    if (!d->r || at - d->r->base >= d->r->size)
        d->r = gmem_find(d->m, at);
    if (d->r && d->r->kind == GMEM_RAM)
        return gmem_hva(d->r, at, size);
    return walk_bus_entry(d->m, at, size, write, &d->scratch);
}

void walk(const struct paging *pg, struct gmem *m, gla_t gla, unsigned access, struct walk *w)
{
    struct direct d = { .m = m };
    const struct walk_source src = { direct_entry, &d };
    walk_with(pg, &src, gla, access, w);
}
