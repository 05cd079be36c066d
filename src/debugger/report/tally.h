/*
 * debugger/report/tally.h -- counting by key: how often each key came, and the sum, the least
 * and the greatest of an amount that came with it.
 *
 *     key = port 0x3f8, amount = how long the exit took
 *
 * A guest can make as many different keys as it likes, so the table has a limit.  What finds
 * no room in a full table is counted in `rest`, so that all totals stay right.
 */
#ifndef DEBUGGER_REPORT_TALLY_H
#define DEBUGGER_REPORT_TALLY_H

#include "base/types.h"

/* A key, how often it came, and its amounts. */
struct tally_row { uint64_t key, count, sum, min, max; };

/* Begins as zeros, which is an empty table. */
struct tally {
    struct tally_row *row;      /* a hash table with open addressing; count 0: free */
    size_t            slots;    /* its size, a power of two; 0: none yet            */
    size_t            used;
    struct tally_row  rest;     /* what found no room; its key means nothing        */
};

/* Count r: add its count and amounts to the row of r->key.  For a single event count is 1, and
 * sum, min and max are its amount. */
void tally_add(struct tally *t, const struct tally_row *r);

/* The same to a given row, whatever its key: for a line "all others" of a printed table. */
void tally_fold(struct tally_row *into, const struct tally_row *r);

/* A copy of the rows in use, sorted by `order` (as for qsort()); how many in *n.  The caller
 * frees it.  NULL: no memory. */
struct tally_row *tally_rows(const struct tally *t, int (*order)(const void *, const void *),
                             size_t *n);

/* Free the table's memory; it is empty afterwards. */
void tally_free(struct tally *t);

#endif
