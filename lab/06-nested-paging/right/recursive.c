/* A right solution, for `accept`: one recursive function goes over all tables, and tables that
 * have become empty are given back at once. */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>

#include "base/trace.h"
#include "mem/hmem.h"

struct nested {
    struct hmem *hmem;
    hpa_t root;
    bool large;
};

/* What is done with the leaves of a range; its result counts. */
struct job {
    gpa_t from, last;                   /* the range, both ends included               */
    bool  make;                         /* make what is missing, down to make_level    */
    unsigned make_level;
    uint64_t value;                     /* of a leaf that is made                      */
    bool  remove, protect;
    unsigned perm;
    size_t count;
    int   err;
};

static uint64_t span(unsigned level)
{
    return (uint64_t)PAGE_SIZE << (9 * (level - 1));
}

static bool present(uint64_t entry)
{
    return entry & EPT_RWX;
}

static void give_back(struct nested *n, uint64_t entry, unsigned level)
{
    if (level == 1 || (entry & EPT_LARGE) || !present(entry))
        return;
    uint64_t *table = hmem_table(n->hmem, entry & EPT_FRAME);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        give_back(n, table[i], level - 1);
    hmem_table_free(n->hmem, entry & EPT_FRAME);
}

static bool break_up(struct nested *n, uint64_t *e)
{
    hpa_t at = hmem_table_new(n->hmem);
    if (at == HMEM_NONE)
        return false;
    uint64_t *table = hmem_table(n->hmem, at), value = *e & ~EPT_LARGE;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++, value += PAGE_SIZE)
        table[i] = value;
    *e = at | EPT_RWX;
    return true;
}

static bool go(struct nested *n, hpa_t at, unsigned level, gpa_t base, struct job *j);

static void leaf(struct nested *n, uint64_t *e, struct job *j, bool whole, unsigned level)
{
    (void)n, (void)level, (void)whole;
    if (j->remove) {
        *e = 0;
        j->count++;
    } else if (j->protect && (*e & EPT_RWX) != j->perm) {
        *e = (*e & ~EPT_RWX) | j->perm;
        j->count++;
    }
}

static void one(struct nested *n, uint64_t *e, unsigned level, gpa_t base, struct job *j)
{
    bool whole = base >= j->from && base + span(level) - 1 <= j->last;
    if (j->make && level == j->make_level) {
        give_back(n, *e, level);
        *e = j->value;
        return;
    }
    bool is_leaf = present(*e) && (level == 1 || (*e & EPT_LARGE));
    bool in_the_way = is_leaf && level == 2 &&
                      (j->make || (j->protect && !whole && (*e & EPT_RWX) != j->perm));
    if (in_the_way && !break_up(n, e)) {
        j->err = -ENOMEM;
        if (j->protect)                 /* rather too few rights than too many */
            leaf(n, e, &(struct job){ .remove = true }, false, level);
        j->count += j->protect;
        return;
    }
    if (is_leaf && !in_the_way) {
        leaf(n, e, j, whole, level);
        return;
    }
    if (!present(*e)) {
        if (!j->make)
            return;
        hpa_t below = hmem_table_new(n->hmem);
        if (below == HMEM_NONE) {
            j->err = -ENOMEM;
            return;
        }
        *e = below | EPT_RWX;
    }
    if (go(n, *e & EPT_FRAME, level - 1, base, j)) {
        hmem_table_free(n->hmem, *e & EPT_FRAME);
        *e = 0;
    }
}

/* True if the table is empty afterwards. */
static bool go(struct nested *n, hpa_t at, unsigned level, gpa_t base, struct job *j)
{
    uint64_t *table = hmem_table(n->hmem, at);
    bool empty = true;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        gpa_t here = base + i * span(level);
        if (here <= j->last && here + span(level) - 1 >= j->from)
            one(n, &table[i], level, here, j);
        empty &= !present(table[i]);
    }
    return empty;
}

static size_t over(struct nested *n, gpa_t gpa, uint64_t len, struct job *j)
{
    if (!len || gpa >= EPT_GPA_LIMIT)
        return 0;
    j->from = gpa;
    j->last = len > EPT_GPA_LIMIT - gpa ? EPT_GPA_LIMIT - 1 : gpa + len - 1;
    go(n, n->root, 4, 0, j);
    return j->count;
}

