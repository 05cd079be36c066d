/*
 * io/pit.c -- the 8254: three counters that nobody has to count.
 *
 * A counter's value and output are functions of the time since it was loaded
 * (value_of, out_of), so nothing happens between two looks at it.  Only the
 * output of channel 0, which is IRQ 0, must move by itself: a timer waits for
 * its next change.  Time is kept in ticks of the 1.193182 MHz input.
 *
 *   7 6 5 4 3 2 1 0
 *   c c r r m m m B    control word: channel, byte(s) read and written, mode, BCD
 *   c c 0 0 . . . .    latch the count of channel c
 *   1 1 n s 2 1 0 .    read-back: latch (0) count n, status s, of channels 2 1 0
 *   O N r r m m m B    status: output, no count loaded yet, and as programmed
 *
 * A new count in modes 2 and 3 waits for the end of the (half) cycle, hence
 * `pending`; whoever looks at a channel first brings it up to date (at_tick).
 * [8254 "Mode Definitions", "Read Operations"]
 */
#include "io/pit.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/slot.h"

#define CONTROL_CHANNEL(v)  ((v) >> 6)
#define CONTROL_RW(v)       ((v) >> 4 & 3)
#define CONTROL_MODE(v)     ((v) >> 1 & 7)
#define CONTROL_BCD         BIT(0)
#define READ_BACK           3           /* as a channel number       */
#define READ_BACK_NO_COUNT  BIT(5)
#define READ_BACK_NO_STATUS BIT(4)
#define STATUS_OUT          BIT(7)
#define STATUS_NULL         BIT(6)

#define P61_GATE2           BIT(0)
#define P61_SPEAKER         BIT(1)
#define P61_WRITABLE        FIELD(3, 0)
#define P61_REFRESH         BIT(4)
#define P61_OUT2            BIT(5)
#define REFRESH_TICKS       18          /* every 15 us, whatever channel 1 is told */

enum { RW_LATCH, RW_LOW, RW_HIGH, RW_BOTH };
enum { MODE_TERMINAL, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_SOFT_STROBE, MODE_HARD_STROBE };

struct channel {
    int64_t  start;         /* tick at which the count was loaded               */
    int64_t  switch_tick;   /* when a pending count takes over                  */
    int64_t  held;          /* ticks counted when the gate closed               */
    uint32_t n;             /* the count in use, 1-65536                        */
    uint32_t cr;            /* the count last written                           */
    uint16_t latch;         /* latched count, as it will be read                */
    uint8_t  control;       /* low six bits of the control word                 */
    uint8_t  gate;
    uint8_t  running;       /* loaded, and triggered if the mode wants that     */
    uint8_t  pending;       /* cr waits for the end of the cycle                */
    uint8_t  null_count;    /* cr is not loaded yet                             */
    uint8_t  low_written;   /* RW_BOTH: the low byte is here, the high is due   */
    uint8_t  low;
    uint8_t  low_read;      /* RW_BOTH: the next read gives the high byte       */
    uint8_t  latched;       /* bytes of the latched count still to be read      */
    uint8_t  status_latched;
    uint8_t  status;
};

struct pit {
    struct vclock  *clock;
    struct trace   *trace;
    struct irq_line irq0;

