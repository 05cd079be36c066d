/*
 * debugger/report/tally.c -- an open hash table that grows to a limit.
 */
#include "debugger/report/tally.h"

#include <stdlib.h>

#define START_SLOTS 64
#define MAX_SLOTS   (1u << 16)

static struct tally_row *slot_of(struct tally_row *row, size_t slots, uint64_t key)
{
    size_t i = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (slots - 1);
    while (row[i].count && row[i].key != key)
        i = (i + 1) & (slots - 1);
    return &row[i];
}

static bool is_full(const struct tally *t)
{
    return t->used >= t->slots / 4 * 3;
}

static void grow(struct tally *t)
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

void tally_add(struct tally *t, const struct tally_row *r)
{
    if (is_full(t))
        grow(t);
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
