/*
 * debugger/report/tally.h -- how often each key came, and the sum, least and greatest of an
 * amount that came with it.
 *
 * A guest can make as many different keys as it likes: what finds no room in a full
 * table is counted in `rest`.  A tally of zeros is an empty one.
 */
#ifndef DEBUGGER_REPORT_TALLY_H
#define DEBUGGER_REPORT_TALLY_H

#include "base/types.h"

struct tally_row { uint64_t key, count, sum, min, max; };

struct tally {
    struct tally_row *row;      /* open addressing; count 0: free */
    size_t            slots, used;
    struct tally_row  rest;
};

/* Add r to the row of r->key. */
void tally_add(struct tally *t, const struct tally_row *r);

/* The same to any row: so that what is not shown on its own adds up. */
void tally_fold(struct tally_row *into, const struct tally_row *r);

/* The rows in use, in order, to be freed; NULL if there is no memory. */
struct tally_row *tally_rows(const struct tally *t, int (*order)(const void *, const void *),
                             size_t *n);

void tally_free(struct tally *t);

#endif
