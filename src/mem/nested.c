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

struct nested {
    struct hmem  *hmem;
    hpa_t         root;
    size_t        n_leaves;
    bool          fill_large;   /* nested_fill(): 2 MiB where it can be */
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
    /* lab 6 begin: (void)gpa, (void)table_under; *level = 4; return table_at(n, n->root); */
    uint64_t *table = table_at(n, n->root);

    for (*level = 4;; --*level) {
        uint64_t *e = &table[table_index(gpa, *level)];
        if (!(*e & EPT_RWX) || is_leaf(*e, *level))
            return e;
        table = table_under(n, *e);
    }
    /* lab 6 end */
}

/* Turn a 2 MiB leaf into a table of 512 small ones that say the same. */
static int split(struct nested *n, uint64_t *large)
{
    /* lab 6 begin: (void)n, (void)large; return -ENOMEM; */
    hpa_t at = hmem_table_new(n->hmem);
    if (at == HMEM_NONE)
        return -ENOMEM;
    uint64_t *table = table_at(n, at);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table[i] = (*large & ~EPT_LARGE) + i * PAGE_SIZE;
    *large = table_entry(at);
    n->n_leaves += TABLE_ENTRIES - 1;
    return 0;
    /* lab 6 end */
}

/* The slot for gpa at `want` (1 or 2), making the tables above it; NULL if
 * there is no frame for them. */
static uint64_t *slot(struct nested *n, gpa_t gpa, unsigned want)
{
    /* lab 6 begin: (void)n, (void)gpa, (void)want, (void)split, (void)table_entry; return NULL; */
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
    /* lab 6 end */
}

/* A processor refuses entries that can be written but not read (ept_walk.c). */
static bool perm_makes_sense(unsigned perm)
{
    return !(perm & ~(unsigned)EPT_RWX) && (!(perm & EPT_W) || (perm & EPT_R));
}

/* Put a leaf at `level`; what was there goes. */
static int put_leaf(struct nested *n, gpa_t gpa, unsigned level, uint64_t entry)
{
    /* lab 6 begin: (void)n, (void)gpa, (void)level, (void)entry, (void)slot; return -ENOMEM; */
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
    /* lab 6 end */
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    if ((size != PAGE_SIZE && size != NESTED_LARGE) || ((gpa | hpa) & (size - 1)) ||
        gpa >= EPT_GPA_LIMIT || (hpa & ~EPT_FRAME) || !perm || !perm_makes_sense(perm))
        return -EINVAL;
    if (size == NESTED_LARGE)
        return put_leaf(n, gpa, 2, leaf_entry(hpa, perm) | EPT_LARGE);
    return put_leaf(n, gpa, 1, leaf_entry(hpa, perm));
}

void nested_set_large(struct nested *n, bool large)
{
    n->fill_large = large;
}

static bool lies_in(const struct gmem_region *r, gpa_t gpa, uint64_t size)
{
    return gpa >= r->base && size <= r->size && gpa - r->base <= r->size - size;
}

static bool is_empty(const uint64_t *table)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (table[i] & EPT_RWX)
            return false;
    return true;
}

/* Can the 2 MiB around gpa be one page, without taking a small one's place? */
static bool fits_large(const struct nested *n, const struct gmem_region *r, gpa_t gpa)
{
    /* lab 6 begin: (void)n, (void)r, (void)gpa, (void)lies_in, (void)is_empty; return false; */
    gpa_t first = gpa & ~(NESTED_LARGE - 1);
    unsigned level;

    if (!lies_in(r, first, NESTED_LARGE))
        return false;
    const uint64_t *e = find(n, first, &level);
    return level > 1 || is_empty(e);            /* first has the first entry of its table */
    /* lab 6 end */
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    /* lab 6 begin: (void)n, (void)gpa, (void)fits_large; return -ENOENT; */
    const struct gmem_region *r = gmem_find(n->hmem->gmem, gpa);

    if (!r)
        return -ENOENT;
    uint64_t size = n->fill_large && fits_large(n, r, gpa) ? NESTED_LARGE : PAGE_SIZE;
    gpa_t page = gpa & ~(size - 1);
    unsigned perm = r->kind == GMEM_ROM ? EPT_R | EPT_X : EPT_RWX;
    return nested_map(n, page, HMEM_GUEST + page, size, perm);
    /* lab 6 end */
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
    /* lab 6 begin: (void)n, (void)gpa, (void)len, (void)range_end, (void)find; return 0; */
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
    /* lab 6 end */
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
    /* lab 6 begin: (void)n, (void)gpa, (void)len, (void)perm, (void)protect_one; return 0; */
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
    /* lab 6 end */
}

