/*
 * mem/ept_walk.c -- hardware: the walk of the nested (EPT) tables.
 *
 * Three ends: the access is allowed; it is not (EPT violation: the monitor is
 * expected to map the page, or to see a device there); or an entry on the way makes no
 * sense (EPT misconfiguration: the monitor made a mistake).
 *
 * A and D are set when a walk succeeded, as walk.c does for the guest's tables.
 * [SDM 3C "Accessed and Dirty Flags for EPT"]
 */
#include "mem/ept_walk.h"

#include "mem/hmem.h"

/* Address bits this host does not have. */
#define HIGH_RSVD  FIELD(51, HMEM_MAXPHYADDR)

static inline uint64_t bytes_under_entry(unsigned level)
{
    return BIT(12 + 9 * (level - 1));
}

static inline bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & EPT_LARGE);
}

/* Which bits must be zero.  Large pages exist at level 2 only (no capability for
 * 1 GiB), so bit 7 is reserved above it. */
static inline uint64_t reserved_bits(uint64_t entry, unsigned level)
{
    if (level == 1)
        return HIGH_RSVD;
    if (level == 2 && (entry & EPT_LARGE))
        return HIGH_RSVD | FIELD(20, 12);
    return HIGH_RSVD | FIELD(6, 3) | (level > 2 ? EPT_LARGE : 0);
}

/* UC 0, WC 1, WT 4, WP 5, WB 6.  [SDM 3A "Memory Types"] */
static inline bool memory_type_exists(uint64_t entry)
{
    static const uint8_t exists[8] = { [0] = 1, [1] = 1, [4] = 1, [5] = 1, [6] = 1 };
    return exists[(entry & EPT_TYPE) >> 3];
}

/* [SDM 3C "EPT Misconfigurations"]: writable but not readable; a reserved bit; a
 * memory type that does not exist.  One more is ours: a frame with nothing behind it.
 * A real machine would read ones from an empty bus; here it is better told. */
static inline bool misconfigured(const struct hmem *h, uint64_t entry, unsigned level)
{
    if ((entry & (EPT_R | EPT_W)) == EPT_W || (entry & reserved_bits(entry, level)))
        return true;
    if (!is_leaf(entry, level))
        return !hmem_table(h, entry & EPT_FRAME);
    return !memory_type_exists(entry) ||
           !hmem_guest(h, entry & EPT_FRAME, bytes_under_entry(level));
}

bool ept_entry_is_misconfigured(const struct hmem *h, uint64_t entry, unsigned level)
{
    return (entry & EPT_RWX) && misconfigured(h, entry, level);
}

/* One entry, read from its table.  True: go on to the next level. */
static inline bool take_step(const struct hmem *h, uint64_t entry, unsigned level,
                             struct ept_walk *w)
{
    w->step[w->depth].level = level;
    w->step[w->depth].entry = entry;
    w->depth++;
    if (!(entry & EPT_RWX))
        return false;
    if (misconfigured(h, entry, level)) {
        w->result = EPT_MISCONFIG;
        return false;
    }
    return !is_leaf(entry, level);
}

/* Locked, because another CPU may set a bit in the same entry. */
static inline void set_bits(uint64_t *entry, uint64_t bits)
{
    __atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

void ept_walk(const struct hmem *h, hpa_t root, gpa_t gpa, unsigned access, bool peek,
              struct ept_walk *w)
{
    uint64_t *table = hmem_table(h, root & EPT_FRAME), *used[4], entry = 0;
    uint64_t common = ~UINT64_C(0);         /* bits set in all entries on the way */
    unsigned level = 4;

    *w = (struct ept_walk){ .result = EPT_VIOLATION };
    if (gpa >= EPT_GPA_LIMIT || !table)
        return;
    for (bool more = true; more; level--) {
        used[w->depth] = &table[table_index(gpa, level)];
        entry = *used[w->depth];
        common &= entry;
        more = take_step(h, entry, level, w);
        if (more)
            table = hmem_table(h, entry & EPT_FRAME);
    }
    level++;
    if (!(entry & EPT_RWX) || w->result == EPT_MISCONFIG)
        return;
    w->page_size = bytes_under_entry(level);
    w->hva = hmem_guest(h, (entry & EPT_FRAME) + (gpa & (w->page_size - 1)), 1);
    w->perm = common & EPT_RWX;
    if ((common & access) != access)
        return;
    w->result = EPT_OK;
    if (peek)
        return;
    for (unsigned i = 0; i < w->depth && !(common & EPT_A); i++)
        set_bits(used[i], EPT_A);
    if ((access & EPT_W) && !(entry & EPT_D))
        set_bits(used[w->depth - 1], EPT_D);
}
