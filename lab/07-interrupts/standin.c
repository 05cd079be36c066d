/*
 * lab/07-interrupts/standin.c -- in the place of io/pic.c: asks the student's process.
 *
 * It is linked into the trusted monitor of lab 7 and nowhere else.  It believes nothing but
 * numbers, and bounds those: a line above 15 would be none of the PC's.  If the other process
 * ends or sends nonsense, the machine is told to end; the grader sees why from the process.
 */
#include "io/pic.h"

#include <stdlib.h>

#include "../lab/07-interrupts/calls.h"
#include "../lab/common/ask.h"
#include "io/irq_net.h"
#include "io/slot.h"

struct pic {
    struct asker    asker;
    struct irq_line intr;
    bool            int_level;
};

static bool hear(void *arg, struct lab_message *m)
{
    struct pic *p = arg;
    if (m->kind != LAB_TELL || m->what != LAB7_INT)
        return false;
    p->int_level = m->arg[0] & 1;
    irq_set(&p->intr, p->int_level);
    return true;
}

/* The asker changes, the chip does not: so this takes a const chip. */
static struct lab_message ask_chip(const struct pic *asker, enum lab7_call what, uint64_t a,
                                   uint64_t b)
{
    struct lab_message m = { .what = (uint16_t)what, .arg = { a, b } };
    ask(&((struct pic *)(uintptr_t)asker)->asker, &m);
    return m;
}

bool pic_pending(const struct pic *p)
{
    return p->int_level && !p->asker.lost;
}

bool pic_is_deaf(const struct pic *p)
{
    return ask_chip(p, LAB7_DEAF, 0, 0).arg[0] & 1;
}

struct irq_ack pic_ack(struct pic *p)
{
    struct lab_message m = ask_chip(p, LAB7_ACK, 0, 0);
    return (struct irq_ack){ (uint8_t)m.arg[0], m.arg[1] & 15, m.arg[2] & 1 };
}

static void set_line(void *pic, unsigned n, bool level)
{
    ask_chip(pic, LAB7_LINE, n, level);
}

/* OCW2 for no operation.  No driver writes it, so the lab takes it for a sign: the CPU makes an
 * INTA, though INT is low.  In this machine no guest brings that about, as INT falls together with
 * what has raised it.  Whether line 7 has got into service the guest then looks up itself. */
#define OCW2_NOP 0x40

static void standin_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pic *p = dev;
    ask_chip(p, LAB7_WRITE, a.off, value);
    if (a.off == 0 && value == OCW2_NOP && !p->int_level)
        pic_ack(p);
}

static uint64_t standin_read(void *dev, struct bus_access a)
{
    return ask_chip(dev, LAB7_READ, a.off, 0).arg[0] & 0xff;
}

static uint64_t standin_peek(const void *dev, struct bus_access a)
{
    return ask_chip(dev, LAB7_PEEK, a.off, 0).arg[0] & 0xff;
}

static void standin_reset(void *dev)
{
    ask_chip(dev, LAB7_RESET, 0, 0);
}

static void *standin_create(const struct slot *s)
{
    struct pic *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    asker_init(&p->asker, s->ask.exit, hear, p);
    p->intr = s->pin[0];
    irq_nets_listen(s->nets, set_line, p);
    return p;
}

static const struct field no_fields[] = {
    DEV_FIELD(struct pic, int_level, "INT", FIELD_RO, "the output to the CPU"),
};

const struct device_ops pic_ops = {
    .name = "i8259a",
    .about = "a student's interrupt controllers, in a process of their own",
    .fields = no_fields,
    .n_fields = NELEM(no_fields),
    .state_bytes = sizeof(struct pic),
    .width = 1,
    .create = standin_create,
    .reset = standin_reset,
    .read = standin_read,
    .write = standin_write,
    .peek = standin_peek,
    .free = free,
};
