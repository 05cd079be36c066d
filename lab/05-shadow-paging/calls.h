/*
 * lab/05-shadow-paging/calls.h -- the functions of mem/shadow.h, as numbers on the wire.
 *
 * Entries of the shadow tables are told by lab/common/tables.h.  The guest's memory is not in
 * the submission's process: what a part wants to know of it, it asks.
 */
#ifndef LAB_05_CALLS_H
#define LAB_05_CALLS_H

#include "mem/gmem.h"

enum lab5_call {
    /* asked of the submission; each reply has a struct lab5_view in its data */
    LAB5_NEW = 1,       /* frames; data: struct lab5_memory    -> 1: there are shadows now       */
    LAB5_SWITCH,        /* cr0, cr3, cr4, efer                                                   */
    LAB5_FAULT,         /* gla, access                         -> verdict, error                 */
    LAB5_INVLPG,        /* gla                                                                   */
    LAB5_FORGET,        /* gpa, length                                                           */

    /* asked of the monitor */
    LAB5_WALK,          /* cr0, cr3, cr4, efer, gla, access    -> data: struct walk              */
    LAB5_READ,          /* gpa, length (at most LAB_WIRE_DATA) -> 1: data; 0: no memory is there */
};

#define LAB5_REGIONS 8

/* So many frames a part gets for its tables, and no more: enough for some thirty pages in places
 * as far from each other as can be, twice. */
#define LAB5_FRAMES 128

/* Where guest memory is. */
struct lab5_memory {
    uint32_t n;
    struct lab5_region { uint64_t base, size; uint32_t is_rom; } region[LAB5_REGIONS];
};

/* What the hardware must know after each call: shadow_registers() and shadow_take_flush(). */
struct lab5_view {
    uint64_t cr3[2];
    uint64_t gla_mask;
    uint8_t  wp, smep, smap, flush;
};

#endif
