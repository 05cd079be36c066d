/*
 * io/device.h -- what a device model is.
 *
 * A device sees offsets, not addresses; a virtual clock, not the host's; an
 * irq line, not a controller.  It knows neither the CPU nor the machine, so
 * a test can drive it with nothing but its struct device_ops and a slot
 * (io/slot.h).  It is told who asks (struct requester), which nearly all of
 * them ignore.
 *
 * Its state is one struct, described once by a table of fields; snapshots,
 * `info DEVICE`, the TUI's device pane and the debugger are made from it.
 */
#ifndef IO_DEVICE_H
#define IO_DEVICE_H

#include <stdio.h>
#include "base/bytes.h"
#include "base/types.h"

/* One field of a device's state struct, by its datasheet name. */
struct field {
    const char *name;           /* "IER", "LCR", "THR"                    */
    uint16_t    offset;         /* offsetof                               */
    uint8_t     size;           /* of one element: 1, 2, 4 or 8 bytes     */
    uint8_t     flags;          /* FIELD_ below                           */
    uint32_t    count;          /* elements; 1 for a plain register       */
    const char *about;          /* one line                               */
};

enum {
    FIELD_RW     = 0,
    FIELD_RO     = 1,
    FIELD_HIDDEN = 2,           /* saved, not shown                          */
    FIELD_TIMER  = 4,           /* a struct vtimer: its deadline is the value */
    FIELD_TRACE  = 8            /* numbers of trace events, not the machine's own  */
};

#define DEV_FIELD(type, member, nm, fl, text)                                       \
    { .name = nm, .offset = offsetof(type, member), .size = sizeof(((type *)0)->member), \
      .flags = fl, .count = 1, .about = text }
#define DEV_ARRAY(type, member, nm, fl, text)                                       \
    { .name = nm, .offset = offsetof(type, member), .size = sizeof(((type *)0)->member[0]), \
      .flags = fl, .count = NELEM(((type *)0)->member), .about = text }

/* Who is on the bus.  Most devices answer everybody alike and never look.  A local APIC must:
 * every CPU finds its own at the same address.  A debugger's peek says through whose eyes it
 * looks. */
enum requester_kind { REQUESTER_CPU, REQUESTER_DEVICE, REQUESTER_DEBUGGER };

struct requester {
    enum requester_kind kind;
    unsigned            n;      /* which CPU (of a debugger: whose eyes), or which device */
};

#define from_cpu(n)         ((struct requester){ REQUESTER_CPU, (n) })
#define from_device(n)      ((struct requester){ REQUESTER_DEVICE, (n) })
#define from_debugger(cpu)  ((struct requester){ REQUESTER_DEBUGGER, (cpu) })

/* One access, as the device sees it. */
struct bus_access {
    unsigned         off;       /* from where the device's registers begin       */
    unsigned         size;      /* 1, 2, 4 or 8 bytes, at most the device's width */
    struct requester from;
};

struct slot;                            /* io/slot.h */

struct device_ops {
    const char *name;                                           /* "uart16550" */
    const char *about;                                          /* one line, with the datasheet */
    const struct field *fields;
    size_t    n_fields;
    size_t    state_bytes;      /* sizeof the whole struct: what a peek must not change        */
    unsigned  width;            /* widest access it decodes (0: any); the bus splits the rest */

    /* Build one and connect it to what the slot offers (which is only good during the call).
     * NULL: out of memory. */
    void    *(*create)(const struct slot *s);

    /* As after power-on, or as a BIOS leaves it.  Called once the whole machine is built, and
     * for each reset of the machine. */
    void     (*reset)(void *dev);
    uint64_t (*read)(void *dev, struct bus_access a);
    void     (*write)(void *dev, struct bus_access a, uint64_t value);

    /* The very value the next read would give, but nothing changes: no byte
     * leaves the FIFO, no flag clears.  The debugger uses this and only this;
     * the bus asks it first, so that a read's event can precede its effects. */
    uint64_t (*peek)(const void *dev, struct bus_access a);

    /* The fields have been loaded from a file that may say anything.  Bound what is used as an
     * index, drive the pins, claim the ranges of the bus that the registers name.  May be NULL. */
    void     (*after_load)(void *dev);
    void     (*free)(void *dev);
};

/* Where the bytes go that a device sends: a terminal, a file.  All zero: nowhere. */
struct char_sink { void (*put)(void *arg, uint8_t byte); void *arg; };

static inline void char_put(const struct char_sink *s, uint8_t byte)
{
    if (s->put)
        s->put(s->arg, byte);
}

/* A request to the machine: end the run, reset, power off.  It comes from within a device's
 * write, so whoever is called notes it and acts when the access is over.  All zero: ignored. */
struct port_hook { void (*call)(void *arg, uint32_t value); void *arg; };

static inline void port_call(const struct port_hook *h, uint32_t value)
{
    if (h->call)
        h->call(h->arg, value);
}

/* Element i of a field, as a number: of a timer its deadline.  Setting a timer arms it.  i must
 * be below the field's count. */
uint64_t field_get(const struct field *f, const void *dev, unsigned i);
void     field_set(const struct field *f, void *dev, unsigned i, uint64_t value);

/* ---- made from the field table, for every device alike (io/device.c) ---- */

/* All elements of all fields in the table's order, hidden ones included: at most n are put into
 * out; returns how many there are. */
size_t device_values(const struct device_ops *ops, const void *dev, uint64_t *out, size_t n);

/* The registers as text, with their meaning; the second form for a debugger in another process,
 * which has only the values that device_values() gave. */
void device_show(const struct device_ops *ops, const void *dev, FILE *out);
void device_show_values(const struct device_ops *ops, const uint64_t *values, FILE *out);

/* The state behind what is in o already; o->bad: out of memory. */
void device_save(const struct device_ops *ops, const void *dev, struct bytes_out *o);

/* And back: 0, and `in` goes on behind the state; -EINVAL with the device left as it was if what
 * is there is not this device's state. */
int  device_load(const struct device_ops *ops, void *dev, struct bytes_in *in);

#endif
