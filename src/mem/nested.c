/*
 * mem/nested.c -- monitor: makes and changes the nested (EPT) tables.
 *
 * A table is created when something is first mapped under it and lives until
 * a 2 MiB page replaces it or nested_free(); unmapping leaves empty tables
 * behind, because the guest's next touch would make them again.
 *
 * Rights sit in leaves only: entries that point to a table allow everything.
 */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/trace.h"
#include "mem/hmem.h"

#define LARGE_SIZE  (UINT64_C(1) << 21)

struct nested {
    struct hmem  *hmem;
    hpa_t         root;
    size_t        n_leaves;
    struct trace *trace;
};

static inline uint64_t size_at(unsigned level)
{
    return BIT(12 + 9 * (level - 1));
}

static inline uint64_t *table_at(const struct nested *n, hpa_t hpa)
{
    uint64_t *table = hmem_table(n->hmem, hpa);

    bug_if(!table, "a nested table at host-physical %#llx, where none was made",
           (unsigned long long)hpa);
    return table;
}

static inline uint64_t *table_under(const struct nested *n, uint64_t entry)
{
    return table_at(n, entry & EPT_FRAME);
}

static inline bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & EPT_LARGE);
}

static inline uint64_t table_entry(hpa_t table)
{
    return table | EPT_RWX;
}

static inline uint64_t leaf_entry(hpa_t page, unsigned perm)
{
    return page | EPT_WB | perm;
}

struct nested *nested_new(struct hmem *h, struct trace *t)
{
    struct nested *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->hmem = h;
    n->trace = t;
    n->root = hmem_table_new(h);
    if (n->root == HMEM_NONE) {
        errno = ENOMEM;
        free(n);
        return NULL;
    }
    return n;
}

static size_t free_tree(struct nested *n, hpa_t at, unsigned level);

/* Empty a table and free all below it; how many leaves went with it. */
static size_t clear_table(struct nested *n, hpa_t at, unsigned level)
{
    uint64_t *table = table_at(n, at);
    size_t leaves = 0;

    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        uint64_t entry = table[i];
        table[i] = 0;
        if (!(entry & EPT_RWX))
            continue;
        leaves += is_leaf(entry, level) ? 1 : free_tree(n, entry & EPT_FRAME, level - 1);
    }
    return leaves;
}

static size_t free_tree(struct nested *n, hpa_t at, unsigned level)
{
    size_t leaves = clear_table(n, at, level);

    hmem_table_free(n->hmem, at);
    return leaves;
}

void nested_free(struct nested *n)
{
    if (!n)
        return;
    free_tree(n, n->root, 4);
    free(n);
}

hpa_t nested_root(const struct nested *n)
{
    return n->root;
}

/* The entry that decides about gpa: a leaf, or what is not present where the
 * way ends.  *level says where it is. */
static uint64_t *find(const struct nested *n, gpa_t gpa, unsigned *level)
{
    uint64_t *table = table_at(n, n->root);

    for (*level = 4;; --*level) {
        uint64_t *e = &table[table_index(gpa, *level)];
        if (!(*e & EPT_RWX) || is_leaf(*e, *level))
            return e;
        table = table_under(n, *e);
    }
}

/* Turn a 2 MiB leaf into a table of 512 small ones that say the same. */
static int split(struct nested *n, uint64_t *large)
{
    hpa_t at = hmem_table_new(n->hmem);
    if (at == HMEM_NONE)
        return -ENOMEM;
    uint64_t *table = table_at(n, at);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table[i] = (*large & ~EPT_LARGE) + i * PAGE_SIZE;
    *large = table_entry(at);
    n->n_leaves += TABLE_ENTRIES - 1;
    return 0;
}

/* The slot for gpa at `want` (1 or 2), making the tables above it; NULL if
 * there is no frame for them. */
static uint64_t *slot(struct nested *n, gpa_t gpa, unsigned want)
{
    uint64_t *table = table_at(n, n->root);

    for (unsigned level = 4; level > want; level--) {
        uint64_t *e = &table[table_index(gpa, level)];
        if (!(*e & EPT_RWX)) {
            hpa_t below = hmem_table_new(n->hmem);
            if (below == HMEM_NONE)
                return NULL;
            *e = table_entry(below);
        } else if (is_leaf(*e, level) && split(n, e) < 0) {
            return NULL;
        }
        table = table_under(n, *e);
    }
    return &table[table_index(gpa, want)];
}

/* A processor refuses entries that can be written but not read (ept_walk.c). */
static bool perm_makes_sense(unsigned perm)
{
    return !(perm & ~(unsigned)EPT_RWX) && (!(perm & EPT_W) || (perm & EPT_R));
}

