/*
 * lab/02-serial-port/standin.c -- in the place of io/uart.c: asks the student's process.
 *
 * The clock stays here.  The submission is told the time with every call, and says when it wants
 * to be called again; one timer of the true clock does that.
 */
#include "io/uart.h"

#include <errno.h>
#include <stdlib.h>

#include "../lab/02-serial-port/calls.h"
#include "../lab/common/ask.h"
#include "io/slot.h"

struct uart {
    struct asker     asker;
    struct vclock   *clock;
    struct vtimer    timer;
    struct irq_line  irq;
    struct char_sink out;
    void           (*room)(void *arg);
    void            *room_arg;
    uint64_t         next_ns;       /* the field table wants one             */
    bool             has_room;      /* told during a call: said after it     */
};

static bool hear(void *arg, struct lab_message *m)
{
    struct uart *u = arg;
    if (m->kind != LAB_TELL)
        return false;
    switch (m->what) {
    case LAB2_IRQ:  irq_set(&u->irq, m->arg[0] & 1); return true;
    case LAB2_SENT: char_put(&u->out, (uint8_t)m->arg[0]); return true;
    case LAB2_ROOM: u->has_room = true; return true;
    default:        return false;
    }
}

/* A call that may change something: afterwards the timer is set as the UART wants it, never in
 * the past, or the machine's time would stand still. */
static uint64_t ask_uart(struct uart *u, enum lab2_call what, uint64_t a, uint64_t b)
{
    uint64_t now = vclock_now_ns(u->clock);
    struct lab_message m = { .what = (uint16_t)what, .arg = { a, b, 0, 0, 0, now } };
    ask(&u->asker, &m);
    u->next_ns = u->asker.lost ? VCLOCK_NEVER : m.arg[5];
    if (u->next_ns == VCLOCK_NEVER)
        vtimer_cancel(&u->timer);
    else
        vtimer_arm(&u->timer, u->next_ns > now ? u->next_ns : now + 1);
    if (u->has_room && what != LAB2_RECEIVE) {
        u->has_room = false;
        if (u->room)
            u->room(u->room_arg);
    }
    return m.arg[0];
}

static void timer_due(void *uart)
{
    ask_uart(uart, LAB2_TIME, 0, 0);
}

int uart_receive(struct uart *u, uint8_t byte)
{
    return ask_uart(u, LAB2_RECEIVE, byte, 0) || u->asker.lost ? -EAGAIN : 0;
}

void uart_receive_forced(struct uart *u, uint8_t byte)
{
    ask_uart(u, LAB2_FORCED, byte, 0);
}

void uart_receive_break(struct uart *u)
{
    ask_uart(u, LAB2_BREAK, 0, 0);
}

void uart_on_room(struct uart *u, void (*room)(void *arg), void *arg)
{
    u->room = room;
    u->room_arg = arg;
}

void uart_flush(struct uart *u)
{
    ask_uart(u, LAB2_FLUSH, 0, 0);
}

void uart_set_char_ns(struct uart *u, uint64_t char_ns)
{
    ask_uart(u, LAB2_CHAR_NS, char_ns, 0);
}

static void standin_write(void *dev, struct bus_access a, uint64_t value)
{
    ask_uart(dev, LAB2_WRITE, a.off, value);
}

static uint64_t standin_read(void *dev, struct bus_access a)
{
    return ask_uart(dev, LAB2_READ, a.off, 0) & 0xff;
}

static uint64_t standin_peek(const void *dev, struct bus_access a)
{
    struct uart *u = (struct uart *)(uintptr_t)dev;     /* asking changes the asker only */
    struct lab_message m = { .what = LAB2_PEEK, .arg = { a.off } };
    m.arg[5] = vclock_now_ns(u->clock);
    ask(&u->asker, &m);
    return m.arg[0] & 0xff;
}

static void standin_reset(void *dev)
{
    ask_uart(dev, LAB2_RESET, 0, 0);
}

static void *standin_create(const struct slot *s)
{
    struct uart *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    asker_init(&u->asker, s->ask.exit, hear, u);
    u->clock = s->clock;
    u->irq = s->pin[0];
    u->out = s->serial;
    vtimer_init(&u->timer, s->clock, timer_due, u);
    return u;
}

static const struct field standin_fields[] = {
    DEV_FIELD(struct uart, next_ns, "NEXT", FIELD_RO, "when it wants to be called"),
};

const struct device_ops uart_ops = {
    .name = "uart16550a",
    .about = "a student's serial port, in a process of its own",
    .fields = standin_fields,
    .n_fields = NELEM(standin_fields),
    .state_bytes = sizeof(struct uart),
    .width = 1,
    .create = standin_create,
    .reset = standin_reset,
    .read = standin_read,
    .write = standin_write,
    .peek = standin_peek,
    .free = free,
};
