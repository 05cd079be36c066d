/*
 * io/irq.h -- how a device asks for attention: by a line or by a message.
 *
 * A line is a pin with a level.  Who hears it is not the device's affair: the
 * pin is joined to a net (io/irq_net.h), the net leads to a controller.
 *
 * A message is a write of a number to an address that belongs to an interrupt
 * controller: address and data say which CPU gets which vector.  It has no
 * level, nobody can share it, and nothing has to be taken back.
 * [PCI Local Bus Specification "Message Signaled Interrupts"]
 */
#ifndef IO_IRQ_H
#define IO_IRQ_H

#include "base/types.h"

/* An output pin.  All zero: connected to nothing. */
struct irq_line {
    void   (*set)(void *arg, unsigned n, bool level);
    void    *arg;
    unsigned n;             /* handed to set(): which pin or line of arg it is */
};

/* Drive the pin.  Saying the same level again is harmless. */
static inline void irq_set(const struct irq_line *l, bool level)
{
    if (l->set)
        l->set(l->arg, l->n, level);
}

/* The way out for messages.  All zero: they are lost. */
struct irq_message {
    void (*send)(void *arg, uint64_t address, uint32_t data);
    void  *arg;
};

/* Send one message.  The guest chose address and data by writing them into the device's MSI
 * capability; if nobody is at that address the log has an ODDITY. */
static inline void irq_send(const struct irq_message *m, uint64_t address, uint32_t data)
{
    if (m->send)
        m->send(m->arg, address, data);
}

/* What an interrupt controller answers when the CPU acknowledges an interrupt (the INTA
 * cycle). */
struct irq_ack {
    uint8_t vector;
    uint8_t line;           /* the net it stands for: 0-15 on an ISA PC                      */
    bool    spurious;       /* the request was gone by then; `line` is the one that stands in */
};

#endif
