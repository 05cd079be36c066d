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

/* An entry that points to a table and allows everything, as ours do, passes by one
 * comparison; so does a readable leaf of write-back memory.  Both were used before. */
#define TABLE_BITS  (HIGH_RSVD | FIELD(6, 3) | EPT_LARGE | EPT_RWX | EPT_A)
#define LEAF_BITS   (HIGH_RSVD | EPT_TYPE | EPT_R | EPT_A)

/* Nearly every walk: four plain entries, and no bit to be set.  False: walk_any() must look
 * closer. */
static inline bool walk_plain(const struct hmem *h, hpa_t root, gpa_t gpa, unsigned access,
                              struct ept_walk *w)
{
    const uint64_t *table = hmem_table(h, root & EPT_FRAME);

    if (gpa >= EPT_GPA_LIMIT || !table)
        return false;
    /* One after the other: shifts by constants, and no counter, are 3 % of a guest with a new
     * address space at every other instruction. */
#pragma GCC unroll 3
    for (unsigned level = 4; level > 1; level--) {
        uint64_t e = table[table_index(gpa, level)];
        if ((e & TABLE_BITS) != (EPT_RWX | EPT_A))
            return false;
        table = hmem_table(h, e & EPT_FRAME);
        if (!table)
            return false;
    }
    uint64_t leaf = table[table_index(gpa, 1)];
    uint64_t need = access | (access & EPT_W ? EPT_D : 0);
    if ((leaf & LEAF_BITS) != (EPT_WB | EPT_R | EPT_A) || (leaf & need) != need)
        return false;
    w->hva = hmem_guest_byte(h, (leaf & EPT_FRAME) + (gpa & ~PAGE_MASK));
    w->page_size = PAGE_SIZE;
    w->perm = leaf & EPT_RWX;
    w->depth = 0;
    w->result = EPT_OK;
    return w->hva != NULL;
}

/* Where a walk is: the table of this level, and the entries that led here. */
struct way {
    uint64_t *table;
    uint64_t *used[4];
    uint64_t  entry;            /* the last one read                          */
    uint64_t  common;           /* bits that are set in all entries so far    */
    unsigned  level;            /* of the last one                            */
};

/* Read the entry of way->level. */
static void read_entry(gpa_t gpa, struct way *way)
{
    uint64_t *e = &way->table[table_index(gpa, way->level)];

    way->used[4 - way->level] = e;
    way->entry = *e;
    way->common &= way->entry;
}

/* Down to the entry that decides: a leaf (true), one that is not present, or one that a
 * processor refuses. */
static bool reach_leaf(const struct hmem *h, gpa_t gpa, struct way *way, bool *misconfig)
{
    for (;; way->level--) {
        read_entry(gpa, way);
        *misconfig = ept_entry_is_misconfigured(h, way->entry, way->level);
        if (*misconfig || !(way->entry & EPT_RWX))
            return false;
        if (is_leaf(way->entry, way->level))
            return true;
        way->table = hmem_table(h, way->entry & EPT_FRAME);
    }
}

/* Locked, because another CPU may set a bit in the same entry. */
static inline void set_bits(uint64_t *entry, uint64_t bits)
{
    __atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

static void mark_used(const struct way *way, bool write)
{
    unsigned n = 5 - way->level;

    for (unsigned i = 0; i < n && !(way->common & EPT_A); i++)
        set_bits(way->used[i], EPT_A);
    if (write && !(way->entry & EPT_D))
        set_bits(way->used[n - 1], EPT_D);
}

static void tell_steps(const struct way *way, struct ept_walk *w)
{
    for (w->depth = 0; w->depth < 5 - way->level; w->depth++) {
        w->step[w->depth].level = 4 - w->depth;
        w->step[w->depth].entry = *way->used[w->depth];
    }
}

/* Any walk, with all its ends. */
static __attribute__((noinline))
void walk_any(const struct hmem *h, hpa_t root, gpa_t gpa, unsigned access, bool peek,
              struct ept_walk *w)
{
    struct way way = { .table = hmem_table(h, root & EPT_FRAME), .common = ~UINT64_C(0),
                       .level = 4 };
    bool misconfig;

    *w = (struct ept_walk){ .result = EPT_VIOLATION };
    if (gpa >= EPT_GPA_LIMIT || !way.table)
        return;
    if (reach_leaf(h, gpa, &way, &misconfig)) {
        w->page_size = bytes_under_entry(way.level);
        w->hva = hmem_guest_byte(h, (way.entry & EPT_FRAME) + (gpa & (w->page_size - 1)));
        w->perm = way.common & EPT_RWX;
        if ((way.common & access) == access)
            w->result = EPT_OK;
    } else if (misconfig) {
        w->result = EPT_MISCONFIG;
    }
    if (peek || w->result != EPT_OK)
        tell_steps(&way, w);
    else
        mark_used(&way, access & EPT_W);
}

void ept_walk(const struct hmem *h, hpa_t root, gpa_t gpa, unsigned access, bool peek,
              struct ept_walk *w)
{
    if (peek || !walk_plain(h, root, gpa, access, w))
        walk_any(h, root, gpa, access, peek, w);
}
