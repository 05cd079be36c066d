/*
 * lab/06-nested-paging/calls.h -- the functions of mem/nested.h, as numbers on the wire.
 *
 * Of arguments and results only numbers pass.  What a call has written into tables is told
 * before its reply (lab/common/tables.h).
 */
#ifndef LAB_06_CALLS_H
#define LAB_06_CALLS_H

#include "base/types.h"

enum lab6_call {
    LAB6_NEW = 1,   /* most tables, regions; data: struct lab6_region of each  -> root */
    LAB6_MAP,       /* gpa, hpa, size, perm     -> 0 or -errno                         */
    LAB6_FILL,      /* gpa                      -> 0 or -errno                         */
    LAB6_LARGE,     /* yes or no                                                       */
    LAB6_UNMAP,     /* gpa, bytes               -> entries                             */
    LAB6_PROTECT,   /* gpa, bytes, perm         -> entries                             */
    LAB6_PUT,       /* gpa, entry               -> 0 or -errno                         */
    LAB6_COUNT,     /*                          -> entries                             */
    LAB6_WALK,      /* addresses; data: them    -> references; data: them, hpa_t each  */
};

/* So many frames a keeper gets for its tables, and no more: the guests need some fourteen. */
#define LAB6_FRAMES 24

/* The map of guest memory: all that a keeper of nested tables knows of it. */
struct lab6_region {
    uint64_t base, size;
    uint32_t kind;              /* enum gmem_kind */
    uint32_t zero;
};

#endif
