/*
 * io/pic.c -- two 8259A interrupt controllers.
 *
 * A chip is three registers of eight bits, one per line:
 *
 *   IRR  a device asks                IMR  the guest does not want to hear of it
 *   ISR  the CPU is busy with it, until the guest says EOI
 *
 * A request reaches the CPU if it is not masked and of higher priority than
 * everything in service.  The second chip's INT output is line 2 of the
 * first.  Priority is a ring: `lowest` is the line at its end, and OCW2
 * "rotate" turns it.
 *
 * IRR is not stored: it is computed from the pin, the edge latch and the
 * ELCR, as in the data sheet's "priority cell" drawing.  So a line that drops
 * before it was acknowledged takes its request back, and an INTA that finds
 * nothing gives line 7: the spurious interrupt.
 *
 *   7 6 5 4 3 2 1 0
 *   . . . 1 L . S 4    ICW1  start over; L: all lines level, S: single, 4: ICW4 follows
 *   v v v v v . . .    ICW2  vector of line 0
 *   s s s s s s s s    ICW3  first chip: lines with a second chip; second: its number
 *   . . . F B M A 8    ICW4  F: special fully nested, A: automatic EOI, 8: 8086
 *   R S E 0 0 n n n    OCW2  rotate, specific, EOI, line
 *   0 e M 0 1 P r i    OCW3  e M: set special mask, P: poll, r i: read IRR or ISR
 */
#include "io/pic.h"

#include <stdlib.h>

#include "base/host.h"
#include "io/irq_net.h"
#include "io/oddity.h"
#include "io/slot.h"

#define ICW1        BIT(4)
#define ICW1_LEVEL  BIT(3)
#define ICW1_SINGLE BIT(1)
#define ICW1_ICW4   BIT(0)
#define ICW4_SFNM   BIT(4)
#define ICW4_AEOI   BIT(1)
#define ICW4_8086   BIT(0)
#define OCW2_LINE   FIELD(2, 0)
#define OCW3        BIT(3)
#define OCW3_ESMM   BIT(6)
#define OCW3_SMM    BIT(5)
#define OCW3_POLL   BIT(2)
#define OCW3_RR     BIT(1)
#define OCW3_RIS    BIT(0)

#define CASCADE     PIC_CASCADE
#define SPURIOUS    7
#define NONE        8       /* no line; also one past the lowest rank */

/* Lines that an AT wires to edges whatever ELCR says: timer, keyboard, cascade, clock, FPU. */
#define ELCR_FIXED_0 0x07
#define ELCR_FIXED_1 0x21

/* What the chip waits for on its second port. */
enum { WAIT_NOTHING, WAIT_ICW2, WAIT_ICW3, WAIT_ICW4, WAIT_ICW1 };

struct chip {
    uint8_t pins;           /* what the devices drive                           */
    uint8_t edge;           /* rose and not yet acknowledged                    */
    uint8_t isr, imr, elcr;
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t wait;           /* WAIT_                                            */
    uint8_t lowest;         /* the line of lowest priority                      */
    uint8_t special_mask;
    uint8_t rotate_aeoi;
    uint8_t poll;           /* the next read is an acknowledge                  */
    uint8_t read_isr;       /* else IRR                                         */
};

struct pic {
    struct trace   *trace;
    struct oddity_log odd;
    struct irq_line intr;

    struct chip chip[2];
    uint8_t     int_level;
};

