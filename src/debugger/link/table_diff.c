/*
 * debugger/link/table_diff.c -- shots of page tables, compared.
 *
 * A shot keeps its tables in the order in which a walk through all addresses
 * meets them: by first address, and of the same address the upper level first.
 * So two shots are compared as two sorted lists.  A guest may point a table at itself:
 * the copying still ends, because the level goes down with every step and MAX_TABLES
 * limits how many tables there are.
 */
#include "debugger/link/table_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "debugger/link/link.h"

#define MAX_TABLES 2048

/* One page table.  gla is the first address that its first entry translates. */
struct table {
    uint64_t gla;               /* of its first entry */
    unsigned level, n;          /* entries, widened to 64 bits: */
    uint64_t entry[];
};

struct table_shot {
    const struct link *link;    /* while it is taken */
    unsigned entry_bytes;
    bool     whole;
    size_t   n, room;
    struct table **table;
};

/* An entry of this level translates 2^shift bytes.  Entries of 4 bytes: 10 bits of address
 * for each level above 12; entries of 8 bytes: 9 bits.  [SDM 3A "Paging"] */
static unsigned shift_of(const struct table_shot *s, unsigned level)
{
    return s->entry_bytes == 4 ? (level == 1 ? 12 : 22) : 12 + 9 * (level - 1);
}

/* NULL: the shot is full, or memory is. */
static struct table *add_table(struct table_shot *s, uint64_t gla, unsigned level, unsigned n)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 16;
        struct table **more = room <= MAX_TABLES ? realloc(s->table, room * sizeof *more) : NULL;
        if (!more)
            return NULL;
        s->table = more;
        s->room = room;
    }
    struct table *t = calloc(1, sizeof *t + n * sizeof t->entry[0]);
    if (!t)
        return NULL;
    t->gla = gla;
    t->level = level;
    t->n = n;
    s->table[s->n++] = t;
    return t;
}

/* Addresses of 4-level paging have 48 bits; bit 47 is repeated in those above it. */
static uint64_t canonical(const struct table_shot *s, uint64_t gla)
{
    return s->entry_bytes == 8 && gla & BIT(47) ? gla | ~(BIT(48) - 1) : gla;
}

/* Copy the table of n entries at `at`, and then each table that a present entry points to.
 * An entry with PS is a large page and points to none; at level 4, and in the 4-entry table
 * of PAE, that bit is reserved and means nothing here.  [SDM 3A "Paging"] */
static void take_table(struct table_shot *s, gpa_t at, uint64_t gla, unsigned level, unsigned n)
{
    uint8_t bytes[4096];
    struct table *t = add_table(s, gla, level, n);
    if (!t) {
        s->whole = false;
        return;
    }
    if (link_read_phys(s->link, at, bytes, (uint64_t)n * s->entry_bytes) < 0)
        return;                 /* no memory there: an empty table */
    for (unsigned i = 0; i < n; i++)
        memcpy(&t->entry[i], bytes + i * s->entry_bytes, s->entry_bytes);
    for (unsigned i = 0; i < n && level > 1; i++) {
        uint64_t e = t->entry[i];
        bool leaf = e & PTE_PS && level < 4 && n > 4;
        if (e & PTE_P && !leaf)
            take_table(s, e & PTE_ADDR & (s->entry_bytes == 4 ? UINT32_MAX : UINT64_MAX),
                       canonical(s, gla + ((uint64_t)i << shift_of(s, level))), level - 1,
                       s->entry_bytes == 4 ? 1024 : 512);
    }
}

/* Three kinds of paging, by CR4.PAE and EFER.LMA: 4 levels of 512 entries; PAE, with 4
 * entries at the top; or 2 levels of 1024 entries of 4 bytes. */
struct table_shot *table_shot_take(const struct link *l, const struct cpu_state *c)
{
    struct table_shot *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    bool pae = c->cr4 & CR4_PAE, lng = c->efer & EFER_LMA;
    *s = (struct table_shot){ .link = l, .entry_bytes = lng || pae ? 8 : 4, .whole = true };
    if (!(c->cr0 & CR0_PG))
        return s;
    if (lng)
        take_table(s, c->cr3 & PTE_ADDR, 0, 4, 512);
    else if (pae)
        take_table(s, c->cr3 & 0xffffffe0, 0, 3, 4);
    else
        take_table(s, c->cr3 & 0xfffff000, 0, 2, 1024);
    s->link = NULL;
    return s;
}

void table_shot_free(struct table_shot *s)
{
    for (size_t i = 0; s && i < s->n; i++)
        free(s->table[i]);
    free(s ? s->table : NULL);
    free(s);
}

size_t table_shot_tables(const struct table_shot *s) { return s ? s->n : 0; }
bool table_shot_is_whole(const struct table_shot *s) { return !s || s->whole; }

/* Which table comes first in a walk through all addresses?  -1: a, 1: b, 0: they are the
 * same table in both shots.  NULL stands for the end of a list. */
static int order(const struct table *a, const struct table *b)
{
    if (!a || !b)
        return a ? -1 : b ? 1 : 0;
    if (a->gla != b->gla)
        return a->gla < b->gla ? -1 : 1;
    return a->level == b->level ? 0 : a->level > b->level ? -1 : 1;
}

/* Note every entry that differs.  A table that exists in one shot only is compared with
 * zeros. */
static size_t compare(const struct table_shot *s, const struct table *a, const struct table *b,
                      struct table_change *out, size_t n, size_t found)
{
    const struct table *t = b ? b : a;
    for (unsigned i = 0; t && i < t->n; i++) {
        uint64_t before = a && i < a->n ? a->entry[i] : 0, after = b ? b->entry[i] : 0;
        if (before == after)
            continue;
        uint64_t gla = t->gla + ((uint64_t)i << shift_of(s, t->level));
        if (found < n)
            out[found] = (struct table_change){ canonical(s, gla), t->level, before, after };
        found++;
    }
    return found;
}

/* Go along both sorted lists at once, as in the merge step of a merge sort. */
size_t table_diff(const struct table_shot *a, const struct table_shot *b, struct table_change *out,
                  size_t n)
{
    size_t i = 0, j = 0, found = 0, n_a = a ? a->n : 0, n_b = b ? b->n : 0;
    if (a && b && a->entry_bytes != b->entry_bytes)
        n_a = 0;                /* another kind of paging: nothing is as it was */
    while (i < n_a || j < n_b) {
        const struct table *x = i < n_a ? a->table[i] : NULL, *y = j < n_b ? b->table[j] : NULL;
        int which = order(x, y);
        found = compare(which > 0 || !n_a ? b : a, which <= 0 ? x : NULL, which >= 0 ? y : NULL,
                        out, n, found);
        i += which <= 0;
        j += which >= 0;
    }
    return found;
}
