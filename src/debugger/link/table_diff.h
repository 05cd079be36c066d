/*
 * debugger/link/table_diff.h -- what changed in the guest's page tables between two looks.
 *
 * A shot is a copy of every table that can be reached from CR3.  It is read from guest memory
 * by the debugger itself, so it can be taken while the guest runs.  Comparing two shots says
 * which entry of which table changed from what to what.
 */
#ifndef DEBUGGER_LINK_TABLE_DIFF_H
#define DEBUGGER_LINK_TABLE_DIFF_H

#include "cpu/state.h"

struct link;
struct table_shot;

/* Copy the page tables of a CPU in state s as they are now.  While paging is off the shot
 * is empty.  NULL: out of memory.  Free it with table_shot_free(), which takes NULL too. */
struct table_shot *table_shot_take(const struct link *l, const struct cpu_state *s);
void table_shot_free(struct table_shot *shot);

struct table_change {
    uint64_t gla;               /* first address that the entry translates */
    unsigned level;             /* 1: an entry of a page table             */
    uint64_t before, after;     /* the entry; 0 also if its table did not, or does not, exist */
};

/* Write the first n changes from shot a to shot b into `out`, in the order of addresses;
 * the result is how many there are in all.  Either shot may be NULL, which means no tables.
 * A change of nothing but the accessed and dirty bits counts. */
size_t table_diff(const struct table_shot *a, const struct table_shot *b, struct table_change *out,
                  size_t n);

/* How many tables the shot holds. */
size_t table_shot_tables(const struct table_shot *shot);
/* false: there were more tables than a shot keeps (or than memory allowed). */
bool table_shot_is_whole(const struct table_shot *shot);

#endif
