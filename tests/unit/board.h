/*
 * tests/unit/board.h -- every device on one bus, and no CPU.
 *
 * What a test needs to play guest: in() and out() at the usual ports, reach()
 * to let virtual time pass timer by timer, and a record of what the devices
 * said to the outside.  It is wired by hand here on purpose: a test that used
 * the machine's own table could not find a mistake in it.
 */
#ifndef TESTS_BOARD_H
#define TESTS_BOARD_H

#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "io/bus.h"
#include "io/i8042.h"
#include "io/irq_net.h"
#include "io/oddity.h"
#include "io/pcihost.h"
#include "io/pic.h"
#include "io/pit.h"
#include "io/rtc.h"
#include "io/slot.h"
#include "io/sysport.h"
#include "io/uart.h"
#include "io/vga.h"

#define BOARD_START_S INT64_C(951782399)    /* 2000-02-28 23:59:59 UTC, a Monday */

enum { B_PIC, B_PIT, B_KBD, B_UART, B_RTC, B_VGA, B_PORT92, B_MARK, B_DEBUGCON, B_EXIT, B_PM1A,
       B_PCI, N_BOARD_PARTS };

struct board {
    struct vclock *clock;
    struct trace  *trace;
    struct bus    *bus;
    struct irq_nets *nets;
    struct irq_line pin[IRQ_NETS];  /* one source on each, for whoever has that line */
    struct irq_line shared;         /* a second source of line 4, the UART's */
    struct { const struct device_ops *ops; void *dev; } part[N_BOARD_PARTS];
    char     out[4096];             /* what left UART and debug console */
    size_t   n_out;
    int      a20, a20_changes;
    unsigned hooks;                 /* calls of any hook     */
    uint32_t hook_value;            /* what the last one got */
};

static inline void board_put(void *arg, uint8_t byte)
{
    struct board *b = arg;
    if (b->n_out < sizeof b->out - 1)
        b->out[b->n_out++] = (char)byte;
}

static inline void board_a20(void *arg, unsigned n, bool level)
{
    struct board *b = arg;
    (void)n;
    b->a20_changes += b->a20 != level;
    b->a20 = level;
}

static inline void board_hook(void *arg, uint32_t value)
{
    struct board *b = arg;
    b->hooks++;
    b->hook_value = value;
}

static inline void board_drain(void *arg)
{
    struct trace *t = arg;
    t->ring->tail = t->ring->head;
}

static inline void board_claim(struct board *b, uint64_t base, uint64_t len, int part, unsigned off)
{
    struct bus_range r = { base, len, b->part[part].ops, b->part[part].dev, "test", off, false };
    if (bus_claim(b->bus, &r))
        abort();
}

/* A slot of the board.  Only the first PIC listens to the nets: the others are copies. */
static inline struct slot board_slot(struct board *b, int part)
{
    struct port_hook hook = { board_hook, b };
    struct char_sink sink = { board_put, b };
    static const struct { int first, second; } pins[N_BOARD_PARTS] = {
        [B_PIT] = { 1 + 0, 0 }, [B_KBD] = { 1 + 1, 1 + 12 }, [B_UART] = { 1 + 4, 0 },
        [B_RTC] = { 1 + 8, 0 },
    };
    struct slot s = {
        .clock = b->clock, .trace = b->trace, .nets = b->part[B_PIC].dev ? NULL : b->nets,
        .message = irq_nets_messages(b->nets), .ports = b->bus,
        .serial = sink, .debugcon = sink, .a20 = { board_a20, b, 0 },
        .ask = { hook, hook, hook, hook, hook }, .rtc_start_s = BOARD_START_S,
    };
    if (pins[part].first)
        s.pin[0] = b->pin[pins[part].first - 1];
    if (pins[part].second)
        s.pin[1] = b->pin[pins[part].second - 1];
    return s;
}

/* A fresh device of the kind, wired to the board but not on its bus. */
static inline void *board_make(struct board *b, int part)
{
    struct slot s = board_slot(b, part);
    return b->part[part].ops->create(&s);
}

