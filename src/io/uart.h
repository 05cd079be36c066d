/*
 * io/uart.h -- a 16550A serial port.  [National PC16550D data sheet]
 *
 * Offsets 0-7.  Bytes leave and come at the pace of the divisor in virtual
 * time.  They come in through uart_receive(), which refuses when there is no
 * room or the last one is still on the wire, so that nothing a user types or
 * pipes in is ever lost; `room` says when to try again.
 */
#ifndef IO_UART_H
#define IO_UART_H

#include "base/vclock.h"
#include "io/device.h"

struct uart;

/* From its slot: a pin for the interrupt, and serial, where transmitted bytes go. */
extern const struct device_ops uart_ops;

/* A byte from the line: 0, or -EAGAIN if the receiver is full (back-pressure). */
int uart_receive(struct uart *u, uint8_t byte);

/* A byte the sender could not hold back: if there is no room it is lost with
 * an overrun error, as on a wire without handshake. */
void uart_receive_forced(struct uart *u, uint8_t byte);

/* Hold the line low for longer than a character. */
void uart_receive_break(struct uart *u);

/* Called when uart_receive() would succeed again: from within the guest's read that made room, or
 * its write that emptied the receiver or ended loopback, or when the last byte's time on the wire
 * is over.  Whoever makes room says so by uart_tell_room() (io/uart_state.h). */
void uart_on_room(struct uart *u, void (*room)(void *arg), void *arg);

/* Send at once what is still under way: the machine is about to stop. */
void uart_flush(struct uart *u);

/* A character takes this long whatever the divisor says; 0: as the divisor says.
 * A few nanoseconds mean "at
 * once", and still an interrupt after each; a byte that finds THR full then pushes out the
 * one before, so that a guest which never waits loses nothing. */
void uart_set_char_ns(struct uart *u, uint64_t char_ns);

#endif
