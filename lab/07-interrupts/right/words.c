/*
 * A right solution, for `accept`: both chips are one set of sixteen-bit words, a bit for each line,
 * and the highest line is found by turning the chip's byte until the highest rank is bit 0.  What a
 * write to the odd port means is a pointer to the function that takes it.
 */
#include "io/pic.h"

#include <stdlib.h>

#include "io/irq_net.h"
#include "io/slot.h"

struct side;
typedef void take_fn(struct pic *p, unsigned i, uint8_t value);

struct side {
    take_fn *next;                      /* of a write to the odd port                     */
    uint8_t  icw1, base, icw4, bottom;
    bool     special, turning, polled, shows_busy;
};

struct pic {
    struct irq_line out;
    bool     up;
    uint16_t high, risen, busy, mask, level;
    struct side side[2];
};

static take_fn take_base, take_wiring, take_mode, take_mask;

enum { NOBODY = 8, SECOND = 2 };

static uint8_t of(uint16_t word, unsigned i)
{
    return (uint8_t)(word >> 8 * i);
}

static uint16_t bit(unsigned i, unsigned n)
{
    return (uint16_t)(1u << (8 * i + n));
}

/* The rank of the first of these lines: 0 to 7, or NOBODY. */
static unsigned rank(const struct side *s, uint8_t lines)
{
    unsigned by = (s->bottom + 1u) & 7, twice = lines | (unsigned)lines << 8;
    unsigned turned = twice >> by & 0xff;
    return turned ? (unsigned)__builtin_ctz(turned) : NOBODY;
}

static unsigned at_rank(const struct side *s, unsigned r)
{
    return r == NOBODY ? NOBODY : (r + s->bottom + 1u) & 7;
}

static uint8_t asking(const struct pic *p, unsigned i)
{
    uint16_t level = p->side[i].icw1 & 8 ? 0xffff : p->level;
    return of(p->high & (p->risen | level), i);
}

static uint8_t holding(const struct pic *p, unsigned i)
{
    return of(p->side[i].special ? p->busy & (uint16_t)~p->mask : p->busy, i);
}

static unsigned winner(const struct pic *p, unsigned i)
{
    const struct side *s = &p->side[i];
    unsigned best = rank(s, asking(p, i) & (uint8_t)~of(p->mask, i));
    uint8_t held = holding(p, i);
    if (i == 0 && (s->icw4 & 0x10) && at_rank(s, best) == SECOND)
        held &= (uint8_t)~bit(0, SECOND);
    return s->next == take_mask && best < rank(s, held) ? at_rank(s, best) : NOBODY;
}

static void wire(struct pic *p, uint16_t line, bool level)
{
    if (!level)
        p->high &= (uint16_t)~line, p->risen &= (uint16_t)~line;
    else if (!(p->high & line))
        p->high |= line, p->risen |= line;
}

static void show(struct pic *p)
{
    wire(p, bit(0, SECOND), winner(p, 1) != NOBODY);
    bool up = winner(p, 0) != NOBODY;
    bool moves = up != p->up;
    p->up = up;
    if (moves)
        irq_set(&p->out, up);
}

static void on_line(void *pic, unsigned n, bool level)
{
    struct pic *p = pic;
    wire(p, bit(n / 8, n % 8), level);
    show(p);
}

static void give(struct pic *p, unsigned i, unsigned n)
{
    struct side *s = &p->side[i];
    p->risen &= (uint16_t)~bit(i, n);
    if (i)
        wire(p, bit(0, SECOND), false);
    if (s->icw4 & 2)
        s->bottom = s->turning ? (uint8_t)n : s->bottom;
    else
        p->busy |= bit(i, n);
}

bool pic_pending(const struct pic *p)
{
    return p->up;
}

bool pic_is_deaf(const struct pic *p)
{
    struct pic q = *p;
    q.high = q.risen = 0xffff;
    if (winner(&q, 1) == NOBODY)
        q.mask |= bit(0, SECOND);
    return winner(&q, 0) == NOBODY;
}

struct irq_ack pic_ack(struct pic *p)
{
    unsigned i = 0, n = winner(p, 0);
    if (n != NOBODY)
        give(p, 0, n);
    if (n == SECOND) {
        n = winner(p, i = 1);
        if (n != NOBODY)
            give(p, 1, n);
    }
    bool gone = n == NOBODY;
    n = gone ? 7 : n;
    show(p);
    return (struct irq_ack){ (uint8_t)(p->side[i].base | n), (uint8_t)(8 * i + n), gone };
}

