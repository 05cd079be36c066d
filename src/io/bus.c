/*
 * io/bus.c -- finding the device behind an address, and logging the access.
 *
 * The ranges are sorted by address and never overlap, so one binary search
 * answers.  They are claimed once, while the PC is built, and not touched
 * again.
 *
 * How an access is split is decided in one place (piece_at): a device gets
 * the whole of it if it decodes that width, else byte by byte.  There is one
 * event for the access, not one per piece: it is what the guest did.
 */
#include "io/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"

#define MAX_RANGES 64

struct bus {
    const char      *name;
    enum trace_kind  on_read, on_write;
    struct trace    *trace;
    size_t           n;
    struct bus_range range[MAX_RANGES];     /* by base */
};

struct bus *bus_new(const char *name, enum trace_kind on_read, enum trace_kind on_write,
                    struct trace *t)
{
    struct bus *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->name = name;
    b->on_read = on_read;
    b->on_write = on_write;
    b->trace = t;
    return b;
}

void bus_free(struct bus *b)
{
    free(b);
}

/* The index of the first range that ends after addr. */
static size_t first_after(const struct bus *b, uint64_t addr)
{
    size_t lo = 0, hi = b->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (b->range[mid].base + (b->range[mid].len - 1) < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int bus_claim(struct bus *b, const struct bus_range *r)
{
    if (!r->len || r->base + (r->len - 1) < r->base || !r->why)
        return -EINVAL;
    if (b->n == MAX_RANGES)
        return -ENOSPC;
    size_t i = first_after(b, r->base);
    if (i < b->n && b->range[i].base <= r->base + (r->len - 1))
        return -EEXIST;
    memmove(&b->range[i + 1], &b->range[i], (b->n - i) * sizeof b->range[0]);
    b->range[i] = *r;
    b->n++;
    return 0;
}

const struct bus_range *bus_find(const struct bus *b, uint64_t addr)
{
    size_t i = first_after(b, addr);
    return i < b->n && b->range[i].base <= addr ? &b->range[i] : NULL;
}

size_t bus_count(const struct bus *b)
{
    return b->n;
}

const struct bus_range *bus_range_at(const struct bus *b, size_t i)
{
    return i < b->n ? &b->range[i] : NULL;
}

/* What one device is asked at once. */
struct piece {
    const struct bus_range *range;      /* NULL: nobody */
    unsigned                off, size;
};

static struct piece piece_at(const struct bus *b, uint64_t addr, unsigned size)
{
    const struct bus_range *r = bus_find(b, addr);
    if (!r)
        return (struct piece){ .size = 1 };
    uint64_t in = addr - r->base;
    bool fits = !r->ops || !r->ops->width || size <= r->ops->width;
    bool whole = fits && size <= r->len - in;
    return (struct piece){ r, r->offset + (unsigned)in, whole ? size : 1 };
}

typedef uint64_t piece_fn(const struct piece *p, uint64_t value);

static uint64_t piece_peek(const struct piece *p, uint64_t value)
{
    (void)value;
    return p->range->ops ? p->range->ops->peek(p->range->dev, p->off, p->size) : ~UINT64_C(0);
}

static uint64_t piece_read(const struct piece *p, uint64_t value)
{
    (void)value;
    return p->range->ops ? p->range->ops->read(p->range->dev, p->off, p->size) : ~UINT64_C(0);
}

static uint64_t piece_write(const struct piece *p, uint64_t value)
{
    if (p->range->ops)
        p->range->ops->write(p->range->dev, p->off, p->size, low_bytes(value, p->size));
    return 0;
}

/* Do `fn` for every piece of the access.  *value goes out and comes back;
 * true if somebody was there. */
static bool for_pieces(const struct bus *b, uint64_t addr, unsigned size, piece_fn *fn,
                       uint64_t *value)
{
    uint64_t out = 0;
    bool claimed = false;
    for (unsigned done = 0; done < size;) {
        struct piece p = piece_at(b, addr + done, size - done);
        uint64_t in = ~UINT64_C(0);
        if (p.range) {
            in = fn(&p, *value >> (8 * done));
            claimed = true;
        }
        out |= low_bytes(in, p.size) << (8 * done);
        done += p.size;
    }
    *value = out;
    return claimed;
}

bool bus_peek(const struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
    *value = 0;
    return for_pieces(b, addr, size, piece_peek, value);
}

/* Nobody is there: the bus floats at all ones, and the log says who asked. */
static void unclaimed(struct bus *b, uint64_t event, uint64_t addr, unsigned size, bool write)
{
    uint64_t old = trace_enter(b->trace, event);
    trace_emit(b->trace, TRACE_UNCLAIMED, addr, size, write);
    trace_leave(b->trace, old);
}

bool bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
    uint64_t event = 0, told = 0;
    bool traced = b->trace && (b->trace->mask & BIT(b->on_read));
    *value = 0;
    if (traced) {
        for_pieces(b, addr, size, piece_peek, &told);
        event = trace_emit(b->trace, b->on_read, addr, size, told);
    }
    uint64_t old = trace_enter(b->trace, event);
    bool claimed = for_pieces(b, addr, size, piece_read, value);
    trace_leave(b->trace, old);
    /* An access that falls into pieces may change, with its first byte, what
     * the second reads; only a whole one keeps the promise. */
    bug_if(traced && size == 1 && told != *value, "%s %#llx: peek said %#llx, read %#llx", b->name,
           (unsigned long long)addr, (unsigned long long)told, (unsigned long long)*value);
    if (!claimed)
        unclaimed(b, event, addr, size, false);
    return claimed;
}

bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
    uint64_t event = trace_emit(b->trace, b->on_write, addr, size, value);
    uint64_t old = trace_enter(b->trace, event);
    bool claimed = for_pieces(b, addr, size, piece_write, &value);
    trace_leave(b->trace, old);
    if (!claimed)
        unclaimed(b, event, addr, size, true);
    return claimed;
}
