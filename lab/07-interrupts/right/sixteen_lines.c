/*
 * A right solution that keeps the two chips as one array of sixteen lines.
 *
 * Where the real source computes the requests from pins, latch and mode at each question, this
 * one keeps a state for each line (idle, asking) beside its pin, and gives each line a score: its
 * distance from the end of its chip's priority ring.
 */
#include "io/pic.h"

#include <stdlib.h>

#include "io/irq_net.h"
#include "io/slot.h"

struct line { bool pin, asks, served, masked, by_level; };

struct half {
    struct line line[8];
    uint8_t base, elcr, icw1, icw4, last, due;  /* due: the ICW that comes next; 5: none yet */
    bool    special, turns, poll, show_served;
};

struct pic {
    struct irq_line out;
    bool            level;
    struct half     half[2];
};

static int score(const struct half *h, int n)
{
    return (8 + h->last - n) % 8;               /* 7 for the highest, 0 for the lowest */
}

static bool is_level(const struct half *h, int n)
{
    return h->icw1 & 8 || h->line[n].by_level;
}

static bool asks(const struct half *h, int n)
{
    return h->line[n].pin && (is_level(h, n) || h->line[n].asks);
}

static int best_served(const struct half *h, bool cascade_is_open)
{
    int best = -1;
    for (int n = 0; n < 8; n++)
        if (h->line[n].served && !(h->special && h->line[n].masked) &&
            !(cascade_is_open && n == 2) && (best < 0 || score(h, n) > score(h, best)))
            best = n;
    return best;
}

static int candidate(const struct half *h, bool first)
{
    int best = -1, busy;
    if (h->due)
        return -1;
    for (int n = 0; n < 8; n++)
        if (asks(h, n) && !h->line[n].masked && (best < 0 || score(h, n) > score(h, best)))
            best = n;
    busy = best_served(h, first && h->icw4 & 0x10 && best == 2);
    return best >= 0 && busy >= 0 && score(h, busy) >= score(h, best) ? -1 : best;
}

static void drive(struct line *l, bool level)
{
    if (level != l->pin)
        l->asks = level;
    l->pin = level;
}

static void update(struct pic *p)
{
    drive(&p->half[0].line[2], candidate(&p->half[1], false) >= 0);
    bool level = candidate(&p->half[0], true) >= 0;
    if (level != p->level)
        irq_set(&p->out, p->level = level);
}

static void on_wire(void *pic, unsigned n, bool level)
{
    struct pic *p = pic;
    drive(&p->half[n / 8].line[n % 8], level);
    update(p);
}

static void serve(struct pic *p, int i, int n)
{
    struct half *h = &p->half[i];
    if (i == 1)
        drive(&p->half[0].line[2], false);
    h->line[n].asks = false;
    if (!(h->icw4 & 2))
        h->line[n].served = true;
    else if (h->turns)
        h->last = (uint8_t)n;
}

bool pic_pending(const struct pic *p)
{
    return p->level;
}

bool pic_is_deaf(const struct pic *p)
{
    struct pic all = *p;
    for (int i = 0; i < 2; i++)
        for (int n = 0; n < 8; n++)
            all.half[i].line[n].pin = all.half[i].line[n].asks = true;
    if (candidate(&all.half[1], false) < 0)
        all.half[0].line[2].masked = true;
    return candidate(&all.half[0], true) < 0;
}

struct irq_ack pic_ack(struct pic *p)
{
    int i = 0, n = candidate(&p->half[0], true);
    bool late = n < 0;
    if (!late) {
        serve(p, 0, n);
        if (n == 2) {
            i = 1;
            n = candidate(&p->half[1], false);
            late = n < 0;
            if (!late)
                serve(p, 1, n);
        }
    }
    if (late)
        n = 7;
    update(p);
    return (struct irq_ack){ (uint8_t)(p->half[i].base + n), (uint8_t)(8 * i + n), late };
}

