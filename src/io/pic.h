/*
 * io/pic.h -- the two 8259A interrupt controllers of a PC, cascaded.
 *   [Intel 8259A data sheet; 82371AB (PIIX4) "ELCR"]
 *
 * One device: offsets 0-1 are the first chip (ports 20h, 21h), 2-3 the second
 * (A0h, A1h), 4-5 the edge/level registers (4D0h, 4D1h).
 *
 * Devices pull pic_set_line(); the run loop asks pic_pending() and, when the
 * CPU takes interrupts, pic_ack().
 */
#ifndef IO_PIC_H
#define IO_PIC_H

#include "io/device.h"

struct trace;
struct pic;

extern const struct device_ops pic_ops;

/* `intr` follows the INT output to the CPU; it may be {0}. */
struct pic *pic_new(struct trace *t, struct irq_line intr);

/* For struct irq_line; n is 0-15, without 2: that is where the second chip is. */
void pic_set_line(void *pic, unsigned n, bool level);


bool pic_pending(const struct pic *p);      /* is INT up? */

/* No line whatsoever would get through: masked, not set up, or an interrupt of
 * higher priority that never got its EOI. */
bool pic_is_deaf(const struct pic *p);
int  pic_ack(struct pic *p);                /* INTA: the vector */

/* The trace event (IRQ_LINE going up) behind the last pic_ack(): what the
 * injection answers.  0 if tracing was off or the interrupt spurious. */
uint64_t pic_cause(const struct pic *p);

#endif
