/*
 * debugger/link/linear_map.h -- a map of the linear address space: which addresses the guest's
 * page tables translate, with which rights, and what kind of memory is behind them.
 *
 *     struct linear_map m;
 *     struct linear_piece p;
 *     linear_map_begin(&m, link);
 *     gla_t at = 0;
 *     do {
 *         linear_map_at(&m, at, &p);
 *         ...
 *         at = p.last + 1;
 *     } while (at);                           p.last was the last address of all
 *
 * A piece is one page (of whatever size), or all addresses that one missing entry leaves
 * unmapped.  So the 2^64 addresses are usually few pieces.  A hostile guest can make them many
 * (a table that contains itself at every level makes 2^36 pages): a loop like the one above
 * needs a limit.
 *
 * The rights are those of the tables.  Whether the CPU would let supervisor code write to a
 * read-only page (CR0.WP) or execute a user page (CR4.SMEP) is not considered.
 */
#ifndef DEBUGGER_LINK_LINEAR_MAP_H
#define DEBUGGER_LINK_LINEAR_MAP_H

#include "mem/walk.h"

struct link;

struct linear_piece {
    gla_t from, last;                   /* both included: the whole of the page or hole */
    bool  present, writable, user, executable;
    gpa_t gpa;                          /* of `from`, if present */
    /* If present: the kind of memory there.  A device's registers are BEHIND_NOTHING. */
    enum linear_behind { BEHIND_NOTHING, BEHIND_RAM, BEHIND_ROM } behind;
};

/* The walk's state.  Page tables are read when the walk first meets them and the last four
 * are kept, so a map made while the guest runs may mix old and new entries. */
struct linear_map {
    const struct link *link;
    struct paging pg;
    unsigned next;                      /* the slot of `cached` to be used next */
    bool     filled[4];
    gpa_t    at[4];
    uint64_t cached[4][512];
    uint64_t entry;                     /* the entry that the walker looks at */
};

/* Begin with the CPU as it is now.  `l` must outlive the map; there is nothing to free. */
void linear_map_begin(struct linear_map *m, const struct link *l);
/* The piece that contains address `at`. */
void linear_map_at(struct linear_map *m, gla_t at, struct linear_piece *p);

/* Have both the same rights and the same kind of memory behind them?  Neighbours that are
 * alike can be shown as one range. */
bool linear_alike(const struct linear_piece *a, const struct linear_piece *b);

#endif
