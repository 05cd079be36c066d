/* A right solution, for `accept`: what is mapped is kept in a list of 2 MiB blocks, and the tables
 * are written from it after each change.  All tables of the upper levels are made beforehand. */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/hmem.h"

struct block {
    struct block *next;
    gpa_t    base;
    uint64_t large;                     /* its entry, if it is one page ...  */
    uint64_t page[TABLE_ENTRIES];       /* ... and if not, those of 512      */
    hpa_t    table;                     /* taken when it is first needed     */
};

struct nested {
    struct hmem *hmem;
    hpa_t root;
    bool large;
    struct block *blocks;
};

/* The entry of level 2 for gpa; NULL: no memory. */
static uint64_t *directory_entry(struct nested *n, gpa_t gpa)
{
    uint64_t *top = &hmem_table(n->hmem, n->root)[gpa >> 39 & 511], *middle;
    if (!*top && (*top = hmem_table_new(n->hmem)))
        *top |= EPT_R | EPT_W | EPT_X;
    if (!*top)
        return NULL;
    middle = &hmem_table(n->hmem, *top & EPT_FRAME)[gpa >> 30 & 511];
    if (!*middle && (*middle = hmem_table_new(n->hmem)))
        *middle |= EPT_R | EPT_W | EPT_X;
    return *middle ? &hmem_table(n->hmem, *middle & EPT_FRAME)[gpa >> 21 & 511] : NULL;
}

static struct block *block_at(struct nested *n, gpa_t gpa, bool make)
{
    gpa_t base = gpa & ~(NESTED_LARGE - 1);
    struct block *b;
    for (b = n->blocks; b && b->base != base; b = b->next)
        ;
    if (!b && make && directory_entry(n, gpa) && (b = calloc(1, sizeof *b))) {
        b->base = base;
        b->next = n->blocks;
        n->blocks = b;
    }
    return b;
}

/* The tables say what the block says. */
static void publish(struct nested *n, const struct block *b)
{
    if (b->table)
        memcpy(hmem_table(n->hmem, b->table), b->page, sizeof b->page);
    *directory_entry(n, b->base) = b->large ? b->large : b->table ? b->table | EPT_RWX : 0;
}

/* False: there is no table for it, and it stays what it is. */
static bool make_small(struct nested *n, struct block *b)
{
    if (!b->table && !(b->table = hmem_table_new(n->hmem)))
        return false;
    for (unsigned i = 0; b->large && i < TABLE_ENTRIES; i++)
        b->page[i] = (b->large & ~EPT_LARGE) + i * PAGE_SIZE;
    b->large = 0;
    return true;
}

struct nested *nested_new(struct hmem *h, struct trace *t)
{
    struct nested *n = calloc(1, sizeof *n);
    (void)t;
    n->hmem = h;
    n->root = hmem_table_new(h);
    for (size_t i = 0; i < gmem_count(h->gmem); i++) {
        const struct gmem_region *r = gmem_region(h->gmem, i);
        for (gpa_t at = r->base; at < r->base + r->size; at += NESTED_LARGE)
            directory_entry(n, at);
    }
    return n;
}

void nested_free(struct nested *n) { free(n); }
hpa_t nested_root(const struct nested *n) { return n->root; }
void nested_set_large(struct nested *n, bool large) { n->large = large; }

static int put_small(struct nested *n, gpa_t gpa, uint64_t entry)
{
    struct block *b = block_at(n, gpa, true);
    if (!b || !make_small(n, b))
        return -ENOMEM;
    b->page[gpa >> 12 & 511] = entry;
    publish(n, b);
    return 0;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    if ((size != NESTED_LARGE && size != PAGE_SIZE) || ((gpa | hpa) & (size - 1)) || !perm ||
        perm == EPT_W || perm == (EPT_W | EPT_X) || (perm & ~7u) || gpa >> 48 || hpa & ~EPT_FRAME)
        return -EINVAL;
    if (size == PAGE_SIZE)
        return put_small(n, gpa, hpa | EPT_WB | perm);
    struct block *b = block_at(n, gpa, true);
    if (!b)
        return -ENOMEM;
    memset(b->page, 0, sizeof b->page);
    b->large = hpa | EPT_WB | EPT_LARGE | perm;
    publish(n, b);
    return 0;
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    return gpa >> 48 ? -EINVAL : put_small(n, gpa, entry);
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    const struct gmem_region *r = gmem_find(n->hmem->gmem, gpa);
    struct block *b = block_at(n, gpa, false);
    gpa_t base = gpa & ~(NESTED_LARGE - 1);
    bool large = n->large && r && base >= r->base && base + NESTED_LARGE <= r->base + r->size;
    if (!r)
        return -ENOENT;
    for (unsigned i = 0; b && i < TABLE_ENTRIES; i++)
        large &= !(b->page[i] & EPT_RWX);
    gpa = large ? base : gpa & PAGE_MASK;
    return nested_map(n, gpa, HMEM_GUEST + gpa, large ? NESTED_LARGE : PAGE_SIZE,
                      r->kind == GMEM_ROM ? EPT_R | EPT_X : EPT_RWX);
}

/* Give an entry these rights; 1 if that changes it. */
static size_t set(uint64_t *e, unsigned perm)
{
    if (!(*e & EPT_RWX) || (*e & EPT_RWX) == perm)
        return 0;
    *e = perm ? (*e & ~EPT_RWX) | perm : 0;
    return 1;
}

static size_t change(struct nested *n, struct block *b, gpa_t from, gpa_t end, unsigned perm)
{
    gpa_t b_end = b->base + NESTED_LARGE;
    size_t count = 0;
    if (from >= b_end || end <= b->base)
        return 0;
    if (b->large && (!perm || (from <= b->base && end >= b_end))) {
        count = set(&b->large, perm);
    } else if (b->large && (b->large & EPT_RWX) != perm && !make_small(n, b)) {
        count = set(&b->large, 0);
    } else if (!b->large) {
        for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
            gpa_t at = b->base + i * PAGE_SIZE;
            if (at < end && at + PAGE_SIZE > from)
                count += set(&b->page[i], perm);
        }
    }
    publish(n, b);
    return count;
}

static size_t change_all(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    gpa_t end = gpa + len < gpa ? UINT64_MAX : gpa + len;
    size_t count = 0;
    for (struct block *b = n->blocks; b && len; b = b->next)
        count += change(n, b, gpa, end, perm);
    return count;
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    return change_all(n, gpa, len, 0);
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    return change_all(n, gpa, len, perm);
}

size_t nested_count(const struct nested *n)
{
    size_t count = 0;
    for (const struct block *b = n->blocks; b; b = b->next) {
        count += b->large != 0;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            count += (b->page[i] & EPT_RWX) != 0;
    }
    return count;
}

size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list)
{
    static const unsigned shift[] = { 39, 30, 21, 12 };
    hpa_t *to = list;
    for (size_t k = 0; k < n_at && at[k] < EPT_GPA_LIMIT; k++) {
        hpa_t table = n->root;
        uint64_t e = 0;
        for (unsigned i = 0; i < 4; i++) {
            unsigned index = at[k] >> shift[i] & 511;
            e = hmem_table(n->hmem, table)[index];
            *to++ = table + index * 8;
            if (!(e & EPT_RWX) || (e & EPT_LARGE) || i == 3)
                break;
            table = e & EPT_FRAME;
        }
        if (!(e & EPT_RWX))
            break;
        if (k + 1 < n_at)
            *to++ = HMEM_GUEST + at[k];
    }
    return (size_t)(to - list);
}
