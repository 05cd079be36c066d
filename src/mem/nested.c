/*
 * mem/nested.c -- EPT-format tables: made lazily, walked by simulated hardware.
 *
 * A table is created when something is first mapped under it and lives until
 * a 2 MiB page replaces it or nested_free(); unmapping leaves empty tables
 * behind, because the guest's next touch would make them again.
 *
 * Rights sit in leaves only: entries that point to a table allow everything.
 * A and D are set when a walk succeeded, as mem/walk.c does for the guest's.
 */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/trace.h"
#include "mem/gmem.h"
#include "mem/table.h"

#define EPT_FRAME   FIELD(51, 12)
#define GPA_LIMIT   BIT(48)
#define LARGE_SIZE  (UINT64_C(1) << 21)

struct nested {
    uint64_t     *root;
    size_t        n_leaves;
    struct trace *trace;
};

static inline uint64_t size_at(unsigned level)
{
    return BIT(12 + 9 * (level - 1));
}

static inline uint64_t *table_under(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & EPT_FRAME);
}

static inline bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & EPT_LARGE);
}

struct nested *nested_new(struct trace *t)
{
    struct nested *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->trace = t;
    n->root = table_new();
    if (!n->root) {
        free(n);
        return NULL;
    }
    return n;
}

/* Free a table and all below it; how many leaves went with it. */
static size_t free_tree(uint64_t *table, unsigned level)
{
    size_t leaves = 0;

    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        if (!(table[i] & EPT_RWX))
            continue;
        if (is_leaf(table[i], level))
            leaves++;
        else
            leaves += free_tree(table_under(table[i]), level - 1);
    }
    table_free(table);
    return leaves;
}

void nested_free(struct nested *n)
{
    if (!n)
        return;
    free_tree(n->root, 4);
    free(n);
}

/* The entry that decides about gpa: a leaf, or what is not present where the
 * way ends.  *level says where it is. */
static uint64_t *find(const struct nested *n, gpa_t gpa, unsigned *level)
{
    uint64_t *table = n->root;

    for (*level = 4;; --*level) {
        uint64_t *e = &table[table_index(gpa, *level)];
        if (!(*e & EPT_RWX) || is_leaf(*e, *level))
            return e;
        table = table_under(*e);
    }
}

/* Turn a 2 MiB leaf into a table of 512 small ones that say the same. */
static int split(struct nested *n, uint64_t *large)
{
    uint64_t *table = table_new();
    if (!table)
        return -ENOMEM;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table[i] = (*large & ~EPT_LARGE) + i * PAGE_SIZE;
    *large = (uint64_t)(uintptr_t)table | EPT_RWX;
    n->n_leaves += TABLE_ENTRIES - 1;
    return 0;
}

/* The slot for gpa at `want` (1 or 2), making the tables above it; NULL if the
 * host has no memory. */
static uint64_t *slot(struct nested *n, gpa_t gpa, unsigned want)
{
    uint64_t *table = n->root;

    for (unsigned level = 4; level > want; level--) {
        uint64_t *e = &table[table_index(gpa, level)];
        if (!(*e & EPT_RWX)) {
            uint64_t *below = table_new();
            if (!below)
                return NULL;
            *e = (uint64_t)(uintptr_t)below | EPT_RWX;
        } else if (is_leaf(*e, level) && split(n, e) < 0) {
            return NULL;
        }
        table = table_under(*e);
    }
    return &table[table_index(gpa, want)];
}

/* A processor refuses entries that can be written but not read: "EPT
 * misconfiguration". */
static bool perm_makes_sense(unsigned perm)
{
    return !(perm & ~(unsigned)EPT_RWX) && (!(perm & EPT_W) || (perm & EPT_R));
}

