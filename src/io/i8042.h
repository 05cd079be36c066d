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

struct i8042;

/* From its slot: pins for IRQ 1 (keyboard) and IRQ 12 (mouse); a20, bit 1 of the output port;
 * ask.reset, when the guest pulses the CPU's reset pin. */
extern const struct device_ops i8042_ops;

/* Press and release what types this character on a US keyboard, or a special key (enum
 * keyboard_special): 0, -EAGAIN if
 * the keyboard's buffer has no room for it (nothing was queued), -EINVAL if no
 * key does. */
int keyboard_type(struct i8042 *k, char ascii);

/* One key by its set-1 make code (0xe0xx for the extended ones) goes down or up.  0, -EAGAIN or
 * -EINVAL as above. */
int i8042_key(struct i8042 *k, uint16_t set1_code, bool down);

#endif
