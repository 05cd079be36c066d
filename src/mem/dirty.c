/*
 * mem/dirty.c -- one bit for each page of guest RAM, all regions end to end.
 *
 * ROM and holes have no bits: nothing the guest does changes them.
 */
#include "mem/dirty.h"

#include <stdlib.h>

#include "mem/gmem.h"

struct span {                   /* a RAM region and where its bits begin */
    gpa_t    base;
    uint64_t size;
    size_t   first_bit;
};

struct dirty {
    uint64_t   *word;
    size_t      n_words;
    size_t      lowest;         /* no bit is set in the words before this one */
    size_t      n_set;
    size_t      n_spans;
    struct span span[];         /* in address order */
};

struct dirty *dirty_new(const struct gmem *m)
{
    struct dirty *d = calloc(1, sizeof *d + gmem_count(m) * sizeof d->span[0]);
    size_t bits = 0;

    if (!d)
        return NULL;
    for (size_t i = 0; i < gmem_count(m); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        if (r->kind != GMEM_RAM)
            continue;
        d->span[d->n_spans++] = (struct span){ r->base, r->size, bits };
        bits += r->size / PAGE_SIZE;
    }
    d->n_words = (bits + 63) / 64;
    d->word = calloc(d->n_words ? d->n_words : 1, sizeof d->word[0]);
    if (!d->word) {
        free(d);
        return NULL;
    }
    return d;
}

void dirty_free(struct dirty *d)
{
    if (!d)
        return;
    free(d->word);
    free(d);
}

static void set_bit(struct dirty *d, size_t bit)
{
    uint64_t *w = &d->word[bit / 64];

    if (*w & BIT(bit % 64))
        return;
    *w |= BIT(bit % 64);
    d->n_set++;
    if (bit / 64 < d->lowest)
        d->lowest = bit / 64;
}

void dirty_mark(struct dirty *d, gpa_t gpa, uint64_t len)
{
    if (!len)
        return;
    gpa_t last = len - 1 > UINT64_MAX - gpa ? UINT64_MAX : gpa + len - 1;

    for (size_t i = 0; i < d->n_spans; i++) {
        const struct span *s = &d->span[i];
        gpa_t s_last = s->base + s->size - 1;
        if (last < s->base || gpa > s_last)
            continue;
        size_t from = gpa > s->base ? (gpa - s->base) / PAGE_SIZE : 0;
        size_t to = ((last < s_last ? last : s_last) - s->base) / PAGE_SIZE;
        for (; from <= to; from++)
            set_bit(d, s->first_bit + from);
    }
}

bool dirty_test(const struct dirty *d, gpa_t gpa)
{
    for (size_t i = 0; i < d->n_spans; i++) {
        const struct span *s = &d->span[i];
        if (gpa - s->base < s->size) {
            size_t bit = s->first_bit + (gpa - s->base) / PAGE_SIZE;
            return d->word[bit / 64] & BIT(bit % 64);
        }
    }
    return false;
}

size_t dirty_count(const struct dirty *d)
{
    return d->n_set;
}

static gpa_t gpa_of_bit(const struct dirty *d, size_t bit)
{
    const struct span *s = d->span;
    while (bit - s->first_bit >= s->size / PAGE_SIZE)
        s++;
    return s->base + (bit - s->first_bit) * PAGE_SIZE;
}

size_t dirty_take(struct dirty *d, gpa_t *out, size_t n)
{
    size_t taken = 0;

    for (; d->lowest < d->n_words; d->lowest++) {
        uint64_t *w = &d->word[d->lowest];
        while (*w) {
            if (taken == n)
                return taken;
            out[taken++] = gpa_of_bit(d, d->lowest * 64 + (size_t)__builtin_ctzll(*w));
            *w &= *w - 1;
            d->n_set--;
        }
    }
    return taken;
}
