/*
 * io/pit_channel.h -- one counter of the 8254, as a function of time.
 *
 * Nobody counts.  A channel remembers the tick at which its count was loaded;
 * value and output at any later tick are computed from that.  Ticks are those
 * of the chip's input, 1.193182 MHz on a PC.
 *
 * How the guest reads and writes a channel byte by byte, latches included, is
 * io/pit.c's affair; the members for it are kept here because a control word
 * clears them all.
 */
#ifndef IO_PIT_CHANNEL_H
#define IO_PIT_CHANNEL_H

#include "base/types.h"

/* The six modes.  [8254 "Mode Definitions"]
 *   0 TERMINAL     OUT rises when the count is over: an alarm clock
 *   1 ONE_SHOT     the gate starts a pulse as long as the count
 *   2 RATE         one low tick at the end of each count: a rate generator
 *   3 SQUARE       high for half of the count, low for the other half
 *   4 SOFT_STROBE  one low tick when the count is over; writing the count starts it
 *   5 HARD_STROBE  the same; the gate starts it                                        */
enum pit_mode { PIT_TERMINAL, PIT_ONE_SHOT, PIT_RATE, PIT_SQUARE, PIT_SOFT_STROBE,
                PIT_HARD_STROBE };

#define PIT_CONTROL_RW(v)   ((v) >> 4 & 3)      /* which bytes are read and written */
#define PIT_CONTROL_MODE(v) ((v) >> 1 & 7)
#define PIT_CONTROL_BCD     BIT(0)

struct pit_channel {
    int64_t  start;         /* tick at which the count was loaded               */
    int64_t  switch_tick;   /* when a pending count takes over                  */
    int64_t  held;          /* ticks counted when the gate closed               */
    uint32_t n;             /* the count in use, 1-65536                        */
    uint32_t cr;            /* the count last written ("count register")        */
    uint16_t latch;         /* latched count, as it will be read                */
    uint8_t  control;       /* low six bits of the control word                 */
    uint8_t  gate;          /* the input pin: may it count, or (1, 5) its trigger */
    uint8_t  running;       /* loaded, and triggered if the mode wants that     */
    uint8_t  pending;       /* cr waits for the end of the cycle                */
    uint8_t  null_count;    /* cr is not loaded yet: reading now gives old news */
    uint8_t  low_written;   /* both bytes: the low one is here, the high is due */
    uint8_t  low;
    uint8_t  low_read;      /* both bytes: the next read gives the high one     */
    uint8_t  latched;       /* bytes of the latched count still to be read      */
    uint8_t  status_latched;
    uint8_t  status;
};

/* The mode it is in. */
enum pit_mode pit_channel_mode(const struct pit_channel *c);

/* Does it start over by itself (modes 2, 3)? */
bool pit_channel_is_periodic(const struct pit_channel *c);

/* The channel with everything done that was due by `tick`: look at this, not at *c, whose
 * pending count may have taken over meanwhile. */
struct pit_channel pit_channel_at(const struct pit_channel *c, int64_t tick);

/* The level of its output, and what the counting element holds (in binary, whatever the
 * control word says of BCD). */
bool     pit_channel_out(const struct pit_channel *c, int64_t tick);
uint32_t pit_channel_value(const struct pit_channel *c, int64_t tick);

/* The tick after `tick` at which the output changes; -1: it will not by itself. */
int64_t pit_channel_next_change(const struct pit_channel *c, int64_t tick);

/* A whole count (1-65536) was written; the gate input moved. */
void pit_channel_set_count(struct pit_channel *c, uint32_t count, int64_t tick);
void pit_channel_set_gate(struct pit_channel *c, bool gate, int64_t tick);

#endif
