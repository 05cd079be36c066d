/* A right solution, for `accept`: what is mapped is a sorted list of runs, from here to there with
 * the same bits, and every change cuts runs, changes whole ones, and writes the tables of each
 * 2 MiB that it has met anew from the list. */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/hmem.h"

#define MOST_RUNS 8192

/* The entry for an address in it is that address and `more`. */
struct run { gpa_t from, end; uint64_t more; bool large; };

struct nested {
    struct hmem *hmem;
    hpa_t root;
    bool large;
    size_t n;
    struct run run[MOST_RUNS + 4];
};

static gpa_t down(gpa_t at, uint64_t size) { return at & ~(size - 1); }
static gpa_t up(gpa_t at, uint64_t size) { return down(at + size - 1, size); }

/* ---- the list ---- */

/* The first run that ends behind `at`. */
static size_t find(const struct nested *n, gpa_t at)
{
    size_t low = 0, high = n->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (n->run[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool has(const struct nested *n, size_t i, gpa_t at)
{
    return i < n->n && n->run[i].from <= at;
}

static void insert(struct nested *n, size_t i, struct run r)
{
    memmove(&n->run[i + 1], &n->run[i], (n->n - i) * sizeof r);
    n->run[i] = r;
    n->n++;
}

static void split_at(struct nested *n, size_t i, gpa_t at)
{
    if (n->run[i].from >= at || n->run[i].end <= at)
        return;
    struct run first = n->run[i];
    first.end = n->run[i].from = at;
    insert(n, i, first);
}

/* No run goes across `at` afterwards. */
static void cut(struct nested *n, gpa_t at)
{
    size_t i = find(n, at);
    if (!has(n, i, at) || n->run[i].from == at)
        return;
    if (n->run[i].large && at % NESTED_LARGE) {
        gpa_t page = down(at, NESTED_LARGE);
        cut(n, page);
        cut(n, page + NESTED_LARGE);
        i = find(n, at);
        n->run[i].large = false;
        n->run[i].more &= ~EPT_LARGE;
    }
    split_at(n, i, at);
}

static void erase(struct nested *n, gpa_t from, gpa_t end)
{
    cut(n, from);
    cut(n, end);
    size_t i = find(n, from), k = i;
    while (k < n->n && n->run[k].from < end)
        k++;
    memmove(&n->run[i], &n->run[k], (n->n - k) * sizeof n->run[0]);
    n->n -= k - i;
}

static uint64_t page_size(const struct run *r)
{
    return r->large ? NESTED_LARGE : PAGE_SIZE;
}

/* ---- the tables ---- */

static uint64_t *below(struct nested *n, uint64_t *entry)
{
    if (!(*entry & EPT_RWX)) {
        hpa_t table = hmem_table_new(n->hmem);
        if (table == HMEM_NONE)
            return NULL;
        *entry = table | EPT_RWX;
    }
    return hmem_table(n->hmem, *entry & EPT_FRAME);
}

/* Can the page, or the 2 MiB page, at gpa have all tables on its way? */
static bool has_room(struct nested *n, gpa_t gpa, uint64_t size)
{
    hpa_t taken[3];
    unsigned last = size == NESTED_LARGE ? 2 : 1, missing = 0, got = 0;
    const uint64_t *table = hmem_table(n->hmem, n->root);
    for (unsigned level = 4; level > last; level--) {
        uint64_t entry = table ? table[table_index(gpa, level)] : 0;
        bool is_there = (entry & EPT_RWX) && !(entry & EPT_LARGE);
        missing += !is_there;
        table = is_there ? hmem_table(n->hmem, entry & EPT_FRAME) : NULL;
    }
    while (got < missing && (taken[got] = hmem_table_new(n->hmem)) != HMEM_NONE)
        got++;
    for (unsigned i = 0; i < got; i++)
        hmem_table_free(n->hmem, taken[i]);
    return got == missing;
}

static bool show_block(struct nested *n, gpa_t base)
{
    uint64_t *table = hmem_table(n->hmem, n->root);
    for (unsigned level = 4; level > 2 && table; level--)
        table = below(n, &table[table_index(base, level)]);
    if (!table)
        return false;
    uint64_t *entry = &table[table_index(base, 2)];
    size_t i = find(n, base);
    bool one = has(n, i, base) && n->run[i].large;
    if (*entry & EPT_LARGE)
        *entry = 0;
    if (one) {
        if (*entry & EPT_RWX)
            hmem_table_free(n->hmem, *entry & EPT_FRAME);
        *entry = base + n->run[i].more;
        return true;
    }
    if (!(*entry & EPT_RWX) && (i == n->n || n->run[i].from >= base + NESTED_LARGE))
        return true;                    /* nothing is mapped, and no table is needed */
    uint64_t *small = below(n, entry);
    for (gpa_t at = base; small && at < base + NESTED_LARGE; at += PAGE_SIZE) {
        i = find(n, at);
        small[table_index(at, 1)] = has(n, i, at) ? at + n->run[i].more : 0;
    }
    return small != NULL;
}

/* Those in which something is or was mapped: of a long range few. */
static void show(struct nested *n, gpa_t from, gpa_t end)
{
    for (size_t i = 0; i < gmem_count(n->hmem->gmem); i++) {
        const struct gmem_region *r = gmem_region(n->hmem->gmem, i);
        gpa_t at = down(from > r->base ? from : r->base, NESTED_LARGE);
        for (; at < end && at < r->base + r->size; at += NESTED_LARGE)
            show_block(n, at);
    }
}

/* ---- what is asked for ---- */

struct nested *nested_new(struct hmem *h, struct trace *t)
{
    struct nested *n = calloc(1, sizeof *n);
    (void)t;
    if (!n)
        return NULL;
    n->hmem = h;
    n->root = hmem_table_new(h);
    return n;
}

void nested_free(struct nested *n) { free(n); }
hpa_t nested_root(const struct nested *n) { return n->root; }
void nested_set_large(struct nested *n, bool large) { n->large = large; }

static int put(struct nested *n, gpa_t gpa, uint64_t size, uint64_t entry)
{
    if (n->n >= MOST_RUNS || !has_room(n, gpa, size))
        return -ENOMEM;
    erase(n, gpa, gpa + size);
    if (entry & EPT_RWX)
        insert(n, find(n, gpa), (struct run){ gpa, gpa + size, entry - gpa, size == NESTED_LARGE });
    return show_block(n, down(gpa, NESTED_LARGE)) ? 0 : -ENOMEM;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    bool sizes = size == PAGE_SIZE || size == NESTED_LARGE;
    bool rights = perm >= 1 && perm <= 7 && (perm & (EPT_R | EPT_W)) != EPT_W;
    if (!sizes || !rights || gpa % size || hpa % size || gpa >= EPT_GPA_LIMIT || hpa & ~EPT_FRAME)
        return -EINVAL;
    return put(n, gpa, size, hpa | EPT_WB | perm | (size == NESTED_LARGE ? EPT_LARGE : 0));
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    return gpa < EPT_GPA_LIMIT ? put(n, down(gpa, PAGE_SIZE), PAGE_SIZE, entry) : -EINVAL;
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    const struct gmem_region *r = gmem_find(n->hmem->gmem, gpa);
    if (!r)
        return -ENOENT;
    gpa_t first = down(gpa, NESTED_LARGE), end = first + NESTED_LARGE;
    size_t i = find(n, first);
    bool small = i < n->n && n->run[i].from < end && !n->run[i].large;
    bool fits = n->large && !small && first >= r->base && end <= r->base + r->size;
    uint64_t size = fits ? NESTED_LARGE : PAGE_SIZE;
    gpa = down(gpa, size);
    return nested_map(n, gpa, HMEM_GUEST + gpa, size, r->kind == GMEM_ROM ? 5 : 7);
}

static gpa_t end_of(gpa_t gpa, uint64_t len)
{
    return len > EPT_GPA_LIMIT - gpa ? EPT_GPA_LIMIT : up(gpa + len, PAGE_SIZE);
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    size_t count = 0;
    if (!len || gpa >= EPT_GPA_LIMIT)
        return 0;
    gpa_t from = down(gpa, PAGE_SIZE), end = end_of(gpa, len);
    for (size_t i; (i = find(n, from)) < n->n && n->run[i].from < end; ) {
        const struct run r = n->run[i];
        gpa_t a = down(r.from > from ? r.from : from, page_size(&r));
        gpa_t b = up(r.end < end ? r.end : end, page_size(&r));
        count += (b - a) / page_size(&r);
        erase(n, a, b);
    }
    show(n, from, end);
    return count;
}

/* The next piece of [at, end) that can change as a whole. */
static gpa_t piece(const struct run *r, gpa_t at, gpa_t end)
{
    gpa_t last = r->end < end ? r->end : end;
    if (!r->large)
        return last;
    gpa_t page = down(at, NESTED_LARGE);
    if (at == page && last - at >= NESTED_LARGE)
        return down(last, NESTED_LARGE);
    return page + NESTED_LARGE < end ? page + NESTED_LARGE : end;
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    size_t count = 0, i;
    if (!len || gpa >= EPT_GPA_LIMIT)
        return 0;
    gpa_t at = down(gpa, PAGE_SIZE), from = at, end = end_of(gpa, len);
    while (at < end && (i = find(n, at)) < n->n && n->run[i].from < end) {
        at = n->run[i].from > at ? n->run[i].from : at;
        gpa_t to = piece(&n->run[i], at, end);
        bool parts = n->run[i].large && ((at | to) & (NESTED_LARGE - 1));
        if ((n->run[i].more & EPT_RWX) != perm && parts && !has_room(n, at, PAGE_SIZE)) {
            erase(n, down(at, NESTED_LARGE), down(at, NESTED_LARGE) + NESTED_LARGE);
            count++;
        } else if ((n->run[i].more & EPT_RWX) != perm) {
            cut(n, at);
            cut(n, to);
            struct run *r = &n->run[find(n, at)];
            count += (to - at) / page_size(r);
            r->more = (r->more & ~EPT_RWX) | perm;
            if (!perm)
                erase(n, at, to);
        }
        at = to;
    }
    show(n, from, end);
    return count;
}

size_t nested_count(const struct nested *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->n; i++)
        count += (n->run[i].end - n->run[i].from) / page_size(&n->run[i]);
    return count;
}

size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list)
{
    size_t count = 0;
    for (const gpa_t *to = at; to < at + n_at && *to < EPT_GPA_LIMIT; to++) {
        hpa_t table = n->root;
        uint64_t entry = EPT_RWX;
        for (unsigned level = 4; level && (entry & EPT_RWX) && !(entry & EPT_LARGE); level--) {
            list[count] = table + 8 * table_index(*to, level);
            entry = hmem_table(n->hmem, table)[table_index(*to, level)];
            table = entry & EPT_FRAME;
            count++;
        }
        if (!(entry & EPT_RWX))
            break;
        if (to + 1 < at + n_at)
            list[count++] = HMEM_GUEST + *to;
    }
    return count;
}