/* Put a leaf at `level`; what was there goes. */
static int put_leaf(struct nested *n, gpa_t gpa, unsigned level, uint64_t entry)
{
    uint64_t *e = slot(n, gpa, level);

    if (!e)
        return -ENOMEM;
    if ((*e & EPT_RWX) && !is_leaf(*e, level))
        n->n_leaves -= free_tree(n, *e & EPT_FRAME, level - 1);
    else if (*e & EPT_RWX)
        n->n_leaves--;
    *e = entry;
    n->n_leaves += (entry & EPT_RWX) != 0;
    return 0;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    if ((size != PAGE_SIZE && size != LARGE_SIZE) || ((gpa | hpa) & (size - 1)) ||
        gpa >= EPT_GPA_LIMIT || (hpa & ~EPT_FRAME) || !perm || !perm_makes_sense(perm))
        return -EINVAL;
    if (size == LARGE_SIZE)
        return put_leaf(n, gpa, 2, leaf_entry(hpa, perm) | EPT_LARGE);
    return put_leaf(n, gpa, 1, leaf_entry(hpa, perm));
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    return gpa < EPT_GPA_LIMIT ? put_leaf(n, gpa, 1, entry) : -EINVAL;
}

/* The end of [gpa, gpa+len), not beyond what the tables can say. */
static gpa_t range_end(gpa_t gpa, uint64_t len)
{
    if (gpa >= EPT_GPA_LIMIT)
        return gpa;
    return len < EPT_GPA_LIMIT - gpa ? gpa + len : EPT_GPA_LIMIT;
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
    return changed;
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
    return (uint8_t)((entry & EPT_RWX) | (entry & EPT_A ? SAVED_A : 0) |
                     (entry & EPT_D ? SAVED_D : 0));
}

static void save_tree(const struct nested *n, const uint64_t *table, unsigned level, gpa_t base,
                      struct bytes_out *o)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        gpa_t at = base + i * size_at(level);
        if (!(table[i] & EPT_RWX))
            continue;
        if (level > 2) {
            bug_if(is_leaf(table[i], level), "a nested leaf at level %u", level);
            save_tree(n, table_under(n, table[i]), level - 1, at, o);
            continue;
        }
        struct saved_table t = { .base = at };
        bool large = is_leaf(table[i], level);      /* saved as the small ones it stands for */
        const uint64_t *below = large ? NULL : table_under(n, table[i]);
        for (unsigned k = 0; k < TABLE_ENTRIES; k++)
            t.page[k] = saved_page(large ? table[i] : below[k]);
        BYTES_PUT(o, t);
    }
}

void nested_save(const struct nested *n, struct bytes_out *o)
{
    size_t at = o->n;
    bytes_put_u64(o, 0);
    save_tree(n, table_at(n, n->root), 4, 0, o);
    uint64_t count = (o->n - at - sizeof count) / sizeof(struct saved_table);
    if (!o->bad)
        memcpy(o->data + at, &count, sizeof count);
}

static bool load_table(struct nested *n, const struct saved_table *t)
{
    bool is_one = !(t->base & (LARGE_SIZE - 1)) && t->base < EPT_GPA_LIMIT;
    uint64_t *table = is_one ? slot(n, t->base, 1) : NULL;
    if (!table)
        return false;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        gpa_t at = t->base + i * PAGE_SIZE;
        unsigned perm = t->page[i] & EPT_RWX;
        if (!perm)
            continue;
        const struct gmem_region *r = gmem_find(n->hmem->gmem, at);
        if (!r || ((perm & EPT_W) && r->kind == GMEM_ROM) || (table[i] & EPT_RWX))
            return false;
        table[i] = leaf_entry(HMEM_GUEST + at, perm) | (t->page[i] & SAVED_A ? EPT_A : 0) |
                   (t->page[i] & SAVED_D ? EPT_D : 0);
        n->n_leaves++;
    }
    return true;
}

bool nested_load(struct nested *n, struct bytes_in *in)
{
    uint64_t count = bytes_get_u64(in);

    clear_table(n, n->root, 4);
    n->n_leaves = 0;
    for (; count && !in->bad; count--) {
        const struct saved_table *t = bytes_take(in, sizeof *t);
        struct saved_table copy;
        if (!t)
            break;
        memcpy(&copy, t, sizeof copy);              /* it may lie anywhere */
        if (!load_table(n, &copy))
            break;
    }
    if (!count && !in->bad)
        return true;
    nested_unmap(n, 0, UINT64_MAX);
    return false;
}
