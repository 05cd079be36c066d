/*
 * io/pit.c -- the 8254 as the guest sees it: four ports, port 61h, and IRQ 0.
 *
 * What the counters do in time is io/pit_channel.c; here are the registers in
 * front of them.  The output of channel 0, which is IRQ 0, must move by
 * itself: a timer waits for its next change.  All else is computed when
 * somebody looks.
 *
 *   7 6 5 4 3 2 1 0
 *   c c r r m m m B    control word: channel, byte(s) read and written, mode, BCD
 *   c c 0 0 . . . .    latch the count of channel c
 *   1 1 n s 2 1 0 .    read-back: latch (0) count n, status s, of channels 2 1 0
 *   O N r r m m m B    status: output, no count loaded yet, and as programmed
 *
 * A count has two bytes and the bus one, so between reading the low and the
 * high byte a running counter moves on: the low byte of 0100h and then the
 * high byte of 00FFh look like 0000h.  A latch holds the count still for both.
 * [8254 "Programming the 8254", "Read Operations"]
 */
#include "io/pit.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/pit_channel.h"
#include "io/slot.h"

#define CONTROL_CHANNEL(v)  ((v) >> 6)
#define READ_BACK           3           /* as a channel number       */
#define READ_BACK_NO_COUNT  BIT(5)
#define READ_BACK_NO_STATUS BIT(4)
#define STATUS_OUT          BIT(7)
#define STATUS_NULL         BIT(6)

/*   7 6 5 4 3 2 1 0
 *   . . O R x x S G    port 61h: G gate of channel 2, S its way to the loudspeaker; to be read:
 *                      R refresh toggles, O output of channel 2; x is kept
 * Guests of the AT time short delays by R.  [PC/AT Technical Reference "System Control Port"] */
#define P61_GATE2           BIT(0)
#define P61_SPEAKER         BIT(1)
#define P61_WRITABLE        FIELD(3, 0)
#define P61_REFRESH         BIT(4)
#define P61_OUT2            BIT(5)
#define REFRESH_TICKS       18          /* every 15 us, whatever channel 1 is told */

enum { RW_LATCH, RW_LOW, RW_HIGH, RW_BOTH };

struct pit {
    struct vclock  *clock;
    struct oddity_log   odd;
    struct irq_line irq0;

    struct pit_channel  ch[3];
    uint8_t         port61;
    uint8_t         out0;       /* what IRQ 0 was last told */
    struct vtimer   edge;       /* OUT of channel 0 changes */
};

#define CHANNEL_FIELDS(i, s)                                                                    \
    DEV_FIELD(struct pit, ch[i].control, "CONTROL" s, FIELD_RW, "5-4 bytes, 3-1 mode, 0 BCD"),  \
    DEV_FIELD(struct pit, ch[i].cr, "CR" s, FIELD_RW, "count last written"),                    \
    DEV_FIELD(struct pit, ch[i].n, "COUNT" s, FIELD_RO, "count in use"),                        \
    DEV_FIELD(struct pit, ch[i].start, "START" s, FIELD_RO, "tick at which it was loaded"),     \
    DEV_FIELD(struct pit, ch[i].switch_tick, "SWITCH" s, FIELD_HIDDEN, "when CR takes over"),   \
    DEV_FIELD(struct pit, ch[i].held, "HELD" s, FIELD_HIDDEN, "ticks counted, gate closed"),    \
    DEV_FIELD(struct pit, ch[i].gate, "GATE" s, FIELD_RO, "may it count?"),                     \
    DEV_FIELD(struct pit, ch[i].running, "RUNNING" s, FIELD_RO, "loaded and triggered"),        \
    DEV_FIELD(struct pit, ch[i].pending, "PENDING" s, FIELD_RO, "CR waits for the cycle's end"), \
    DEV_FIELD(struct pit, ch[i].null_count, "NULL" s, FIELD_RO, "CR is not loaded yet"),        \
    DEV_FIELD(struct pit, ch[i].low_written, "LOWW" s, FIELD_HIDDEN, "high byte to be written"), \
    DEV_FIELD(struct pit, ch[i].low, "LOW" s, FIELD_HIDDEN, "low byte written"),                \
    DEV_FIELD(struct pit, ch[i].low_read, "LOWR" s, FIELD_HIDDEN, "high byte to be read"),      \
    DEV_FIELD(struct pit, ch[i].latch, "LATCH" s, FIELD_RO, "latched count"),                   \
    DEV_FIELD(struct pit, ch[i].latched, "LATCHED" s, FIELD_RO, "bytes of it still to be read"), \
    DEV_FIELD(struct pit, ch[i].status, "STATUS" s, FIELD_RO, "latched status"),                \
    DEV_FIELD(struct pit, ch[i].status_latched, "STLATCH" s, FIELD_RO, "it is to be read")