static void command_eoi(struct half *h, uint8_t v)
{
    bool rotate = v & 0x80, specific = v & 0x40, eoi = v & 0x20;
    int n = specific ? v & 7 : best_served(h, false);
    if (!eoi && !specific)
        h->turns = rotate;
    else if (!eoi && rotate)
        h->last = (uint8_t)n;
    else if (eoi && n >= 0) {
        h->line[n].served = false;
        if (rotate)
            h->last = (uint8_t)n;
    }
}

static void command_start(struct half *h, uint8_t v)
{
    for (int n = 0; n < 8; n++)
        h->line[n].asks = h->line[n].served = h->line[n].masked = false;
    h->icw1 = v;
    h->icw4 = 0;
    h->last = 7;
    h->special = h->turns = h->poll = h->show_served = false;
    h->due = 2;
}

static void write_command(struct half *h, uint8_t v)
{
    if (v & 0x10)
        command_start(h, v);
    else if (!(v & 8))
        command_eoi(h, v);
    else {
        if (v & 0x40)
            h->special = v & 0x20;
        if (v & 4)
            h->poll = true;
        else if (v & 2)
            h->show_served = v & 1;
    }
}

static void write_data(struct half *h, uint8_t v)
{
    switch (h->due) {
    case 2: h->base = v & 0xf8; h->due = !(h->icw1 & 2) ? 3 : h->icw1 & 1 ? 4 : 0; break;
    case 3: h->due = h->icw1 & 1 ? 4 : 0; break;
    case 4: h->icw4 = v; h->due = 0; break;
    default:
        for (int n = 0; n < 8; n++)
            h->line[n].masked = v >> n & 1;
    }
}

static void chips_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pic *p = dev;
    struct half *h = &p->half[a.off < 4 ? a.off / 2 : a.off - 4];
    if (a.off >= 4) {
        h->elcr = (uint8_t)(value & (a.off == 4 ? 0xf8 : 0xde));
        for (int n = 0; n < 8; n++)
            h->line[n].by_level = h->elcr >> n & 1;
    } else if (a.off & 1)
        write_data(h, (uint8_t)value);
    else
        write_command(h, (uint8_t)value);
    update(p);
}

static uint64_t chips_peek(const void *dev, struct bus_access a)
{
    const struct pic *p = dev;
    const struct half *h = &p->half[a.off < 4 ? a.off / 2 : a.off - 4];
    uint8_t bits = 0;
    int n = candidate(h, a.off < 2);
    if (a.off >= 4)
        return h->elcr;
    if (h->poll)
        return n < 0 ? 0 : 0x80u | (unsigned)n;
    for (n = 0; n < 8; n++)
        if (a.off & 1 ? h->line[n].masked : h->show_served ? h->line[n].served : asks(h, n))
            bits |= (uint8_t)(1u << n);
    return bits;
}

static uint64_t chips_read(void *dev, struct bus_access a)
{
    struct pic *p = dev;
    uint64_t value = chips_peek(dev, a);
    struct half *h = &p->half[a.off / 2 & 1];
    if (a.off < 4 && h->poll) {
        h->poll = false;
        if (value & 0x80)
            serve(p, (int)a.off / 2, value & 7);
        update(p);
    }
    return value;
}

static void chips_reset(void *dev)
{
    struct pic *p = dev;
    for (int i = 0; i < 2; i++) {
        struct half was = p->half[i];
        p->half[i] = (struct half){ .base = i ? 0x70 : 8, .icw1 = 0x11, .icw4 = 1, .last = 7 };
        for (int n = 0; n < 8; n++) {
            p->half[i].line[n].pin = was.line[n].pin;
            p->half[i].line[n].masked = (i ? 0x8e : 0xb8) >> n & 1;
        }
    }
    update(p);
}

static void *chips_create(const struct slot *s)
{
    struct pic *p = calloc(1, sizeof *p);
    p->out = s->pin[0];
    if (s->nets)
        irq_nets_listen(s->nets, on_wire, p);
    chips_reset(p);
    return p;
}

const struct device_ops pic_ops = {
    .name = "i8259a", .about = "sixteen lines", .state_bytes = sizeof(struct pic), .width = 1,
    .create = chips_create, .reset = chips_reset, .read = chips_read, .write = chips_write,
    .peek = chips_peek, .free = free,
};
