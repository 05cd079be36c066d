/*
 * debugger/link/table_diff.h -- what changed in the guest's page tables between two looks.
 *
 * A shot is a copy of every table that can be reached from CR3, read from guest
 * memory without asking anybody.  Comparing two says which entry of which table
 * became what.
 */
#ifndef DEBUGGER_LINK_TABLE_DIFF_H
#define DEBUGGER_LINK_TABLE_DIFF_H

#include "cpu/state.h"

struct link;
struct table_shot;

/* As the tables are now.  Paging may be off: then there are none.  NULL: out of memory. */
struct table_shot *table_shot_take(const struct link *l, const struct cpu_state *s);
void table_shot_free(struct table_shot *shot);

struct table_change {
    uint64_t gla;               /* first address that the entry translates */
    unsigned level;             /* 1: an entry of a page table             */
    uint64_t before, after;     /* 0: the table was not, or is not, there  */
};

/* The first n changes, by address; how many there are.  Either shot may be NULL: none.
 * If only A and D bits of an entry changed, that is a change too. */
size_t table_diff(const struct table_shot *a, const struct table_shot *b, struct table_change *out,
                  size_t n);

size_t table_shot_tables(const struct table_shot *shot);
/* false: there are more than are kept */
bool table_shot_is_whole(const struct table_shot *shot);

#endif