static const struct field pit_fields[] = {
    CHANNEL_FIELDS(0, ".0"),
    CHANNEL_FIELDS(1, ".1"),
    CHANNEL_FIELDS(2, ".2"),
    DEV_FIELD(struct pit, port61, "PORT61", FIELD_RW, "1 speaker, 0 gate of channel 2"),
    DEV_FIELD(struct pit, out0, "OUT0", FIELD_RO, "IRQ 0"),
    DEV_FIELD(struct pit, edge, "EDGE", FIELD_TIMER, "next change of OUT0"),
};

/* --- Time --- */

#define NS_PER_S INT64_C(1000000000)

/* Whole seconds and the rest apart: nanoseconds times 1193182 would not fit 64 bits. */
static int64_t tick_now(const struct pit *p)
{
    int64_t ns = (int64_t)vclock_now_ns(p->clock);
    return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* The first nanosecond that belongs to the tick. */
static uint64_t ns_of_tick(int64_t tick)
{
    int64_t s = tick / PIT_HZ, rest = tick % PIT_HZ;
    return (uint64_t)(s * NS_PER_S + (rest * NS_PER_S + PIT_HZ - 1) / PIT_HZ);
}

/* --- Numbers as the bus sees them --- */

/* BCD: four decimal digits, one in each half byte.  [8254 "Control Word Format"] */
static uint32_t from_bcd(uint32_t v)
{
    return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

static uint32_t to_bcd(uint32_t v)
{
    return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static bool is_bcd(uint32_t v)
{
    for (; v; v >>= 4)
        if ((v & 15) > 9)
            return false;
    return true;
}

static uint16_t bus_value(const struct pit_channel *c, int64_t tick)
{
    uint32_t v = pit_channel_value(c, tick);
    return (uint16_t)(c->control & PIT_CONTROL_BCD ? to_bcd(v) : v);
}

/* Zero stands for the largest count. */
static uint32_t count_from(struct pit *p, unsigned i, uint16_t written)
{
    struct pit_channel *c = &p->ch[i];
    bool bcd = c->control & PIT_CONTROL_BCD;
    uint32_t n = bcd ? from_bcd(written) : written;
    if (bcd && !is_bcd(written))
        oddity(&p->odd, ODDITY_PIT_BAD_BCD, i, written);
    if (n == 1 && pit_channel_is_periodic(c))
        oddity(&p->odd, ODDITY_PIT_COUNT_1, i, pit_channel_mode(c));
    return n ? n : bcd ? 10000 : 65536;
}

static uint8_t status_of(const struct pit_channel *c, int64_t tick)
{
    return (uint8_t)((pit_channel_out(c, tick) ? STATUS_OUT : 0) |
                     (c->null_count ? STATUS_NULL : 0) | (c->control & 0x3f));
}

/* --- IRQ 0 --- */

/* Tell the line what OUT is now and wait for its next change.  If the clock
 * went over several changes at once, one pulse stands for them: the PIC could
 * not have kept more than one either. */
static void settle(struct pit *p, bool timer_fired)
{
    int64_t tick = tick_now(p);
    for (unsigned i = 0; i < 3; i++)
        p->ch[i] = pit_channel_at(&p->ch[i], tick);
    bool out = pit_channel_out(&p->ch[0], tick);
    if (timer_fired && out == p->out0)
        irq_set(&p->irq0, !out);
    p->out0 = out;
    irq_set(&p->irq0, out);
    int64_t next = pit_channel_next_change(&p->ch[0], tick);
    uint64_t deadline = next < 0 ? VCLOCK_NEVER : ns_of_tick(next);
    if (deadline == VCLOCK_NEVER)
        vtimer_cancel(&p->edge);
    else if (deadline != p->edge.deadline_ns)
        vtimer_arm(&p->edge, deadline);
}

static void edge_due(void *arg)
{
    settle(arg, true);
}

/* --- Writes --- */

static void count_written(struct pit *p, unsigned i, uint16_t written, int64_t tick)
{
    pit_channel_set_count(&p->ch[i], count_from(p, i, written), tick);
}

/* Low byte, high byte, or first the one and then the other, as the control word says. */
static void data_write(struct pit *p, unsigned i, uint8_t v, int64_t tick)
{
    struct pit_channel *c = &p->ch[i];
    switch (PIT_CONTROL_RW(c->control)) {
    case RW_LOW:
        count_written(p, i, v, tick);
        break;
    case RW_HIGH:
        count_written(p, i, (uint16_t)(v << 8), tick);
        break;
    default:
        if (!c->low_written) {
            c->low = v;
            c->low_written = 1;
            if (pit_channel_mode(c) == PIT_TERMINAL)
                c->running = 0;     /* the first byte stops the count */
        } else {
            c->low_written = 0;
            count_written(p, i, (uint16_t)(v << 8 | c->low), tick);
        }
        break;
    }
}

/* A count that is latched already stays: the second command is ignored. */
static void latch_count(struct pit_channel *c, int64_t tick)
{
    if (c->latched)
        return;
    c->latch = bus_value(c, tick);
    c->latched = PIT_CONTROL_RW(c->control) == RW_BOTH ? 2 : 1;
    c->low_read = 0;
}

/* One command for several channels, and the only way to read a status. */
static void read_back(struct pit *p, uint8_t v, int64_t tick)
{
    for (unsigned i = 0; i < 3; i++) {
        struct pit_channel *c = &p->ch[i];
        if (!(v & BIT(i + 1)))
            continue;
        if (!(v & READ_BACK_NO_COUNT))
            latch_count(c, tick);
        if (!(v & READ_BACK_NO_STATUS) && !c->status_latched) {
            c->status = status_of(c, tick);
            c->status_latched = 1;
        }
    }
}

/* A control word stops the channel until a count follows; its old counts stay readable. */
static void control_write(struct pit *p, uint8_t v, int64_t tick)
{
    unsigned i = CONTROL_CHANNEL(v);
    if (i == READ_BACK) {
        read_back(p, v, tick);
        return;
    }
    struct pit_channel *c = &p->ch[i];
    if (PIT_CONTROL_RW(v) == RW_LATCH) {
        latch_count(c, tick);
        return;
    }
    *c = (struct pit_channel){ .control = v & 0x3f, .gate = c->gate, .n = c->n, .cr = c->cr,
                           .null_count = 1 };
}

static void pit_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pit *p = dev;
    uint8_t v = (uint8_t)value;
    int64_t tick = tick_now(p);
    settle(p, false);
    if (a.off < 3) {
        data_write(p, a.off, v, tick);
    } else if (a.off == 3) {
        control_write(p, v, tick);
    } else {
        p->port61 = v & P61_WRITABLE;
        pit_channel_set_gate(&p->ch[2], v & P61_GATE2, tick);
    }
    settle(p, false);
}

/* --- Reads --- */

/* A latched status comes before a latched count, and that before the counter as it runs.
 * [8254 "Read-Back Command"] */
static uint8_t data_peek(const struct pit_channel *c, int64_t tick)
{
    uint16_t value = c->latched ? c->latch : bus_value(c, tick);
    if (c->status_latched)
        return c->status;
    bool high = PIT_CONTROL_RW(c->control) == RW_HIGH ||
                (PIT_CONTROL_RW(c->control) == RW_BOTH && c->low_read);
    return (uint8_t)(high ? value >> 8 : value);
}

static void data_taken(struct pit_channel *c)
{
    if (c->status_latched) {
        c->status_latched = 0;
        return;
    }
    if (c->latched)
        c->latched--;
    if (PIT_CONTROL_RW(c->control) == RW_BOTH)
        c->low_read = !c->low_read;
}

static uint8_t port61_peek(const struct pit *p, int64_t tick)
{
    struct pit_channel c = pit_channel_at(&p->ch[2], tick);
    return (uint8_t)(p->port61 | (tick / REFRESH_TICKS & 1 ? P61_REFRESH : 0) |
                     (pit_channel_out(&c, tick) ? P61_OUT2 : 0));
}

static uint64_t pit_peek(const void *dev, struct bus_access a)
{
    const struct pit *p = dev;
    int64_t tick = tick_now(p);
    if (a.off == 3)
        return 0xff;            /* the control word cannot be read */
    if (a.off > 3)
        return port61_peek(p, tick);
    struct pit_channel c = pit_channel_at(&p->ch[a.off], tick);
    return data_peek(&c, tick);
}

static uint64_t pit_read(void *dev, struct bus_access a)
{
    struct pit *p = dev;
    uint64_t value = pit_peek(dev, a);
    if (a.off < 3)
        data_taken(&p->ch[a.off]);
    return value;
}

bool pit_speaker(const struct pit *p, unsigned *hz)
{
    struct pit_channel c = pit_channel_at(&p->ch[2], tick_now(p));
    bool tone = c.running && c.gate && pit_channel_mode(&c) == PIT_SQUARE;
    *hz = tone ? PIT_HZ / c.n : 0;
    return p->port61 & P61_SPEAKER;
}

/* --- Life --- */

/* What the chip holds after power-on is undefined.  Channels 1 and 2 count nothing before they are
 * told to. */
static const struct pit_channel channel_at_reset = { .n = 65536, .cr = 65536, .gate = 1 };

/* A BIOS starts channel 0 before it starts anybody: a square wave of 65536 ticks, 18.2 Hz.  A
 * kernel that only opens the PIC and sets IF has its timer.  Half of the wave is over: OUT is low
 * now, so that no request waits, and the first one comes after 27 ms.
 * [PC/AT Technical Reference "System Timers"; and "BIOS Listing"] */
static const struct pit_channel channel_0_after_bios = {
    .control = RW_BOTH << 4 | PIT_SQUARE << 1, .n = 65536, .cr = 65536, .gate = 1, .running = 1,
    .start = -32768,
};

static void pit_reset(void *dev)
{
    struct pit *p = dev;
    for (unsigned i = 0; i < 3; i++)
        p->ch[i] = channel_at_reset;
    p->ch[0] = channel_0_after_bios;
    p->ch[0].start += tick_now(p);
    p->ch[2].gate = 0;                  /* the only gate that can be closed: by port 61h */
    p->port61 = 0;
    vtimer_cancel(&p->edge);
    settle(p, false);
}

/* No file may put a channel where arithmetic does not go. */
static void pit_after_load(void *dev)
{
    struct pit *p = dev;
    int64_t tick = tick_now(p), far = 1 << 17;
    for (unsigned i = 0; i < 3; i++) {
        struct pit_channel *c = &p->ch[i];
        if (c->n < 1 || c->n > 65536)
            c->n = 65536;
        if (c->cr < 1 || c->cr > 65536)
            c->cr = 65536;
        if (c->start < -far || c->start > tick + far)
            c->start = tick;
        if (c->switch_tick < -far || c->switch_tick > tick + far || c->switch_tick < c->start)
            c->pending = 0;
        if (c->held < 0 || c->held > tick + far)
            c->held = 0;
        if (c->latched > 2)
            c->latched = 2;
        c->gate = i == 2 ? p->port61 & P61_GATE2 : 1;
    }
    p->out0 = !!p->out0;
    irq_set(&p->irq0, p->out0);     /* and the timer is a field: it is armed already */
}

static void *pit_create(const struct slot *s)
{
    struct pit *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->clock = s->clock;
    p->odd = slot_oddities(s);
    p->irq0 = s->pin[0];
    vtimer_init(&p->edge, s->clock, edge_due, p);
    pit_reset(p);
    return p;
}

static void pit_free(void *dev)
{
    struct pit *p = dev;
    if (!p)
        return;
    vtimer_cancel(&p->edge);
    free(p);
}

const struct device_ops pit_ops = {
    .name = "i8254",
    .about = "interval timer, and port 61h [Intel 8254]",
    .fields = pit_fields,
    .n_fields = NELEM(pit_fields),
    .state_bytes = sizeof(struct pit),
    .width = 1,
    .create = pit_create,
    .reset = pit_reset,
    .read = pit_read,
    .write = pit_write,
    .peek = pit_peek,
    .after_load = pit_after_load,
    .free = pit_free,
};
