/*
 * io/bus.c -- finding the device behind an address, and logging the access.
 *
 * The ranges are an array sorted by address that never overlap, so one binary
 * search answers in a handful of steps.  Claiming, moving and releasing shift
 * the array; that is slow and rare, accesses are fast and frequent.
 *
 * How an access is split is decided in one place (piece_at): a device gets
 * the whole of it if it decodes that width, else byte by byte.  There is one
 * event for the access, not one per piece: it is what the guest did.
 *
 * A device may rearrange the bus from within its read or write.  So a piece
 * holds copies of what it needs from the array, never a pointer into it, and
 * the next piece of a split access is looked up anew.
 *
 * Begin reading with bus_read().
 */
#include "io/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"

#define FIRST_ROOM 32           /* ranges; doubled when they do not suffice */

struct bus {
    const char       *name;
    enum trace_kind   on_read, on_write;
    struct trace     *trace;
    size_t            n, room;
    struct bus_range *range;    /* in address order */
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
    if (!b)
        return;
    free(b->range);
    free(b);
}

/* ---- which ranges there are ---- */

static uint64_t last_of(const struct bus_range *r)
{
    return r->base + (r->len - 1);
}

/* The index of the first range that ends at addr or after it. */
static size_t first_not_below(const struct bus *b, uint64_t addr)
{
    size_t lo = 0, hi = b->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (last_of(&b->range[mid]) < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool make_room(struct bus *b)
{
    if (b->n < b->room)
        return true;
    size_t room = b->room ? 2 * b->room : FIRST_ROOM;
    struct bus_range *more = realloc(b->range, room * sizeof *more);
    if (!more)
        return false;
    b->range = more;
    b->room = room;
    return true;
}

static void take_out(struct bus *b, size_t i)
{
    b->n--;
    memmove(&b->range[i], &b->range[i + 1], (b->n - i) * sizeof b->range[0]);
}

int bus_claim(struct bus *b, const struct bus_range *r)
{
    if (!r->len || last_of(r) < r->base || !r->why)
        return -EINVAL;
    if (r->ops && r->len - 1 > UINT32_MAX - r->offset)     /* offsets have 32 bits */
        return -EINVAL;
    size_t i = first_not_below(b, r->base);
    if (i < b->n && b->range[i].base <= last_of(r))
        return -EEXIST;
    if (!make_room(b))
        return -ENOMEM;
    memmove(&b->range[i + 1], &b->range[i], (b->n - i) * sizeof b->range[0]);
    b->range[i] = *r;
    b->n++;
    return 0;
}

/* The index of the movable range that begins at base, or -errno. */
static int movable_at(const struct bus *b, uint64_t base)
{
    size_t i = first_not_below(b, base);
    if (i == b->n || b->range[i].base != base)
        return -ENOENT;
    return b->range[i].movable ? (int)i : -EPERM;
}

int bus_move(struct bus *b, uint64_t base, uint64_t to)
{
    int i = movable_at(b, base);
    if (i < 0)
        return i;
    struct bus_range old = b->range[i], moved = old;
    moved.base = to;
    take_out(b, (size_t)i);         /* first: the new place may overlap the old one */
    int err = bus_claim(b, &moved);
    if (err)
        bug_if(bus_claim(b, &old), "%s: a range does not fit where it was", b->name);
    return err;
}

int bus_release(struct bus *b, uint64_t base)
{
    int i = movable_at(b, base);
    if (i < 0)
        return i;
    take_out(b, (size_t)i);
    return 0;
}

void bus_release_movable(struct bus *b)
{
    for (size_t i = b->n; i-- > 0; )
        if (b->range[i].movable)
            take_out(b, i);
}

const struct bus_range *bus_find(const struct bus *b, uint64_t addr)
{
    size_t i = first_not_below(b, addr);
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

/* ---- an access ---- */

/* What one device is asked at once. */
struct piece {
    bool                     claimed;
    const struct device_ops *ops;       /* NULL: nobody, or a dummy */
    void                    *dev;
    struct bus_access            access;
};

static struct piece piece_at(const struct bus *b, struct requester from, uint64_t addr,
                             unsigned size)
{
    const struct bus_range *r = bus_find(b, addr);
    if (!r)
        return (struct piece){ .access = { .size = 1, .from = from } };
    uint64_t in = addr - r->base;
    bool fits = !r->ops || !r->ops->width || size <= r->ops->width;
    bool whole = fits && size <= r->len - in;
    return (struct piece){
        .claimed = true, .ops = r->ops, .dev = r->dev,
        .access = { .off = r->offset + (unsigned)in, .size = whole ? size : 1, .from = from },
    };
}

typedef uint64_t piece_fn(const struct piece *p, uint64_t value);

static uint64_t piece_peek(const struct piece *p, uint64_t value)
{
    (void)value;
    return p->ops ? p->ops->peek(p->dev, p->access) : ~UINT64_C(0);
}

static uint64_t piece_read(const struct piece *p, uint64_t value)
{
    (void)value;
    return p->ops ? p->ops->read(p->dev, p->access) : ~UINT64_C(0);
}

static uint64_t piece_write(const struct piece *p, uint64_t value)
{
    if (p->ops)
        p->ops->write(p->dev, p->access, low_bytes(value, p->access.size));
    return 0;
}

/* Do `fn` for every piece of the access.  *value goes out and comes back;
 * true if somebody was there. */
static bool for_pieces(const struct bus *b, struct requester from, uint64_t addr, unsigned size,
                       piece_fn *fn, uint64_t *value)
{
    uint64_t result = 0;
    bool claimed = false;
    for (unsigned done = 0; done < size;) {
        struct piece p = piece_at(b, from, addr + done, size - done);
        uint64_t got = ~UINT64_C(0);
        if (p.claimed) {
            got = fn(&p, *value >> (8 * done));
            claimed = true;
        }
        result |= low_bytes(got, p.access.size) << (8 * done);
        done += p.access.size;
    }
    *value = result;
    return claimed;
}

bool bus_peek(const struct bus *b, struct requester from, uint64_t addr, unsigned size,
              uint64_t *value)
{
    *value = 0;
    return for_pieces(b, from, addr, size, piece_peek, value);
}

/* Nobody is there: the bus floats at all ones, and the log says what was tried. */
static void log_unclaimed(struct bus *b, uint64_t event, uint64_t addr, unsigned size, bool write)
{
    uint64_t old = trace_enter(b->trace, event);
    trace_emit(b->trace, TRACE_UNCLAIMED, addr, size, write);
    trace_leave(b->trace, old);
}

bool bus_read(struct bus *b, struct requester from, uint64_t addr, unsigned size, uint64_t *value)
{
    uint64_t event = 0, told = 0;
    bool traced = b->trace && (b->trace->mask & BIT(b->on_read));
    *value = 0;
    if (traced) {
        for_pieces(b, from, addr, size, piece_peek, &told);
        event = trace_emit(b->trace, b->on_read /* TRACE_IO_READ, TRACE_MMIO_READ */, addr, size,
                           told);
    }
    uint64_t old = trace_enter(b->trace, event);
    bool claimed = for_pieces(b, from, addr, size, piece_read, value);
    trace_leave(b->trace, old);
    /* An access that falls into pieces may change, with its first byte, what
     * the second reads; only a whole one keeps the promise. */
    bug_if(traced && size == 1 && told != *value, "%s %#llx: peek said %#llx, read %#llx", b->name,
           (unsigned long long)addr, (unsigned long long)told, (unsigned long long)*value);
    if (!claimed)
        log_unclaimed(b, event, addr, size, false);
    return claimed;
}

bool bus_write(struct bus *b, struct requester from, uint64_t addr, unsigned size, uint64_t value)
{
    uint64_t event = trace_emit(b->trace, b->on_write /* TRACE_IO_WRITE, TRACE_MMIO_WRITE */, addr,
                                size, value);
    uint64_t old = trace_enter(b->trace, event);
    bool claimed = for_pieces(b, from, addr, size, piece_write, &value);
    trace_leave(b->trace, old);
    if (!claimed)
        log_unclaimed(b, event, addr, size, true);
    return claimed;
}