/* The entries read to find gpa, appended to list.  Where it is, or HMEM_NONE. */
static hpa_t refer(const struct nested *n, gpa_t gpa, hpa_t *list, size_t *count)
{
    /* lab 6 begin: (void)n, (void)gpa, (void)list, (void)count; return HMEM_NONE; */
    hpa_t at = n->root;

    for (unsigned level = 4; gpa < EPT_GPA_LIMIT; level--) {
        unsigned i = table_index(gpa, level);
        uint64_t entry = table_at(n, at)[i];
        list[(*count)++] = at + i * sizeof entry;
        if (!(entry & EPT_RWX))
            break;
        at = entry & EPT_FRAME;
        if (is_leaf(entry, level))
            return at + (gpa & (size_at(level) - 1));
    }
    return HMEM_NONE;
    /* lab 6 end */
}

size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list)
{
    size_t count = 0;
    /* lab 6 begin: (void)n, (void)at, (void)n_at, (void)list, (void)refer; */
    for (size_t i = 0; i < n_at; i++) {
        hpa_t entry = refer(n, at[i], list, &count);
        if (entry == HMEM_NONE)
            break;
        if (i + 1 < n_at)
            list[count++] = entry;
    }
    /* lab 6 end */
    return count;
}

size_t nested_count(const struct nested *n)
{
    return n->n_leaves;
}

/* ---- snapshots: for each 2 MiB with a table or a large page its place, and a byte a page ---- */

struct saved_table { gpa_t base; uint8_t page[TABLE_ENTRIES]; };
#define SAVED_A 8                       /* besides EPT_RWX */
#define SAVED_D 16
#define SAVED_LARGE 32                  /* in the first byte, which says all then */
#define SAVED_FILL_LARGE BIT(63)        /* in the number of them */

static uint8_t saved_page(uint64_t entry)
{
    return (uint8_t)((entry & EPT_RWX) | (entry & EPT_A ? SAVED_A : 0) |
                     (entry & EPT_D ? SAVED_D : 0));
}

static uint64_t loaded_entry(gpa_t page, uint8_t saved)
{
    return leaf_entry(HMEM_GUEST + page, saved & EPT_RWX) | (saved & SAVED_A ? EPT_A : 0) |
           (saved & SAVED_D ? EPT_D : 0);
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
        bool large = is_leaf(table[i], level);
        const uint64_t *below = large ? NULL : table_under(n, table[i]);
        for (unsigned k = 0; k < TABLE_ENTRIES && !large; k++)
            t.page[k] = saved_page(below[k]);
        if (large)
            t.page[0] = saved_page(table[i]) | SAVED_LARGE;
        BYTES_PUT(o, t);
    }
}

void nested_save(const struct nested *n, struct bytes_out *o)
{
    size_t at = o->n;
    bytes_put_u64(o, 0);
    save_tree(n, table_at(n, n->root), 4, 0, o);
    uint64_t count = (o->n - at - sizeof count) / sizeof(struct saved_table);
    count |= n->fill_large ? SAVED_FILL_LARGE : 0;
    if (!o->bad)
        memcpy(o->data + at, &count, sizeof count);
}

/* May there be such an entry for [gpa, gpa+size)? */
static bool can_be_mapped(const struct nested *n, gpa_t gpa, uint64_t size, uint8_t saved)
{
    const struct gmem_region *r = gmem_find(n->hmem->gmem, gpa);
    return r && lies_in(r, gpa, size) && !((saved & EPT_W) && r->kind == GMEM_ROM);
}

static bool load_large(struct nested *n, const struct saved_table *t)
{
    uint8_t saved = t->page[0];
    uint64_t *e = slot(n, t->base, 2);
    if (!e || (*e & EPT_RWX) || !(saved & EPT_RWX) ||
        !can_be_mapped(n, t->base, NESTED_LARGE, saved))
        return false;
    *e = loaded_entry(t->base, saved) | EPT_LARGE;
    n->n_leaves++;
    return true;
}

static bool load_small(struct nested *n, const struct saved_table *t)
{
    uint64_t *table = slot(n, t->base, 1);
    for (unsigned i = 0; table && i < TABLE_ENTRIES; i++) {
        gpa_t at = t->base + i * PAGE_SIZE;
        if (!(t->page[i] & EPT_RWX))
            continue;
        if ((table[i] & EPT_RWX) || !can_be_mapped(n, at, PAGE_SIZE, t->page[i]))
            return false;
        table[i] = loaded_entry(at, t->page[i]);
        n->n_leaves++;
    }
    return table != NULL;
}

static bool load_table(struct nested *n, const struct saved_table *t)
{
    if ((t->base & (NESTED_LARGE - 1)) || t->base >= EPT_GPA_LIMIT)
        return false;
    return t->page[0] & SAVED_LARGE ? load_large(n, t) : load_small(n, t);
}

bool nested_load(struct nested *n, struct bytes_in *in)
{
    uint64_t count = bytes_get_u64(in);

    clear_table(n, n->root, 4);
    n->n_leaves = 0;
    n->fill_large = count & SAVED_FILL_LARGE;
    count &= ~SAVED_FILL_LARGE;
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
