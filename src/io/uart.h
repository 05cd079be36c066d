/*
 * io/uart.h -- a 16550A serial port.  [National PC16550D data sheet]
 *
 * Offsets 0-7.  Bytes leave at the pace of the divisor in virtual time.  Bytes
 * come in through uart_receive(), which refuses when there is no room, so that
 * nothing a user types or pipes in is ever lost; `room` says when to try again.
 */
#ifndef IO_UART_H
#define IO_UART_H

#include "base/vclock.h"
#include "io/device.h"

struct trace;
struct uart;

extern const struct device_ops uart_ops;

struct uart *uart_new(struct vclock *c, struct trace *t, struct irq_line irq, struct char_sink out);

/* A byte from the line: 0, or -EAGAIN if the receiver is full (back-pressure). */
int uart_receive(struct uart *u, uint8_t byte);

/* A byte the sender could not hold back: if there is no room it is lost with
 * an overrun error, as on a wire without handshake. */
void uart_receive_forced(struct uart *u, uint8_t byte);

/* Hold the line low for longer than a character. */
void uart_receive_break(struct uart *u);

/* Called, from within a guest's access, each time a byte has left the receiver. */
void uart_on_room(struct uart *u, void (*room)(void *arg), void *arg);

#endif