#define CHIP_FIELDS(i, n)                                                                     \
    DEV_FIELD(struct pic, chip[i].pins, "PINS" n, FIELD_RW, "levels the devices drive"),       \
    DEV_FIELD(struct pic, chip[i].edge, "EDGE" n, FIELD_RW, "edges not yet acknowledged"),     \
    DEV_FIELD(struct pic, chip[i].isr, "ISR" n, FIELD_RW, "in service"),                       \
    DEV_FIELD(struct pic, chip[i].imr, "IMR" n, FIELD_RW, "masked"),                           \
    DEV_FIELD(struct pic, chip[i].elcr, "ELCR" n, FIELD_RW, "1: level-triggered"),             \
    DEV_FIELD(struct pic, chip[i].icw1, "ICW1" n, FIELD_RW, "level, single, ICW4 follows"),    \
    DEV_FIELD(struct pic, chip[i].icw2, "ICW2" n, FIELD_RW, "vector of line 0"),               \
    DEV_FIELD(struct pic, chip[i].icw3, "ICW3" n, FIELD_RW, "cascade"),                        \
    DEV_FIELD(struct pic, chip[i].icw4, "ICW4" n, FIELD_RW, "nesting, automatic EOI, 8086"),   \
    DEV_FIELD(struct pic, chip[i].wait, "WAIT" n, FIELD_RW, "which ICW is due; 0: ready"),     \
    DEV_FIELD(struct pic, chip[i].lowest, "LOWEST" n, FIELD_RW, "line of lowest priority"),    \
    DEV_FIELD(struct pic, chip[i].special_mask, "SMM" n, FIELD_RW, "special mask mode"),       \
    DEV_FIELD(struct pic, chip[i].rotate_aeoi, "RAEOI" n, FIELD_RW, "rotate in automatic EOI"), \
    DEV_FIELD(struct pic, chip[i].poll, "POLL" n, FIELD_RW, "the next read acknowledges"),     \
    DEV_FIELD(struct pic, chip[i].read_isr, "RIS" n, FIELD_RW, "reads give ISR, else IRR")

static const struct field pic_fields[] = {
    CHIP_FIELDS(0, ".1"),
    CHIP_FIELDS(1, ".2"),
    DEV_FIELD(struct pic, int_level, "INT", FIELD_RO, "the output to the CPU"),
};

/* A chip that is being initialized keeps quiet.  [8259A "Initialization Command Words"] */
static const struct chip chip_at_icw1 = { .wait = WAIT_ICW1, .lowest = 7 };

/* The requests, as the priority resolver sees them. */
static unsigned chip_irr(const struct chip *c)
{
    unsigned level = c->icw1 & ICW1_LEVEL ? 0xff : c->elcr;
    return c->pins & (level | c->edge);
}

/* 0 is the highest priority, 7 the lowest. */
static unsigned rank_of(const struct chip *c, unsigned line)
{
    return (line - c->lowest - 1) & 7;
}

/* The line of the highest rank among `lines`, or NONE. */
static unsigned highest(const struct chip *c, unsigned lines)
{
    for (unsigned rank = 0; rank < 8; rank++) {
        unsigned line = (c->lowest + 1 + rank) & 7;
        if (lines & BIT(line))
            return line;
    }
    return NONE;
}

/* The line the chip would give out now, or NONE.  [8259A "Fully Nested Mode",
 * "Special Mask Mode", "The Special Fully Nested Mode"] */
static unsigned chip_request(const struct chip *c, bool first)
{
    /* lab 7 begin: (void)c, (void)first, (void)rank_of; return highest(c, 0); */
    unsigned line = highest(c, chip_irr(c) & ~(unsigned)c->imr);
    unsigned busy = c->special_mask ? c->isr & ~(unsigned)c->imr : c->isr;
    if (c->wait != WAIT_NOTHING || line == NONE)
        return NONE;
    if (c->icw4 & ICW4_SFNM && first && line == CASCADE)
        busy &= ~(unsigned)BIT(CASCADE);    /* the second chip may interrupt itself */
    unsigned serving = highest(c, busy);
    return serving == NONE || rank_of(c, line) < rank_of(c, serving) ? line : NONE;
    /* lab 7 end */
}

/* Carry the second chip's output to the first, and the first's to the CPU.  Called after every
 * change of either chip.  [8259A "Cascade Mode"] */