    struct channel  ch[3];
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

/* --- One channel, as a function of time --- */

/* Modes 6 and 7 are 2 and 3: the top bit is ignored there. */
static unsigned mode_of(const struct channel *c)
{
    unsigned mode = CONTROL_MODE(c->control);
    return mode >= 6 ? mode - 4 : mode;
}

static bool is_periodic(const struct channel *c)
{
    return mode_of(c) == MODE_RATE || mode_of(c) == MODE_SQUARE;
}

/* In modes 1 and 5 the gate triggers, in the others it lets count. */
static bool is_triggered(const struct channel *c)
{
    return mode_of(c) == MODE_ONE_SHOT || mode_of(c) == MODE_HARD_STROBE;
}

static int64_t elapsed(const struct channel *c, int64_t tick)
{
    return c->gate || is_triggered(c) ? tick - c->start : c->held;
}

static int64_t high_half(uint32_t n)
{
    return (n + 1) / 2;
}

/* The channel with everything done that was due by `tick`. */
static struct channel at_tick(const struct channel *ch, int64_t tick)
{
    struct channel c = *ch;
    if (c.pending && tick >= c.switch_tick) {
        bool half = (c.switch_tick - c.start) % c.n != 0;
        c.n = c.cr;
        c.start = c.switch_tick - (half ? high_half(c.n) : 0);
        c.pending = c.null_count = 0;
    }
    if (c.running && !c.pending && tick >= c.start)
        c.null_count = 0;
    return c;
}

static bool out_of(const struct channel *c, int64_t tick)
{
    unsigned mode = mode_of(c);
    int64_t e = elapsed(c, tick), n = c->n;
    if (!c->running || e < 0)
        return mode != MODE_TERMINAL;
    switch (mode) {
    case MODE_TERMINAL:
    case MODE_ONE_SHOT:
        return e >= n;
    case MODE_RATE:
        return !c->gate || n == 1 || e % n != n - 1;
    case MODE_SQUARE:
        return !c->gate || e % n < high_half(c->n);
    default:
        return e != n;
    }
}

/* The tick after `tick` at which OUT changes, or -1: not by itself. */
static int64_t next_change(const struct channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    if (!c->running || (!c->gate && !is_triggered(c)))
        return -1;
    if (e < 0 && mode_of(c) == MODE_ONE_SHOT)
        return c->start;
    if (is_periodic(c)) {
        int64_t falls = mode_of(c) == MODE_RATE ? n - 1 : high_half(c->n);
        int64_t in = e < 0 ? e : e % n;
        return n == 1 ? -1 : tick - in + (in < falls ? falls : n);
    }
    if (e < n)
        return c->start + n;
    if (e == n && mode_of(c) >= MODE_SOFT_STROBE)
        return c->start + n + 1;
    return -1;
}

/* The counting element.  Mode 3 counts down by two, twice in a period. */
static uint32_t value_of(const struct channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    int64_t wrap = c->control & CONTROL_BCD ? 10000 : 65536;
    if (!c->running || e < 0)
        e = 0;
    if (mode_of(c) == MODE_SQUARE) {
        int64_t in = e % n, high = high_half(c->n);
        return (uint32_t)((n & ~INT64_C(1)) - 2 * (in < high ? in : in - high));
    }
    if (mode_of(c) == MODE_RATE)
        return (uint32_t)(n - e % n);
    return (uint32_t)(((n - e) % wrap + wrap) % wrap);
}

/* --- Numbers as the bus sees them --- */

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

static uint16_t bus_value(const struct channel *c, int64_t tick)
{
    uint32_t v = value_of(c, tick);
    return (uint16_t)(c->control & CONTROL_BCD ? to_bcd(v) : v);
}

/* Zero stands for the largest count. */
static uint32_t count_from(struct pit *p, unsigned i, uint16_t written)
{
    struct channel *c = &p->ch[i];
    bool bcd = c->control & CONTROL_BCD;
    uint32_t n = bcd ? from_bcd(written) : written;
    if (bcd && !is_bcd(written))
        oddity(p->trace, ODDITY_PIT_BAD_BCD, i, written);
    if (n == 1 && is_periodic(c))
        oddity(p->trace, ODDITY_PIT_COUNT_1, i, mode_of(c));
    return n ? n : bcd ? 10000 : 65536;
}

static uint8_t status_of(const struct channel *c, int64_t tick)
{
    return (uint8_t)((out_of(c, tick) ? STATUS_OUT : 0) | (c->null_count ? STATUS_NULL : 0) |
                     (c->control & 0x3f));
}

/* --- IRQ 0 --- */

/* Tell the line what OUT is now and wait for its next change.  If the clock
 * went over several changes at once, one pulse stands for them: the PIC could
 * not have kept more than one either. */
static void settle(struct pit *p, bool timer_fired)
{
    int64_t tick = tick_now(p);
    for (unsigned i = 0; i < 3; i++)
        p->ch[i] = at_tick(&p->ch[i], tick);
    bool out = out_of(&p->ch[0], tick);
    if (timer_fired && out == p->out0)
        irq_set(&p->irq0, !out);
    p->out0 = out;
    irq_set(&p->irq0, out);
    int64_t next = next_change(&p->ch[0], tick);
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

static void load_now(struct channel *c, int64_t tick)
{
    c->n = c->cr;
    c->start = tick + 1;        /* with the next pulse of the input */
    c->held = 0;
    c->running = 1;
    c->pending = 0;
    c->null_count = 1;
}

/* Where the cycle (mode 2) or half cycle (mode 3) that `tick` is in ends. */
static int64_t cycle_end(const struct channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    int64_t in = e < 0 ? 0 : e % n, base = e < 0 ? c->start : tick - in;
    if (mode_of(c) == MODE_SQUARE && in < high_half(c->n))
        return base + high_half(c->n);
    return base + n;
}

static void count_written(struct pit *p, unsigned i, uint16_t written, int64_t tick)
{
    struct channel *c = &p->ch[i];
    c->cr = count_from(p, i, written);
    c->null_count = 1;
    if (is_triggered(c))
        return;
    if (!is_periodic(c) || !c->running || !c->gate || c->n == 1) {
        load_now(c, tick);
    } else if (!c->pending) {
        c->pending = 1;
        c->switch_tick = cycle_end(c, tick);
    }
}

static void data_write(struct pit *p, unsigned i, uint8_t v, int64_t tick)
{
    struct channel *c = &p->ch[i];
    switch (CONTROL_RW(c->control)) {
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
            if (mode_of(c) == MODE_TERMINAL)
                c->running = 0;     /* the first byte stops the count */
        } else {
            c->low_written = 0;
            count_written(p, i, (uint16_t)(v << 8 | c->low), tick);
        }
        break;
    }
}

/* A count that is latched already stays: the second command is ignored. */
static void latch_count(struct channel *c, int64_t tick)
{
    if (c->latched)
        return;
    c->latch = bus_value(c, tick);
    c->latched = CONTROL_RW(c->control) == RW_BOTH ? 2 : 1;
    c->low_read = 0;
}

static void read_back(struct pit *p, uint8_t v, int64_t tick)
{
    for (unsigned i = 0; i < 3; i++) {
        struct channel *c = &p->ch[i];
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

static void control_write(struct pit *p, uint8_t v, int64_t tick)
{
    unsigned i = CONTROL_CHANNEL(v);
    if (i == READ_BACK) {
        read_back(p, v, tick);
        return;
    }
    struct channel *c = &p->ch[i];
    if (CONTROL_RW(v) == RW_LATCH) {
        latch_count(c, tick);
        return;
    }
    *c = (struct channel){ .control = v & 0x3f, .gate = c->gate, .n = c->n, .cr = c->cr,
                           .null_count = 1 };
}

static void gate_write(struct channel *c, bool gate, int64_t tick)
{
    if (gate == c->gate)
        return;
    if (!gate) {
        int64_t e = elapsed(c, tick);
        c->held = e < 0 ? 0 : e;
        c->gate = 0;
        c->pending = 0;         /* the trigger will load it */
        return;
    }
    c->gate = 1;
    if (is_triggered(c) || is_periodic(c)) {
        if (c->running || c->null_count)
            load_now(c, tick);
    } else {
        c->start = tick - c->held;
    }
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
        gate_write(&p->ch[2], v & P61_GATE2, tick);
    }
    settle(p, false);
}

/* --- Reads --- */

static uint8_t data_peek(const struct channel *c, int64_t tick)
{
    uint16_t value = c->latched ? c->latch : bus_value(c, tick);
    if (c->status_latched)
        return c->status;
    bool high = CONTROL_RW(c->control) == RW_HIGH ||
                (CONTROL_RW(c->control) == RW_BOTH && c->low_read);
    return (uint8_t)(high ? value >> 8 : value);
}

static void data_taken(struct channel *c)
{
    if (c->status_latched) {
        c->status_latched = 0;
        return;
    }
    if (c->latched)
        c->latched--;
    if (CONTROL_RW(c->control) == RW_BOTH)
        c->low_read = !c->low_read;
}

static uint8_t port61_peek(const struct pit *p, int64_t tick)
{
    struct channel c = at_tick(&p->ch[2], tick);
    return (uint8_t)(p->port61 | (tick / REFRESH_TICKS & 1 ? P61_REFRESH : 0) |
                     (out_of(&c, tick) ? P61_OUT2 : 0));
}

static uint64_t pit_peek(const void *dev, struct bus_access a)
{
    const struct pit *p = dev;
    int64_t tick = tick_now(p);
    if (a.off == 3)
        return 0xff;            /* the control word cannot be read */
    if (a.off > 3)
        return port61_peek(p, tick);
    struct channel c = at_tick(&p->ch[a.off], tick);
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
    struct channel c = at_tick(&p->ch[2], tick_now(p));
    bool tone = c.running && c.gate && mode_of(&c) == MODE_SQUARE;
    *hz = tone ? PIT_HZ / c.n : 0;
    return p->port61 & P61_SPEAKER;
}

/* --- Life --- */

/* Nothing counts before it is told to; what the chip really holds after
 * power-on is undefined.  Only the gate of channel 2 can be closed. */
static const struct channel channel_at_reset = { .n = 65536, .cr = 65536, .gate = 1 };

static void pit_reset(void *dev)
{
    struct pit *p = dev;
    for (unsigned i = 0; i < 3; i++)
        p->ch[i] = channel_at_reset;
    p->ch[2].gate = 0;
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
        struct channel *c = &p->ch[i];
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
    p->trace = s->trace;
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