static inline struct board *board_new(void)
{
    static const struct device_ops *const ops[N_BOARD_PARTS] = {
        &pic_ops, &pit_ops, &i8042_ops, &uart_ops, &rtc_ops, &vga_ops, &port92_ops, &markport_ops,
        &debugcon_ops, &exitport_ops, &pm1a_ops, &pcihost_ops,
    };
    static const struct { uint16_t base, len; int part; unsigned off; } at[] = {
        { 0x20, 2, B_PIC, 0 },     { 0x40, 4, B_PIT, 0 },        { 0x60, 1, B_KBD, 0 },
        { 0x61, 1, B_PIT, 4 },     { 0x64, 1, B_KBD, 4 },        { 0x70, 2, B_RTC, 0 },
        { 0x92, 1, B_PORT92, 0 },  { 0xa0, 2, B_PIC, 2 },        { 0xe0, 4, B_MARK, 0 },
        { 0xe9, 1, B_DEBUGCON, 0 }, { 0xf4, 1, B_EXIT, 0 },      { 0x3b0, 12, B_VGA, 0 },
        { 0x3c0, 32, B_VGA, 0x10 }, { 0x3f8, 8, B_UART, 0 },     { 0x4d0, 2, B_PIC, 4 },
        { 0x604, 2, B_PM1A, 0 },   { 0xcf8, 8, B_PCI, 0 },
    };
    struct board *b = calloc(1, sizeof *b);
    b->trace = trace_new(1024);
    b->trace->mask = ~UINT64_C(0);
    b->trace->drain = board_drain;
    b->trace->drain_arg = b->trace;
    b->clock = vclock_new(b->trace);
    b->bus = bus_new("port", TRACE_IO_READ, TRACE_IO_WRITE, b->trace);
    b->nets = irq_nets_new(b->trace, NULL);
    for (unsigned i = 0; i < IRQ_NETS; i++)
        b->pin[i] = irq_nets_join(b->nets, i);
    b->shared = irq_nets_join(b->nets, 4);
    for (int i = 0; i < N_BOARD_PARTS; i++) {
        b->part[i].ops = ops[i];
        b->part[i].dev = board_make(b, i);
    }
    for (size_t i = 0; i < NELEM(at); i++)
        board_claim(b, at[i].base, at[i].len, at[i].part, at[i].off);
    return b;
}

static inline void board_free(struct board *b)
{
    for (int i = N_BOARD_PARTS; i-- > 0;)
        b->part[i].ops->free(b->part[i].dev);
    free(b->nets);
    bus_free(b->bus);
    vclock_free(b->clock);
    trace_free(b->trace);
    free(b);
}

static inline uint8_t in(struct board *b, uint16_t port)
{
    uint64_t v;
    bus_read(b->bus, from_cpu(0), port, 1, &v);
    return (uint8_t)v;
}

static inline void out(struct board *b, uint16_t port, uint8_t value)
{
    bus_write(b->bus, from_cpu(0), port, 1, value);
}

/* Let time pass, timer by timer. */
static inline void reach(struct board *b, uint64_t ns)
{
    uint64_t next;
    while ((next = vclock_next_ns(b->clock)) <= ns) {
        vclock_set_ns(b->clock, next);
        vclock_run_due(b->clock);
    }
    vclock_set_ns(b->clock, ns);
}

static inline void pass(struct board *b, uint64_t ns)
{
    reach(b, vclock_now_ns(b->clock) + ns);
}

/* The PICs as a PC's BIOS leaves them, at vectors 20h and 28h, all lines open. */
static inline void start_pics(struct board *b)
{
    static const struct { uint8_t port, value; } seq[] = {
        { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 },
        { 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 0x02 }, { 0xa1, 0x01 },
        { 0x21, 0x00 }, { 0xa1, 0x00 },
    };
    for (size_t i = 0; i < NELEM(seq); i++)
        out(b, seq[i].port, seq[i].value);
}

/* The newest event of a kind still in the ring, or NULL. */
static inline const struct trace_event *last_event(const struct board *b, enum trace_kind kind)
{
    const struct trace_ring *r = b->trace->ring;
    for (uint64_t seq = r->head; seq && seq + r->size > r->head; seq--)
        if (r->event[seq & (r->size - 1)].kind == kind)
            return &r->event[seq & (r->size - 1)];
    return NULL;
}

static inline enum oddity last_oddity(const struct board *b)
{
    const struct trace_event *e = last_event(b, TRACE_ODDITY);
    return e ? (enum oddity)e->arg[0] : ODDITY_NONE;
}

#endif