/* Rotate, specific, EOI: three bits that mean what they say, but for two of their combinations. */
static void finish(struct pic *p, unsigned i, uint8_t v)
{
    struct side *s = &p->side[i];
    bool rotates = v & 0x80, names = v & 0x40, ends = v & 0x20;
    unsigned n = names ? v & 7u : at_rank(s, rank(s, holding(p, i)));
    if (!names && !ends) {
        s->turning = rotates;
        return;
    }
    if (n == NOBODY)
        return;
    if (ends)
        p->busy &= (uint16_t)~bit(i, n);
    if (rotates)
        s->bottom = (uint8_t)n;
}

static void start(struct pic *p, unsigned i, uint8_t v)
{
    struct side *s = &p->side[i];
    uint16_t others = i ? 0x00ff : 0xff00;
    p->risen &= others;
    p->busy &= others;
    p->mask &= others;
    *s = (struct side){ .next = take_base, .icw1 = v, .base = s->base, .bottom = 7 };
}

static void take_command(struct pic *p, unsigned i, uint8_t v)
{
    struct side *s = &p->side[i];
    if (v & 0x10) {
        start(p, i, v);
    } else if (!(v & 0x08)) {
        finish(p, i, v);
    } else {
        s->special = v & 0x40 ? !!(v & 0x20) : s->special;
        s->polled |= !!(v & 4);
        s->shows_busy = (v & 6) == 2 ? v & 1 : s->shows_busy;
    }
}

static void then(struct side *s, bool wiring)
{
    s->next = wiring && !(s->icw1 & 2) ? take_wiring : s->icw1 & 1 ? take_mode : take_mask;
}

static void take_base(struct pic *p, unsigned i, uint8_t v)
{
    p->side[i].base = v & 0xf8;
    then(&p->side[i], true);
}

static void take_wiring(struct pic *p, unsigned i, uint8_t v)
{
    (void)v;
    then(&p->side[i], false);
}

static void take_mode(struct pic *p, unsigned i, uint8_t v)
{
    p->side[i].icw4 = v;
    p->side[i].next = take_mask;
}

static void take_mask(struct pic *p, unsigned i, uint8_t v)
{
    p->mask = (uint16_t)((p->mask & (i ? 0x00ff : 0xff00)) | v << 8 * i);
}

static void words_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pic *p = dev;
    unsigned i = a.off < 4 ? a.off / 2 : a.off - 4;
    uint8_t v = (uint8_t)value;
    if (a.off >= 4)
        p->level = (uint16_t)((p->level & (i ? 0x00ff : 0xff00)) | (v << 8 * i & 0xdef8));
    else if (a.off & 1)
        p->side[i].next(p, i, v);
    else
        take_command(p, i, v);
    show(p);
}

static uint64_t words_peek(const void *dev, struct bus_access a)
{
    const struct pic *p = dev;
    unsigned i = a.off < 4 ? a.off / 2 : a.off - 4, n = winner(p, i);
    if (a.off >= 4)
        return of(p->level, i);
    if (p->side[i].polled)
        return n == NOBODY ? 0 : 0x80 | n;
    return a.off & 1              ? of(p->mask, i)
         : p->side[i].shows_busy ? of(p->busy, i)
         :                         asking(p, i);
}

static uint64_t words_read(void *dev, struct bus_access a)
{
    struct pic *p = dev;
    uint64_t value = words_peek(dev, a);
    if (a.off < 4 && p->side[a.off / 2].polled) {
        p->side[a.off / 2].polled = false;
        if (value)
            give(p, a.off / 2, value & 7);
        show(p);
    }
    return value;
}

static void words_reset(void *dev)
{
    struct pic *p = dev;
    p->risen = p->busy = p->level = 0;
    p->mask = 0x8eb8;
    for (unsigned i = 0; i < 2; i++)
        p->side[i] = (struct side){ .next = take_mask, .icw1 = 0x11, .icw4 = 1, .bottom = 7,
                                    .base = i ? 0x70 : 0x08 };
    show(p);
}

static void *words_create(const struct slot *s)
{
    struct pic *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->out = s->pin[0];
    if (s->nets)
        irq_nets_listen(s->nets, on_line, p);
    words_reset(p);
    return p;
}

const struct device_ops pic_ops = {
    .name = "i8259a", .about = "sixteen lines in words", .state_bytes = sizeof(struct pic),
    .width = 1, .create = words_create, .reset = words_reset, .read = words_read,
    .write = words_write, .peek = words_peek, .free = free,
};
