/*
 * lab/02-serial-port/server.c -- the main() of a submission: calls what the student wrote.
 *
 * The wire's side of the UART (io/uart_line.c) and the clock are the project's own; the time is
 * the monitor's.
 */
#include "io/uart.h"

#include "../lab/02-serial-port/calls.h"
#include "../lab/common/part.h"
#include "base/trace.h"
#include "io/slot.h"

static struct uart *uart;
static struct vclock *vclock;

static void set_irq(void *arg, unsigned n, bool level)
{
    static bool was;
    (void)arg, (void)n;
    if (level != was)
        part_tell(LAB2_IRQ, level);
    was = level;
}

static void put(void *arg, uint8_t byte)
{
    (void)arg;
    part_tell(LAB2_SENT, byte);
}

static void room(void *arg)
{
    (void)arg;
    part_tell(LAB2_ROOM, 0);
}

static bool call(struct lab_message *m)
{
    switch (m->what) {
    case LAB2_RESET:   uart_ops.reset(uart); break;
    case LAB2_READ:    m->arg[0] = uart_ops.read(uart, part_access(m->arg[0])); break;
    case LAB2_WRITE:   uart_ops.write(uart, part_access(m->arg[0]), m->arg[1]); break;
    case LAB2_PEEK:    m->arg[0] = uart_ops.peek(uart, part_access(m->arg[0])); break;
    case LAB2_RECEIVE: m->arg[0] = uart_receive(uart, (uint8_t)m->arg[0]) != 0; break;
    case LAB2_FORCED:  uart_receive_forced(uart, (uint8_t)m->arg[0]); break;
    case LAB2_BREAK:   uart_receive_break(uart); break;
    case LAB2_FLUSH:   uart_flush(uart); break;
    case LAB2_CHAR_NS: uart_set_char_ns(uart, m->arg[0]); break;
    case LAB2_TIME:    vclock_run_due(vclock); break;
    default:           return false;
    }
    return true;
}

static bool serve(void *arg, struct lab_message *m)
{
    (void)arg;
    vclock_set_ns(vclock, m->arg[5]);
    bool known = call(m);
    m->arg[5] = vclock_next_ns(vclock);
    return known;
}

int main(void)
{
    static struct trace nowhere;
    vclock = vclock_new(&nowhere);
    struct slot slot = { .trace = &nowhere, .clock = vclock, .pin = { { .set = set_irq } },
                         .serial = { put, NULL } };
    uart = uart_ops.create(&slot);
    if (uart)
        uart_on_room(uart, room, NULL);
    return uart ? part_serve(serve) : 1;
}
