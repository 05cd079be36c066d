/*
 * io/bus.h -- who answers at which address.
 *
 * A PC has two buses that differ only in width: 64 Ki ports and the holes in
 * physical memory.  Both are a sorted array of ranges.
 *
 * An access nobody claims is not an error: it reads all ones, a write is
 * lost, and TRACE_UNCLAIMED says so.  Under --strict it stops the machine.
 *
 * An access wider than the device decodes, or reaching past the range that
 * claims its first byte, is split into bytes, as the ISA bus does.
 *
 * The event of an access comes before what the device does and is its cause.
 * For a read that needs the value beforehand: the device's peek gives it.
 */
#ifndef IO_BUS_H
#define IO_BUS_H

#include "io/device.h"
#include "base/trace.h"

struct bus_range {
    uint64_t                 base;
    uint64_t                 len;
    const struct device_ops *ops;   /* NULL: a dummy, reads as all ones, for the reason in `why` */
    void                    *dev;
    const char              *why;   /* "COM1", "ignored: Linux delays by writing here" */
    unsigned                 offset;    /* what the device sees for `base` */
};

struct bus;

/* The kinds of event an access makes: TRACE_IO_READ/WRITE or TRACE_MMIO_READ/WRITE. */
struct bus *bus_new(const char *name, enum trace_kind on_read, enum trace_kind on_write,
                    struct trace *t);
void bus_free(struct bus *b);       /* does not free the devices */

int  bus_claim(struct bus *b, const struct bus_range *r);   /* 0, -EEXIST on overlap, -EINVAL */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);
size_t bus_count(const struct bus *b);
const struct bus_range *bus_range_at(const struct bus *b, size_t i);   /* in address order */

/* size 1, 2, 4 or 8.  False if nobody claims any byte of it (and *value is all ones). */
bool bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value);
bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value);
bool bus_peek(const struct bus *b, uint64_t addr, unsigned size, uint64_t *value);

#endif