struct nested *nested_new(struct hmem *h, struct trace *t)
{
    struct nested *n = calloc(1, sizeof *n);
    (void)t;
    n->hmem = h;
    n->root = hmem_table_new(h);
    return n;
}

void nested_free(struct nested *n) { free(n); }
hpa_t nested_root(const struct nested *n) { return n->root; }
void nested_set_large(struct nested *n, bool large) { n->large = large; }

static int make(struct nested *n, gpa_t gpa, uint64_t value, unsigned level)
{
    struct job j = { .make = true, .make_level = level, .value = value };
    over(n, gpa, 1, &j);
    return j.err;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    bool large = size == NESTED_LARGE;
    if ((!large && size != PAGE_SIZE) || gpa % size || hpa % size || !perm || perm > EPT_RWX ||
        (perm & (EPT_R | EPT_W)) == EPT_W || gpa >= EPT_GPA_LIMIT || (hpa & ~EPT_FRAME))
        return -EINVAL;
    return make(n, gpa, hpa | EPT_WB | perm | (large ? EPT_LARGE : 0), large ? 2 : 1);
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    return gpa < EPT_GPA_LIMIT ? make(n, gpa, entry, 1) : -EINVAL;
}

static size_t leaves_in(const struct nested *n, uint64_t entry, unsigned level)
{
    if (!present(entry))
        return 0;
    if (level == 1 || (entry & EPT_LARGE))
        return 1;
    size_t sum = 0;
    const uint64_t *table = hmem_table(n->hmem, entry & EPT_FRAME);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        sum += leaves_in(n, table[i], level - 1);
    return sum;
}

size_t nested_count(const struct nested *n)
{
    return leaves_in(n, n->root | EPT_RWX, 5);
}

/* Is something small mapped in the 2 MiB around gpa?  Empty tables there are none here. */
static bool has_small(const struct nested *n, gpa_t gpa)
{
    hpa_t at = n->root;
    for (unsigned level = 4; level >= 2; level--) {
        uint64_t e = hmem_table(n->hmem, at)[table_index(gpa, level)];
        if (!present(e) || (e & EPT_LARGE))
            return false;
        at = e & EPT_FRAME;
    }
    return true;
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    const struct gmem_region *r = gmem_find(n->hmem->gmem, gpa);
    gpa_t large = gpa / NESTED_LARGE * NESTED_LARGE;
    if (!r)
        return -ENOENT;
    unsigned perm = r->kind == GMEM_RAM ? EPT_RWX : EPT_R | EPT_X;
    if (n->large && large >= r->base && large + NESTED_LARGE <= r->base + r->size &&
        !has_small(n, gpa))
        return nested_map(n, large, HMEM_GUEST + large, NESTED_LARGE, perm);
    gpa &= PAGE_MASK;
    return nested_map(n, gpa, HMEM_GUEST + gpa, PAGE_SIZE, perm);
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    return over(n, gpa, len, &(struct job){ .remove = true });
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    if (!perm)
        return nested_unmap(n, gpa, len);
    return over(n, gpa, len, &(struct job){ .protect = true, .perm = perm });
}

static size_t way(const struct nested *n, hpa_t table, unsigned level, gpa_t gpa, hpa_t *list,
                  hpa_t *end)
{
    unsigned i = table_index(gpa, level);
    uint64_t e = hmem_table(n->hmem, table)[i];
    *list = table + 8 * i;
    *end = HMEM_NONE;
    if (!present(e))
        return 1;
    if (level > 1 && !(e & EPT_LARGE))
        return 1 + way(n, e & EPT_FRAME, level - 1, gpa, list + 1, end);
    *end = (e & EPT_FRAME) | (gpa & (span(level) - 1));
    return 1;
}

size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list)
{
    hpa_t end;
    if (!n_at || *at >= EPT_GPA_LIMIT)
        return 0;
    size_t count = way(n, n->root, 4, *at, list, &end);
    if (end == HMEM_NONE || n_at == 1)
        return count;
    list[count] = end;
    return count + 1 + nested_references(n, at + 1, n_at - 1, list + count + 1);
}
