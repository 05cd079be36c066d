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
 *
 * The contract, whole [8259A "Functional Description", "Operation Command Words"]:
 *
 *   asking     A line asks while its input is high and either its edge latch is set (a rise sets
 *              it, a fall or an acknowledge clears it) or the line is level-triggered (ELCR, or
 *              ICW1 bit 3 for all).  The second chip's INT is the first chip's line 2.
 *   being      Of the lines that ask and are not masked the one of highest priority is given,
 *   heard      if it outranks everything in service.  Not before the last ICW.  Equal rank does
 *              not interrupt itself.  Special fully nested mode: on the first chip, line 2 does.
 *              Special mask mode: what is masked no longer holds others back.
 *   INT        is up exactly while some line would be given.  After each call that changes
 *              something it has its right level, and irq_set() has been told of each change.
 *   INTA       pic_ack(): vector = ICW2 | line; the line goes into service (in automatic-EOI mode
 *              it does not, and rotates if so set), and its edge latch is cleared.  For line 2
 *              the second chip answers with its own line, and both are in service.  If nothing
 *              asks any more, line 7 stands in (of the second chip: 15) and is not in service
 *              there, and it is an ODDITY.
 *   EOI        non-specific: the highest in service (in special mask mode: that is not masked);
 *              specific: the one named.  With rotation the ended line becomes the lowest.
 *              An EOI of a line that is not in service changes nothing, and is an ODDITY.
 *   priority   a ring that begins behind the lowest line; ICW1 makes line 7 the lowest.
 *   poll       the next read of either port acknowledges without INTA: bit 7 and the line, or 0.
 *
 * Where implementations may differ: when INT's level is computed (at each change or when asked
 * for, as long as irq_set() hears of it in time), how the state is kept, and whether a rotating EOI
 * that names a line which is not in service still makes that line the lowest (it does here).
 */
#ifndef IO_PIC_H
#define IO_PIC_H

#include "io/device.h"
#include "io/irq.h"

struct pic;

/* The first chip's line with the second behind it. */
#define PIC_CASCADE 2

/* Its slot's first pin is INT, the output to the CPU.  Reset is what a BIOS leaves: vectors 08 and
 * 70, masks b8 and 8e. */
extern const struct device_ops pic_ops;

/* Is INT up?  Then the CPU should acknowledge, once it takes interrupts. */
bool pic_pending(const struct pic *p);

/* No line whatsoever would get through: masked, not set up, or an interrupt of
 * higher priority that never got its EOI. */
bool pic_is_deaf(const struct pic *p);

/* INTA: which interrupt the CPU is to take.  The request goes into service. */
struct irq_ack pic_ack(struct pic *p);

#endif
