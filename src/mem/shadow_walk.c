/*
 * mem/shadow_walk.c -- hardware: follow a shadow table, judge the leaf.
 *
 * Every entry is checked as it is met.  A reserved bit, or a frame with nothing behind
 * it, is a page fault with RSVD in its error code: the monitor has made a mistake, for
 * what is reserved in the guest's own tables never gets into a shadow.
 */
#include "mem/shadow_walk.h"

#include "mem/hmem.h"

/* Address bits this host does not have.  [SDM 3A "Reserved Bits in Paging-Structure Entries"] */
#define HIGH_RSVD  FIELD(51, HMEM_MAXPHYADDR)

/* Does the leaf allow this access?  [SDM 3A "Determination of Access Rights"] */
static inline bool leaf_allows(const struct shadow_regs *r, uint64_t leaf, unsigned access)
{
    bool user = walk_is_user(access);

    if (user && !(leaf & PTE_U))
        return false;
    if (access & WALK_FETCH)
        return !(leaf & PTE_NX) && !(!user && (leaf & PTE_U) && r->smep);
    if ((access & WALK_WRITE) && !(leaf & PTE_W) && (user || r->wp))
        return false;
    if (user || !(leaf & PTE_U) || !r->smap)
        return true;
    return (access & (WALK_AC | WALK_SYSTEM)) == WALK_AC;
}

/* The last entry on the way.  False: an entry has a reserved bit set, or leads to no
 * table.  There are no large pages in shadows, so PS is reserved above the leaf. */
static inline bool follow(const struct hmem *h, hpa_t root, gla_t gla, struct shadow_walk *w)
{
    const uint64_t *table = hmem_table(h, root);

#pragma GCC unroll 4
    for (unsigned level = 4; level > 0 && table; level--) {
        uint64_t e = table[table_index(gla, level)];
        w->step[w->depth++] = w->entry = e;
        if (!(e & PTE_P))
            return true;
        if (e & (HIGH_RSVD | (level > 1 ? PTE_PS : 0)))
            return false;
        if (level == 1)
            return true;
        table = hmem_table(h, e & PTE_ADDR);
    }
    return w->depth == 0;               /* no root: nothing is mapped */
}

void shadow_walk(const struct hmem *h, const struct shadow_regs *r, gla_t gla, unsigned access,
                 struct shadow_walk *w)
{
    uint64_t offset = gla & ~PAGE_MASK;

    w->ok = w->device = false;
    w->hva = NULL;
    w->entry = 0;
    w->depth = 0;
    bool reserved = !follow(h, r->cr3[walk_is_user(access)], gla & r->gla_mask, w);
    uint64_t e = w->entry;
    if (!reserved && (e & PTE_P)) {
        w->hva = hmem_guest_byte(h, (e & PTE_ADDR) + offset);
        w->gpa = (e & PTE_ADDR) + offset - HMEM_GUEST;
        reserved = !w->hva;
        w->ok = !reserved && leaf_allows(r, e, access);
        w->device = !reserved && !w->ok && (e & SHADOW_ROM) && leaf_allows(r, e | PTE_W, access);
    } else if (!reserved && (e & SHADOW_MMIO)) {
        w->gpa = (e & PTE_ADDR) + offset;
        w->device = leaf_allows(r, e, access);
    }
    if (!w->ok)
        w->error = shadow_error(access, e & PTE_P) | (reserved ? (uint32_t)PF_RSVD : 0);
}