int nested_map(struct nested *n, gpa_t gpa, void *hva, uint64_t size, unsigned perm)
{
    uint64_t at = (uint64_t)(uintptr_t)hva;

    if ((size != PAGE_SIZE && size != LARGE_SIZE) || ((gpa | at) & (size - 1)) ||
        gpa >= GPA_LIMIT || (at & ~EPT_FRAME) || !perm || !perm_makes_sense(perm))
        return -EINVAL;
    unsigned level = size == LARGE_SIZE ? 2 : 1;
    uint64_t *e = slot(n, gpa, level);
    if (!e)
        return -ENOMEM;
    if (!(*e & EPT_RWX))
        n->n_leaves++;
    else if (!is_leaf(*e, level))
        n->n_leaves += 1 - free_tree(table_under(*e), level - 1);
    *e = at | perm | (level == 2 ? EPT_LARGE : 0);
    trace_emit(n->trace, TRACE_NESTED_FILL, gpa, size, perm);
    return 0;
}

/* The end of [gpa, gpa+len), not beyond what the tables can say. */
static gpa_t range_end(gpa_t gpa, uint64_t len)
{
    if (gpa >= GPA_LIMIT)
        return gpa;
    return len < GPA_LIMIT - gpa ? gpa + len : GPA_LIMIT;
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    gpa_t end = range_end(gpa, len);
    size_t removed = 0;
    unsigned level;

    for (gpa_t at = gpa; at < end; at = (at | (size_at(level) - 1)) + 1) {
        uint64_t *e = find(n, at, &level);
        if (*e & EPT_RWX) {
            *e = 0;
            removed++;
        }
    }
    n->n_leaves -= removed;
    if (removed)
        trace_emit(n->trace, TRACE_NESTED_ZAP, gpa, len, 0);
    return removed;
}

/* Give the leaf at `at` new rights; true if that changed it. */
static bool protect_one(struct nested *n, uint64_t *e, unsigned perm)
{
    if (!(*e & EPT_RWX) || (*e & EPT_RWX) == perm)
        return false;
    *e = perm ? (*e & ~EPT_RWX) | perm : 0;
    n->n_leaves -= !perm;
    return true;
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    bug_if(!perm_makes_sense(perm), "EPT rights %#x make no sense", perm);
    gpa_t end = range_end(gpa, len);
    size_t changed = 0;
    unsigned level;

    for (gpa_t at = gpa; at < end; at = (at | (size_at(level) - 1)) + 1) {
        uint64_t *e = find(n, at, &level);
        gpa_t first = at & ~(size_at(level) - 1);
        bool whole = first >= gpa && end - first >= size_at(level);
        if (level == 2 && (*e & EPT_RWX) && (*e & EPT_RWX) != perm && !whole) {
            /* No memory to split it: drop all of it, which the next fault can
             * repair. */
            if (split(n, e) < 0) {
                changed += protect_one(n, e, 0);
                continue;
            }
            e = find(n, at, &level);
        }
        changed += protect_one(n, e, perm);
    }
    if (changed)
        trace_emit(n->trace, TRACE_NESTED_FILL, gpa, len, perm);
    return changed;
}

void nested_walk(const struct nested *n, gpa_t gpa, unsigned access, bool peek,
                 struct nested_walk *w)
{
    uint64_t *used[4], *table = n->root;
    uint64_t common = ~UINT64_C(0);         /* bits set in all entries on the way */
    unsigned level = 4;

    w->ok = false;
    w->hva = NULL;
    w->perm = 0;
    w->page_size = 0;
    w->depth = 0;
    if (gpa >= GPA_LIMIT)
        return;
    for (;; level--) {
        uint64_t *e = &table[table_index(gpa, level)];
        used[w->depth] = e;
        w->step[w->depth].level = level;
        w->step[w->depth].entry = *e;
        w->depth++;
        common &= *e;
        if (!(*e & EPT_RWX))
            return;
        if (is_leaf(*e, level))
            break;
        table = table_under(*e);
    }
    uint64_t leaf = w->step[w->depth - 1].entry;
    w->page_size = size_at(level);
    w->hva = (char *)table_under(leaf) + (gpa & (w->page_size - 1));
    w->perm = common & EPT_RWX;
    w->ok = (common & access) == access;
    if (!w->ok || peek)
        return;
    for (unsigned i = 0; i < w->depth && !(common & EPT_A); i++)
        *used[i] |= EPT_A;
    if ((access & EPT_W) && !(leaf & EPT_D))
        *used[w->depth - 1] |= EPT_D;
}

