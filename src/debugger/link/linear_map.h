/*
 * debugger/link/linear_map.h -- the linear address space as it lies there: what the guest's tables
 * allow, and what memory is behind it.
 *
 *     struct linear_map m;
 *     struct linear_piece p;
 *     linear_map_begin(&m, link);
 *     gla_t at = 0;
 *     do {
 *         linear_map_at(&m, at, &p);
 *         ...
 *         at = p.last + 1;
 *     } while (at);
 *
 * A piece is one page (of whatever size), or all that a missing entry leaves out, so that 2^64
 * bytes are few pieces, unless the guest wants them to be many: a table that contains
 * itself at every level makes 2^36 pages.  Who goes along them sets a limit.
 *
 * The rights are the tables' own: W is not what CR0.WP, and X not what SMEP, makes of them.
 */
#ifndef DEBUGGER_LINK_LINEAR_MAP_H
#define DEBUGGER_LINK_LINEAR_MAP_H

#include "mem/walk.h"

struct link;

struct linear_piece {
    gla_t from, last;                   /* both included: the whole of the page or hole      */
    bool  present, writable, user, executable;
    gpa_t gpa;                          /* of `from`, if present                             */
    /* If present: the machine's memory there; a device's is none. */
    enum linear_behind { BEHIND_NOTHING, BEHIND_RAM, BEHIND_ROM } behind;
};

/* Tables are read as they are when they are first met. */
struct linear_map {
    const struct link *link;
    struct paging pg;
    unsigned next;                      /* page of `cached` to be given up                   */
    bool     filled[4];
    gpa_t    at[4];
    uint64_t cached[4][512];
    uint64_t entry;                     /* the walker's                                      */
};

void linear_map_begin(struct linear_map *m, const struct link *l);
void linear_map_at(struct linear_map *m, gla_t at, struct linear_piece *p);

/* May the same be done with both? */
bool linear_alike(const struct linear_piece *a, const struct linear_piece *b);

#endif