static void settle(struct pic *p)
{
    /* lab 7 begin: (void)p, (void)chip_request; */
    struct chip *first = &p->chip[0];
    bool up = chip_request(&p->chip[1], false) != NONE;
    if (up && !(first->pins & BIT(CASCADE))) {
        first->pins |= BIT(CASCADE);
        first->edge |= BIT(CASCADE);
    } else if (!up) {
        first->pins &= (uint8_t)~BIT(CASCADE);
        first->edge &= (uint8_t)~BIT(CASCADE);
    }
    bool level = chip_request(first, true) != NONE;
    if (level != p->int_level) {
        p->int_level = level;
        irq_set(&p->intr, level);
    }
    /* lab 7 end */
}

/* A rising pin also sets the edge latch, which an acknowledge clears: with the pin still up there
 * is no second interrupt.  A falling pin clears it too, so the request is taken back.
 * [8259A "Edge and Level Triggered Modes"] */
static void pic_set_line(void *pic, unsigned n, bool level)
{
    /* lab 7 begin: (void)pic, (void)n, (void)level; */
    struct pic *p = pic;
    bug_if(n > 15 || n == CASCADE, "the PC has no interrupt line %u", n);
    struct chip *c = &p->chip[n / 8];
    uint8_t bit = (uint8_t)BIT(n % 8);
    if (level == !!(c->pins & bit))
        return;
    if (level) {
        c->pins |= bit;
        c->edge |= bit;
    } else {
        c->pins &= (uint8_t)~bit;
        c->edge &= (uint8_t)~bit;
    }
    settle(p);
    /* lab 7 end */
}

/* The chip's half of an acknowledge: into service, out of the edge latch.  The
 * second chip's INT drops for a moment, so that one more request of its own
 * makes a new edge at the first. */
static void chip_take(struct pic *p, unsigned i, unsigned line)
{
    /* lab 7 begin: (void)p, (void)i, (void)line; */
    struct chip *c = &p->chip[i];
    if (i == 1)
        p->chip[0].pins &= (uint8_t)~BIT(CASCADE);
    c->edge &= (uint8_t)~BIT(line);
    if (!(c->icw4 & ICW4_AEOI))
        c->isr |= (uint8_t)BIT(line);
    else if (c->rotate_aeoi)
        c->lowest = (uint8_t)line;
    /* lab 7 end */
}

bool pic_pending(const struct pic *p)
{
    return p->int_level;
}

/* Try it: would anything get through if all lines of both chips asked at once? */
bool pic_is_deaf(const struct pic *p)
{
    struct chip first = p->chip[0], second = p->chip[1];
    first.pins = first.edge = second.pins = second.edge = 0xff;     /* if all asked */
    if (chip_request(&second, false) == NONE)
        first.imr |= BIT(CASCADE);
    return chip_request(&first, true) == NONE;
}

/* The request was gone before the INTA came: line 7 of the chip stands in for it, and is not in
 * service.  [8259A "Interrupt Sequence"] */
static struct irq_ack spurious(struct pic *p, unsigned i)
{
    uint8_t vector = p->chip[i].icw2 | SPURIOUS;
    oddity(&p->odd, ODDITY_PIC_SPURIOUS, vector, 0);
    return (struct irq_ack){ vector, (uint8_t)(8 * i + SPURIOUS), true };
}

/* Of a request on line 2 the first chip does not know who it was: the second one answers in its
 * place, with its own vector.  Both are in service then, so the guest owes two EOIs.
 * [8259A "Interrupt Sequence"] */
struct irq_ack pic_ack(struct pic *p)
{
    /* lab 7 begin: (void)chip_take; return spurious(p, 0); */
    unsigned i = 0, line = chip_request(&p->chip[0], true);
    if (line == NONE)
        return spurious(p, 0);
    chip_take(p, 0, line);
    if (line == CASCADE) {
        i = 1;
        line = chip_request(&p->chip[1], false);
        if (line == NONE) {
            settle(p);
            return spurious(p, 1);
        }
        chip_take(p, 1, line);
    }
    settle(p);
    return (struct irq_ack){ (uint8_t)(p->chip[i].icw2 | line), (uint8_t)(8 * i + line), false };
    /* lab 7 end */
}

