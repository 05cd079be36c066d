/*
 * io/irq_net.h -- the wires between the devices' interrupt pins and the controllers.
 *
 * A net is one wire with any number of sources on it, up to IRQ_SOURCES.  It
 * is high while at least one of them drives it ("wired or"), so a net shared
 * by two devices falls only when both have been served.  Whether the rise or
 * the level counts is for the controller to decide; a net has no opinion.
 *
 * The log is written here, on the wire, and not in the controller: IRQ_LINE
 * before the controller hears of a change, IRQ_ACK after it has answered.  So
 * the log is true of whatever controller sits at the end, even a wrong one.
 *
 * What devices hold is in io/irq.h.
 */
#ifndef IO_IRQ_NET_H
#define IO_IRQ_NET_H

#include "io/device.h"
#include "io/irq.h"

struct trace;
struct irq_nets;

#define IRQ_NETS    16      /* the lines of the ISA bus                    */
#define IRQ_SOURCES 64      /* on one net: the bits of the word that keeps them */

/* The state of the nets is described, saved and shown like a device's; they are on no bus. */
extern const struct device_ops irq_nets_ops;

/* IRQ_NETS nets with nothing on them, or NULL: out of memory.  t and n_oddities
 * (N_ODDITIES counters, see io/oddity.h) may be NULL. */
struct irq_nets *irq_nets_new(struct trace *t, uint64_t *n_oddities);

/* One more source for a net, at low level; the pin is for a device to drive.  Pins are joined
 * while the machine is built, in the same order in every machine of the kind.  (A PCI host
 * bridge that can steer its INTA-D to other nets is a device with pins on several.) */
struct irq_line irq_nets_join(struct irq_nets *w, unsigned net);

/* An input that every net leads to: set(arg, net, level) is called for each change of a net.
 * Up to four controllers can listen. */
void irq_nets_listen(struct irq_nets *w, void (*set)(void *arg, unsigned net, bool level),
                     void *arg);

/* Who takes messages: returns false for an address that is not its own. */
typedef bool irq_message_fn(void *arg, uint64_t address, uint32_t data);
void irq_nets_take_messages(struct irq_nets *w, irq_message_fn *take, void *arg);

/* The devices' end of that.  A message that nobody takes is ODDITY_IRQ_MESSAGE_LOST. */
struct irq_message irq_nets_messages(struct irq_nets *w);

/* Is any source of the net driving it? */
bool irq_nets_level(const struct irq_nets *w, unsigned net);

/* The CPU has acknowledged an interrupt and a controller has answered: log it.  Returns the
 * trace event behind it (the net's last rise), which the injection answers; 0 if tracing was
 * off or the interrupt is spurious. */
uint64_t irq_nets_log_ack(struct irq_nets *w, const struct irq_ack *ack);

#endif
