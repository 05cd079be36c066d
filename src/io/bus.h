/*
 * io/bus.h -- who answers at which address.
 *
 * A PC has two buses that differ only in width: 64 Ki ports, and the holes in
 * physical memory.  Each is an array of ranges in address order that never
 * overlap.  Ranges may be claimed, moved and released at any time, even by a
 * device in the midst of an access to this very bus: that is what a write to a
 * base address register does.  [PCI Local Bus Specification "Base Addresses"]
 *
 * An access nobody claims is not an error: it reads all ones, a write is
 * lost, and TRACE_UNCLAIMED says so.  Under --strict it stops the machine.
 *
 * An access wider than the device decodes, or reaching past the range that
 * claims its first byte, is split into bytes, as the ISA bus does.
 *
 * The event of an access comes before what the device does and is its cause.
 * For a read that needs the value beforehand: the device's peek gives it.
 *
 * What a bus is not: memory.  RAM and ROM never come here (mem/gmem.h).
 */
#ifndef IO_BUS_H
#define IO_BUS_H

#include "io/device.h"
#include "base/trace.h"

struct bus_range {
    uint64_t                 base;
    uint64_t                 len;       /* in bytes, at least 1                                  */
    const struct device_ops *ops;       /* NULL: a dummy, which reads as all ones                */
    void                    *dev;       /* what ops are called with                              */
    const char              *why;       /* "COM1"; of a dummy the reason: "COM2: not there"      */
    unsigned                 offset;    /* what the device sees for `base`                       */
    bool                     movable;   /* claimed by a device for as long as it likes; else it is
                                         * wiring of the board, which stays                      */
};

struct bus;

/* An empty bus, or NULL: out of memory.  on_read and on_write are the kinds of event that an
 * access makes: TRACE_IO_READ and _WRITE, or TRACE_MMIO_READ and _WRITE.  `name` is for
 * messages and must live as long as the bus; t may be NULL. */
struct bus *bus_new(const char *name, enum trace_kind on_read, enum trace_kind on_write,
                    struct trace *t);

/* The devices are not freed.  b may be NULL. */
void bus_free(struct bus *b);

/* Enter a range (*r is copied; what it points to must outlive the range).  0; -EEXIST if some of
 * it is taken; -EINVAL if it is empty, wraps around the end of addresses, has no `why`, or is a
 * device's with offsets beyond 32 bits; -ENOMEM.  As many ranges as there is memory for. */
int bus_claim(struct bus *b, const struct bus_range *r);

/* The movable range that begins at `base` answers at `to` from now on.  0; -ENOENT if no range
 * begins at base; -EPERM if it is not movable; -EEXIST if another range is in the way; -EINVAL
 * if it would wrap.  If it fails the range stays where it was. */
int bus_move(struct bus *b, uint64_t base, uint64_t to);

/* Nobody answers any more for the movable range that begins at `base`.  0, -ENOENT or -EPERM. */
int bus_release(struct bus *b, uint64_t base);

/* Take out all movable ranges.  Where they are is no state of the bus: it follows from the
 * registers of their devices.  So whoever loads a machine's state calls this first, and each
 * device claims in its after_load() what its registers say; in whatever order they do it, no
 * old place is in the way of a new one. */
void bus_release_movable(struct bus *b);

/* The range that addr lies in, or NULL.  Good until the next claim, move or release. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);

/* All ranges in address order, i from 0 to bus_count() - 1; NULL beyond.  The same warning. */
size_t bus_count(const struct bus *b);
const struct bus_range *bus_range_at(const struct bus *b, size_t i);

/* One access of 1, 2, 4 or 8 bytes, asked for by `from`.  The value is in the low bytes.  False
 * if nobody claims any byte of it (a read has then given all ones).  bus_peek() is bus_read()
 * without side effects and without an event. */
bool bus_read(struct bus *b, struct requester from, uint64_t addr, unsigned size, uint64_t *value);
bool bus_write(struct bus *b, struct requester from, uint64_t addr, unsigned size, uint64_t value);
bool bus_peek(const struct bus *b, struct requester from, uint64_t addr, unsigned size,
              uint64_t *value);

#endif