/* ICW1 starts the sequence and clears what the data sheet lists. */
static void write_icw1(struct chip *c, uint8_t value)
{
    uint8_t pins = c->pins, elcr = c->elcr, icw2 = c->icw2, icw3 = c->icw3;
    *c = chip_at_icw1;
    c->pins = pins;
    c->elcr = elcr;
    c->icw1 = value;
    c->icw2 = icw2;
    c->icw3 = icw3;
    c->wait = WAIT_ICW2;
}

/* The guest is done with a line: lines of the same and lower priority may interrupt again. */
static void end_of_interrupt(struct pic *p, unsigned i, unsigned line, uint8_t ocw2)
{
    struct chip *c = &p->chip[i];
    if (line == NONE || !(c->isr & BIT(line))) {
        oddity(&p->odd, ODDITY_PIC_BAD_EOI, i, ocw2);
        return;
    }
    c->isr &= (uint8_t)~BIT(line);
    trace_emit(p->trace, TRACE_IRQ_EOI, 8 * i + line, 0, 0);
}

/* [8259A "Operation Command Words (OCWs)", OCW2] */
static void write_ocw2(struct pic *p, unsigned i, uint8_t value)
{
    /* lab 7 begin: (void)end_of_interrupt, (void)p, (void)i, (void)value; */
    enum { SET_RAEOI_OFF, EOI, NOP, EOI_LINE, SET_RAEOI, ROTATE_EOI, SET_LOWEST, ROTATE_EOI_LINE };
    struct chip *c = &p->chip[i];
    unsigned named = value & OCW2_LINE;
    unsigned serving = highest(c, c->special_mask ? c->isr & ~(unsigned)c->imr : c->isr);
    switch (value >> 5) {
    case SET_RAEOI_OFF:
    case SET_RAEOI:
        c->rotate_aeoi = value >> 5 == SET_RAEOI;
        break;
    case EOI:
        end_of_interrupt(p, i, serving, value);
        break;
    case ROTATE_EOI:
        end_of_interrupt(p, i, serving, value);
        if (serving != NONE)
            c->lowest = (uint8_t)serving;
        break;
    case EOI_LINE:
        end_of_interrupt(p, i, named, value);
        break;
    case ROTATE_EOI_LINE:
        end_of_interrupt(p, i, named, value);
        c->lowest = (uint8_t)named;
        break;
    case SET_LOWEST:
        c->lowest = (uint8_t)named;
        break;
    case NOP:
        break;
    }
    /* lab 7 end */
}

/* Which register the next reads show, the poll command, and the special mask mode. */
static void write_ocw3(struct chip *c, uint8_t value)
{
    if (value & OCW3_ESMM)
        c->special_mask = !!(value & OCW3_SMM);
    if (value & OCW3_POLL)
        c->poll = 1;
    else if (value & OCW3_RR)
        c->read_isr = !!(value & OCW3_RIS);
}

/* Port 20h or A0h: bit 4 tells an ICW1, bit 3 an OCW3, neither an OCW2. */
static void write_even(struct pic *p, unsigned i, uint8_t value)
{
    struct chip *c = &p->chip[i];
    if (value & ICW1) {
        write_icw1(c, value);
        return;
    }
    if (c->wait != WAIT_NOTHING)
        oddity(&p->odd, ODDITY_PIC_NOT_READY, i, value);
    if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(p, i, value);
}

/* Port 21h or A1h: the rest of the initialization, one ICW after the other, and from then on the
 * mask.  [8259A "Initialization Sequence"] */
static void write_odd(struct pic *p, unsigned i, uint8_t value)
{
    struct chip *c = &p->chip[i];
    switch (c->wait) {
    case WAIT_ICW2:
        c->icw2 = value & 0xf8;
        c->wait = !(c->icw1 & ICW1_SINGLE) ? WAIT_ICW3
                  : c->icw1 & ICW1_ICW4    ? WAIT_ICW4
                                           : WAIT_NOTHING;
        break;
    case WAIT_ICW3:
        c->icw3 = value;
        c->wait = c->icw1 & ICW1_ICW4 ? WAIT_ICW4 : WAIT_NOTHING;
        break;
    case WAIT_ICW4:
        c->icw4 = value;
        c->wait = WAIT_NOTHING;
        if (!(value & ICW4_8086))
            oddity(&p->odd, ODDITY_PIC_8080_MODE, i, value);
        break;
    default:
        c->imr = value;     /* OCW1 */
        break;
    }
}

