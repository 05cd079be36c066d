/*
 * vm/pages.h -- all that a machine's guest can fill: its RAM, and what it has written to disks, as
 * one row of pages with numbers from 0.
 *
 * The regions of RAM stand one behind the other, without the holes between them, and behind them
 * the overlays of the disks (io/overlay.h).  Who keeps contents of pages (vm/checkpoint.c) need not
 * know which is which.  Numbers given to these functions must be below pages_count().
 */
#ifndef VM_PAGES_H
#define VM_PAGES_H

#include "base/types.h"

struct vm;
struct pages;

/* Of a machine that is built, and must outlive it.  NULL: no memory. */
struct pages *pages_new(struct vm *vm);
void pages_free(struct pages *p);               /* p may be NULL */

uint32_t pages_count(const struct pages *p);

/* What is in a page now: 4096 bytes, good until somebody writes to it. */
const uint8_t *page_now(const struct pages *p, uint32_t page);

/* Make it these bytes (NULL: zeros), and tell those who keep copies. */
void page_set(struct pages *p, uint32_t page, const uint8_t *data);

/* Move up to n numbers of dirty pages into out, which are clean then; how many.  What a vCPU has
 * written must have been collected before (collect_dirty of cpu/engine.h). */
size_t pages_take_dirty(struct pages *p, uint32_t *out, size_t n);

#endif
