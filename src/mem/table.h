/*
 * mem/table.h -- the monitor's own 4-level tables, as the hardware walks them.
 *
 * Nested (EPT) and shadow tables have the same shape: 512 entries of 8 bytes,
 * 4 levels, leaf at 4 KiB or 2 MiB.  What differs is the meaning of the low
 * bits, so this file moves entries about and nested.h and shadow.h say what
 * is in them.
 *
 * The "host-physical address" of simulated hardware is the host pointer (hva)
 * of the page: it is page-aligned and fits the 52-bit address field.  Only the
 * monitor writes these tables, so following them cannot leave its memory.
 */
#ifndef MEM_TABLE_H
#define MEM_TABLE_H

#include "base/types.h"

#define TABLE_ENTRIES 512

/* Index of `address` at `level`: 4 (root) to 1 (leaf). */
static inline unsigned table_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (12 + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

uint64_t *table_new(void);              /* a zeroed page; NULL and errno */
void table_free(uint64_t *page);

#endif
