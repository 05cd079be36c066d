/*
 * io/overlay.h -- what a guest has written to a disk, in memory.
 *
 * Memory as large as the disk, of which the host only gives out the pages that are written to;
 * behind the sectors stands one bit for each, which says that it is here.
 *
 *     | sector 0 | sector 1 | ... | last sector |  up to a page  | bits |
 *
 * So all in which a disk differs from its image is in pages, as all is that a guest has done to its
 * RAM, and they are kept in the same way: a checkpoint keeps those that have changed since the one
 * before (vm/checkpoint.c), a snapshot those that are not zero (vm/snapshot.c).
 *
 * Numbers of sectors and pages must be below the overlay's; the disk has compared them.
 */
#ifndef IO_OVERLAY_H
#define IO_OVERLAY_H

#include "base/types.h"

struct overlay;

/* For so many sectors, with none of them here.  NULL: no memory. */
struct overlay *overlay_new(uint64_t sectors);
void overlay_free(struct overlay *o);               /* o may be NULL */

bool overlay_has(const struct overlay *o, uint64_t lba);
void overlay_read(const struct overlay *o, uint64_t lba, void *sector);
void overlay_write(struct overlay *o, uint64_t lba, const void *sector);

/* ---- as pages ---- */

uint32_t overlay_pages(const struct overlay *o);

/* The contents of one page, or NULL: nobody has ever written to it, and it is zero. */
const uint8_t *overlay_page(const struct overlay *o, uint32_t page);

/* Make a page these bytes, or (NULL) zeros.  It is dirty then. */
void overlay_put_page(struct overlay *o, uint32_t page, const uint8_t *data);

/* Move up to n numbers of pages that have changed into out, in no order, and forget that they have;
 * how many. */
size_t overlay_take_dirty(struct overlay *o, uint32_t *out, size_t n);

/* h, and all that is in the overlay: equal for equal contents. */
uint64_t overlay_hash(const struct overlay *o, uint64_t h);

#endif
