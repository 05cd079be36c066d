/*
 * io/dma.h -- memory, for a device that reads and writes it by itself.
 *
 * A device that moves data without the CPU (a disk, a network card) holds a
 * struct dma, and never a pointer into guest memory.  The handle reaches RAM
 * and nothing else: an address where another device or a ROM answers, or
 * nobody, is refused as a whole and leaves an ODDITY.  (Real buses let one
 * device write to another.  In an emulator that is how a guest makes a device
 * call itself in the midst of its own write, a classic way out of the cage.)
 *
 * The machine implements it (vm/dma.c): what is written is marked dirty, and
 * all who keep copies of memory are told.
 */
#ifndef IO_DMA_H
#define IO_DMA_H

#include <errno.h>

#include "io/oddity.h"

struct dma {
    int (*read)(void *arg, gpa_t gpa, void *buf, uint64_t len);
    int (*write)(void *arg, gpa_t gpa, const void *buf, uint64_t len);
    void         *arg;
    struct oddity_log odd;      /* where a refusal is logged */
};

/* Copy `len` bytes of guest-physical memory into buf, or buf into it.  0; or -EFAULT with
 * nothing copied if some of them are not RAM.  The address and the length are the guest's,
 * so any value is possible; bound the length before you find it a buffer. */
static inline int dma_read(const struct dma *d, gpa_t gpa, void *buf, uint64_t len)
{
    int err = d->read ? d->read(d->arg, gpa, buf, len) : -EFAULT;
    if (err)
        oddity(&d->odd, ODDITY_DMA_REFUSED, gpa, len);
    return err;
}

static inline int dma_write(const struct dma *d, gpa_t gpa, const void *buf, uint64_t len)
{
    int err = d->write ? d->write(d->arg, gpa, buf, len) : -EFAULT;
    if (err)
        oddity(&d->odd, ODDITY_DMA_REFUSED, gpa, len);
    return err;
}

#endif
