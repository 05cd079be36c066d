/*
 * io/i8042.h -- the keyboard controller of the AT, with a keyboard on it.
 *   [IBM PC/AT Technical Reference "Keyboard Controller (8042)"]
 *
 * Offset 0 is the data port (60h), 4 command and status (64h).  There is no
 * mouse; commands for one are answered as a controller with an empty socket
 * would.
 */
#ifndef IO_I8042_H
#define IO_I8042_H

#include "base/vclock.h"
#include "io/device.h"

struct trace;
struct i8042;

extern const struct device_ops i8042_ops;

/* a20: bit 1 of the output port.  reset: the guest pulsed the CPU's reset pin. */
struct i8042 *i8042_new(struct vclock *c, struct trace *t, struct irq_line irq1,
                        struct irq_line irq12, struct irq_line a20, struct port_hook reset);

/* Press and release what types this character on a US keyboard: 0, -EAGAIN if
 * the keyboard's buffer has no room for it (nothing was queued), -EINVAL if no
 * key does. */
int keyboard_type(struct i8042 *k, char ascii);

/* One key by its set-1 make code (0xe0xx for the extended ones). */
int i8042_key(struct i8042 *k, uint16_t set1_code, bool down);

#endif
