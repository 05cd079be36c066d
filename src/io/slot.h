/*
 * io/slot.h -- all that a machine offers to a device that is plugged into it.
 *
 * A device's create() is given a slot and copies out of it what it needs.
 * What is not in here a device cannot reach: no CPU, no host clock, no file.
 * Anything may be left zero, and is then connected to nothing; so a test can
 * plug a device into a slot that has only a clock.
 */
#ifndef IO_SLOT_H
#define IO_SLOT_H

#include "io/device.h"
#include "io/dma.h"
#include "io/irq.h"
#include "io/oddity.h"

struct bus;
struct disk;
struct irq_nets;
struct trace;
struct vclock;

#define SLOT_PINS 2
#define SLOT_DISKS 2

struct slot {
    struct vclock *clock;
    struct trace  *trace;
    uint64_t      *n_oddities;          /* N_ODDITIES counters; NULL: nobody counts */

    /* interrupts: pins in the order of the device's row in the machine's table; messages; and
     * for a controller the nets, which it listens to */
    struct irq_line    pin[SLOT_PINS];
    struct irq_message message;
    struct irq_nets   *nets;

    /* for devices that choose their addresses themselves, and that reach for memory */
    struct bus *ports, *mmio;
    struct dma  dma;

    /* the other end of cables: the host's terminal, and the CPU's pin for address line 20 */
    struct char_sink serial, debugcon;
    struct irq_line  a20;

    /* for a disk controller: what its drives are made of; NULL: no such drive */
    struct disk *disk[SLOT_DISKS];

    /* what a device may ask of the machine; see struct port_hook */
    struct {
        struct port_hook reset;         /* an enum reset_source                   */
        struct port_hook exit;          /* the exit status, of which 8 bits count */
        struct port_hook power_off;     /* SLP_TYP                                */
        struct port_hook mark;          /* the phase                              */
        struct port_hook hypercall;     /* EAX                                    */
    } ask;

    int64_t rtc_start_s;                /* seconds since 1970 (UTC) at power-on   */
};

/* Where the device in this slot reports what its guest should not have done. */
static inline struct oddity_log slot_oddities(const struct slot *s)
{
    return (struct oddity_log){ s->trace, s->n_oddities };
}

#endif