size_t nested_count(const struct nested *n)
{
    return n->n_leaves;
}

/* ---- snapshots: for each 2 MiB with something in it its place, and a byte a page ---- */

struct saved_table { gpa_t base; uint8_t page[TABLE_ENTRIES]; };
#define SAVED_A 8                       /* besides EPT_RWX */
#define SAVED_D 16

static uint8_t saved_page(uint64_t entry)
{
    return (uint8_t)((entry & EPT_RWX) | (entry & EPT_A ? SAVED_A : 0) | (entry & EPT_D ? SAVED_D : 0));
}

static void save_tree(const uint64_t *table, unsigned level, gpa_t base, struct bytes_out *o)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        gpa_t at = base + i * size_at(level);
        if (!(table[i] & EPT_RWX))
            continue;
        if (level > 2) {
            bug_if(is_leaf(table[i], level), "a nested leaf at level %u", level);
            save_tree(table_under(table[i]), level - 1, at, o);
            continue;
        }
        struct saved_table t = { .base = at };
        bool large = is_leaf(table[i], level);      /* saved as the small ones it stands for */
        for (unsigned k = 0; k < TABLE_ENTRIES; k++)
            t.page[k] = saved_page(large ? table[i] : table_under(table[i])[k]);
        BYTES_PUT(o, t);
    }
}

void nested_save(const struct nested *n, struct bytes_out *o)
{
    size_t at = o->n;
    bytes_put_u64(o, 0);
    save_tree(n->root, 4, 0, o);
    uint64_t count = (o->n - at - sizeof count) / sizeof(struct saved_table);
    if (!o->bad)
        memcpy(o->data + at, &count, sizeof count);
}

static bool load_table(struct nested *n, const struct gmem *m, const struct saved_table *t)
{
    uint64_t *table = (t->base & (LARGE_SIZE - 1)) || t->base >= GPA_LIMIT ? NULL : slot(n, t->base, 1);
    if (!table)
        return false;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        gpa_t at = t->base + i * PAGE_SIZE;
        unsigned perm = t->page[i] & EPT_RWX;
        if (!perm)
            continue;
        const struct gmem_region *r = gmem_find(m, at);
        if (!r || !perm_makes_sense(perm) || ((perm & EPT_W) && r->kind == GMEM_ROM) ||
            (table[i] & EPT_RWX))
            return false;
        table[i] = (uint64_t)(uintptr_t)gmem_hva(r, at, PAGE_SIZE) + perm +
                   (t->page[i] & SAVED_A ? EPT_A : 0) + (t->page[i] & SAVED_D ? EPT_D : 0);
        n->n_leaves++;
    }
    return true;
}

bool nested_load(struct nested *n, const struct gmem *m, struct bytes_in *in)
{
    uint64_t count = bytes_get_u64(in);
    uint64_t *root = table_new();
    if (!root)
        return false;
    free_tree(n->root, 4);
    n->root = root;
    n->n_leaves = 0;
    for (; count && !in->bad; count--) {
        const struct saved_table *t = bytes_take(in, sizeof *t);
        struct saved_table copy;
        if (!t)
            break;
        memcpy(&copy, t, sizeof copy);              /* it may lie anywhere */
        if (!load_table(n, m, &copy))
            break;
    }
    if (!count && !in->bad)
        return true;
    nested_unmap(n, 0, UINT64_MAX);
    return false;
}
