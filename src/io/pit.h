/*
 * io/pit.h -- the 8254 interval timer, and port 61h, its switchboard.
 *   [Intel 8254 data sheet; IBM PC/AT Technical Reference "System Timers"]
 *
 * Offsets 0-3 are ports 40h-43h, 4 is port 61h.  OUT of channel 0 is IRQ 0;
 * channel 1 has nothing to refresh any more; channel 2 beeps.
 */
#ifndef IO_PIT_H
#define IO_PIT_H

#include "base/vclock.h"
#include "io/device.h"

struct pit;

#define PIT_HZ 1193182      /* 14.31818 MHz / 12 */

/* From its slot: a pin for IRQ 0, the output of channel 0. */
extern const struct device_ops pit_ops;

/* For somebody with a loudspeaker: is it on, and at how many Hz (0: no tone)? */
bool pit_speaker(const struct pit *p, unsigned *hz);

#endif
