/*
 * mem/hmem.c -- the frames for the monitor's tables.
 *
 * One mapping holds all of them, so that a frame number is checked by one
 * comparison.  The host gives it memory page by page, as it is touched.  Frames that
 * were given back hang together by their first words.
 */
#include "mem/hmem.h"

#include <stdlib.h>
#include <string.h>

#include "base/host.h"

/* More than shadow_page.h has pages; and in small machines for tests. */
#define LEAST_TABLES  4096

static const struct gmem_region no_region = { .name = "nothing" };

/* At most so many tables of one level lie on the way to the regions of m, if each
 * table covers `bytes`. */
static uint64_t tables_over(const struct gmem *m, uint64_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < gmem_count(m); i++)
        n += gmem_region(m, i)->size / bytes + 2;       /* it may begin and end in the middle */
    return n;
}

struct hmem *hmem_new(const struct gmem *m)
{
    struct hmem *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    uint64_t n = LEAST_TABLES + tables_over(m, BIT(21)) + tables_over(m, BIT(30)) +
                 tables_over(m, BIT(39));
    h->gmem = m;
    h->last = &no_region;
    h->tables_max = n * PAGE_SIZE;
    h->tables = host_page_alloc(h->tables_max);
    if (!h->tables) {
        free(h);
        return NULL;
    }
    return h;
}

void hmem_free(struct hmem *h)
{
    if (!h)
        return;
    host_page_free(h->tables, h->tables_max);
    free(h);
}

EXIT_PATH const struct gmem_region *hmem_region(const struct hmem *h, hpa_t hpa)
{
    const struct gmem_region *r = gmem_find(h->gmem, hpa - HMEM_GUEST);

    if (r)
        __atomic_store_n(&((struct hmem *)h)->last, r, __ATOMIC_RELAXED);
    return r;
}

hpa_t hmem_table_new(struct hmem *h)
{
    hpa_t hpa = h->free;

    if (hpa != HMEM_NONE) {
        uint64_t *table = hmem_table(h, hpa);
        h->free = table[0];
        memset(table, 0, PAGE_SIZE);
        return hpa;
    }
    if (h->tables_bytes == h->tables_max)
        return HMEM_NONE;
    hpa = HMEM_TABLES + h->tables_bytes;
    h->tables_bytes += PAGE_SIZE;               /* never touched yet, so it is zero */
    return hpa;
}

void hmem_table_free(struct hmem *h, hpa_t hpa)
{
    uint64_t *table = hmem_table(h, hpa);

    bug_if(!table, "no table was made at host-physical %#llx", (unsigned long long)hpa);
    table[0] = h->free;
    h->free = hpa;
}
