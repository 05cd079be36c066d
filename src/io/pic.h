/*
 * io/pic.h -- the two 8259A interrupt controllers of a PC, cascaded.
 *   [Intel 8259A data sheet; 82371AB (PIIX4) "ELCR"]
 *
 * One device: offsets 0-1 are the first chip (ports 20h, 21h), 2-3 the second
 * (A0h, A1h), 4-5 the edge/level registers (4D0h, 4D1h).
 *
 * Devices drive nets (io/irq_net.h), and those lead here;
 * the run loop asks pic_pending() and, when the CPU takes interrupts, has the
 * machine acknowledge one with pic_ack().  Neither is logged here: the wire
 * in front of the chip does that.
 */
#ifndef IO_PIC_H
#define IO_PIC_H

#include "io/device.h"
#include "io/irq.h"

struct pic;

/* Its slot's first pin is INT, the output to the CPU. */
extern const struct device_ops pic_ops;

/* Is INT up?  Then the CPU should acknowledge, once it takes interrupts. */
bool pic_pending(const struct pic *p);

/* No line whatsoever would get through: masked, not set up, or an interrupt of
 * higher priority that never got its EOI. */
bool pic_is_deaf(const struct pic *p);

/* INTA: which interrupt the CPU is to take.  The request goes into service. */
struct irq_ack pic_ack(struct pic *p);

#endif