static void pic_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pic *p = dev;
    unsigned i = a.off / 2;
    if (a.off == 4)
        p->chip[0].elcr = (uint8_t)value & (uint8_t)~ELCR_FIXED_0;
    else if (a.off == 5)
        p->chip[1].elcr = (uint8_t)value & (uint8_t)~ELCR_FIXED_1;
    else if (a.off & 1)
        write_odd(p, i & 1, (uint8_t)value);
    else
        write_even(p, i & 1, (uint8_t)value);
    settle(p);
}

/* In poll mode a read of either port is an INTA that tells the line.
 * [8259A "Poll Command"] */
static uint8_t poll_byte(const struct pic *p, unsigned i)
{
    unsigned line = chip_request(&p->chip[i], i == 0);
    return line == NONE ? 0 : (uint8_t)(0x80 | line);
}

static uint64_t pic_peek(const void *dev, struct bus_access a)
{
    const struct pic *p = dev;
    const struct chip *c = &p->chip[a.off / 2 & 1];
    if (a.off >= 4)
        return p->chip[a.off & 1].elcr;
    if (c->poll)
        return poll_byte(p, a.off / 2);
    if (a.off & 1)
        return c->imr;
    return c->read_isr ? c->isr : chip_irr(c);
}

static uint64_t pic_read(void *dev, struct bus_access a)
{
    struct pic *p = dev;
    uint64_t value = pic_peek(dev, a);
    struct chip *c = &p->chip[a.off / 2 & 1];
    if (a.off < 4 && c->poll) {
        c->poll = 0;
        if (value & 0x80)
            chip_take(p, a.off / 2, value & 7);
        settle(p);
    }
    return value;
}

/* An 8259A has no reset pin: a BIOS initializes it anew, before it starts anybody.  Vectors 08 and
 * 70, and open are the timer, the keyboard, the cascade and the diskette; the clock, the mouse, the
 * coprocessor and the disk.  Kernels that save the masks and put them back rely on these. */
static const struct chip chip_after_bios[2] = {
    { .icw1 = 0x11, .icw2 = 0x08, .icw3 = 0x04, .icw4 = 0x01, .imr = 0xb8, .lowest = 7 },
    { .icw1 = 0x11, .icw2 = 0x70, .icw3 = 0x02, .icw4 = 0x01, .imr = 0x8e, .lowest = 7 },
};

static void pic_reset(void *dev)
{
    struct pic *p = dev;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t pins = p->chip[i].pins;     /* the devices still drive theirs */
        p->chip[i] = chip_after_bios[i];
        p->chip[i].pins = pins;
    }
    settle(p);
}

static void *pic_create(const struct slot *s)
{
    struct pic *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->trace = s->trace;
    p->odd = slot_oddities(s);
    p->intr = s->pin[0];
    if (s->nets)
        irq_nets_listen(s->nets, pic_set_line, p);
    pic_reset(p);
    return p;
}

static void pic_after_load(void *dev)
{
    struct pic *p = dev;
    for (unsigned i = 0; i < 2; i++) {
        p->chip[i].lowest &= 7;
        p->chip[i].icw2 &= 0xf8;
    }
    irq_set(&p->intr, p->int_level);
    settle(p);
}

const struct device_ops pic_ops = {
    .name = "i8259a",
    .about = "two interrupt controllers, cascaded [Intel 8259A]",
    .fields = pic_fields,
    .n_fields = NELEM(pic_fields),
    .state_bytes = sizeof(struct pic),
    .width = 1,
    .create = pic_create,
    .reset = pic_reset,
    .read = pic_read,
    .write = pic_write,
    .peek = pic_peek,
    .after_load = pic_after_load,
    .free = free,
};
