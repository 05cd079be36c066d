/*
 * debugger/report/tally.c -- an open hash table that grows up to a limit.
 *
 * Rows are never removed one by one, which keeps open addressing simple.
 */
#include "debugger/report/tally.h"

#include <stdlib.h>

#define START_SLOTS 64
#define MAX_SLOTS   (1u << 16)

/* The row of this key, or the free one where it belongs.  The key is multiplied by 2^64
 * divided by the golden ratio, which spreads neighbours (ports, pages) over the table; then
 * one looks from there to the next free place.  There always is one, since the table is never
 * full.  [Knuth, "The Art of Computer Programming" 3, "Hashing"] */
static struct tally_row *slot_of(struct tally_row *row, size_t slots, uint64_t key)
{
    size_t i = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (slots - 1);
    while (row[i].count && row[i].key != key)
        i = (i + 1) & (slots - 1);
    return &row[i];
}

/* More than three quarters full, searches would get long. */
static bool is_full(const struct tally *t)
{
    return t->used >= t->slots / 4 * 3;
}

/* Twice the size, and all rows into their new places.  At the limit, or without memory,
 * nothing is changed. */
static void grow_table(struct tally *t)
{
    size_t slots = t->slots ? 2 * t->slots : START_SLOTS;
    struct tally_row *more = slots > MAX_SLOTS ? NULL : calloc(slots, sizeof *more);
    if (!more)
        return;
    for (size_t i = 0; i < t->slots; i++)
        if (t->row[i].count)
            *slot_of(more, slots, t->row[i].key) = t->row[i];
    free(t->row);
    t->row = more;
    t->slots = slots;
}

/* A new key that finds no room goes to the rest. */
void tally_add(struct tally *t, const struct tally_row *r)
{
    if (is_full(t))
        grow_table(t);
    struct tally_row *into = t->slots ? slot_of(t->row, t->slots, r->key) : &t->rest;
    if (!into->count && is_full(t))
        into = &t->rest;
    if (into != &t->rest && !into->count) {
        into->key = r->key;
        t->used++;
    }
    tally_fold(into, r);
}

void tally_fold(struct tally_row *into, const struct tally_row *r)
{
    if (!r->count)
        return;
    if (!into->count || r->min < into->min)
        into->min = r->min;
    if (r->max > into->max)
        into->max = r->max;
    into->count += r->count;
    into->sum += r->sum;
}

struct tally_row *tally_rows(const struct tally *t, int (*order)(const void *, const void *),
                             size_t *n)
{
    struct tally_row *rows = malloc((t->used + 1) * sizeof *rows);
    *n = 0;
    for (size_t i = 0; rows && i < t->slots; i++)
        if (t->row[i].count)
            rows[(*n)++] = t->row[i];
    if (rows)
        qsort(rows, *n, sizeof *rows, order);
    return rows;
}

void tally_free(struct tally *t)
{
    free(t->row);
    *t = (struct tally){ 0 };
}
