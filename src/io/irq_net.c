/*
 * io/irq_net.c -- interrupt nets: many sources, one level, every change logged.
 *
 * A net's sources are the bits of one 64-bit word: bit k is the k-th pin that
 * was joined.  The level is "is the word not zero", so the or of the sources
 * costs nothing and no source can be forgotten or counted twice.
 *
 * The words are the state.  They are saved although the devices know the
 * levels as well and drive them again after loading: with the words in place
 * first, that changes nothing and so has no consequences for a controller.
 */
#include "io/irq_net.h"

#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "io/oddity.h"

#define MAX_LISTENERS 4

struct irq_nets {
    struct trace   *trace;
    struct oddity_log odd;
    struct irq_line listener[MAX_LISTENERS];    /* its n is not used: the net's number is passed */
    unsigned        n_listeners;
    irq_message_fn *take_message;
    void           *take_arg;
    uint8_t         n_sources[IRQ_NETS];

    uint64_t        driven[IRQ_NETS];           /* bit k: source k drives the net high  */
    uint64_t        raised_by[IRQ_NETS];        /* trace event of the net's last rise   */
};

static const struct field irq_nets_fields[] = {
    DEV_ARRAY(struct irq_nets, driven, "DRIVEN", FIELD_RO,
              "of each line, a bit for each source that drives it"),
    DEV_ARRAY(struct irq_nets, raised_by, "RAISED_BY", FIELD_HIDDEN | FIELD_TRACE,
              "trace events of the lines"),
};

struct irq_nets *irq_nets_new(struct trace *t, uint64_t *n_oddities)
{
    struct irq_nets *w = calloc(1, sizeof *w);
    if (w) {
        w->trace = t;
        w->odd = (struct oddity_log){ t, n_oddities };
    }
    return w;
}

/* Of struct irq_line: a pin of some net is driven. */
static void drive_source(void *arg, unsigned source, bool level)
{
    struct irq_nets *w = arg;
    unsigned net = source / IRQ_SOURCES;
    uint64_t before = w->driven[net], bit = BIT(source % IRQ_SOURCES);
    uint64_t after = level ? before | bit : before & ~bit;
    w->driven[net] = after;
    if (!before == !after)
        return;                         /* another source holds the net where it is */
    uint64_t seq = trace_emit(w->trace, TRACE_IRQ_LINE, net, after != 0, 0);
    uint64_t old = trace_enter(w->trace, seq);
    if (after)
        w->raised_by[net] = seq;
    for (unsigned i = 0; i < w->n_listeners; i++)
        w->listener[i].set(w->listener[i].arg, net, after != 0);
    trace_leave(w->trace, old);
}

struct irq_line irq_nets_join(struct irq_nets *w, unsigned net)
{
    bug_if(net >= IRQ_NETS, "there is no interrupt line %u", net);
    uint8_t *n = w->n_sources + net;
    bug_if(*n == IRQ_SOURCES, "more than %u sources on interrupt line %u", IRQ_SOURCES, net);
    return (struct irq_line){ drive_source, w, net * IRQ_SOURCES + (*n)++ };
}

void irq_nets_listen(struct irq_nets *w, void (*set)(void *arg, unsigned net, bool level),
                     void *arg)
{
    bug_if(w->n_listeners == MAX_LISTENERS, "more than %d interrupt controllers", MAX_LISTENERS);
    w->listener[w->n_listeners++] = (struct irq_line){ set, arg, 0 };
}

bool irq_nets_level(const struct irq_nets *w, unsigned net)
{
    return net < IRQ_NETS && w->driven[net];
}

uint64_t irq_nets_log_ack(struct irq_nets *w, const struct irq_ack *ack)
{
    uint64_t cause = ack->spurious ? 0 : w->raised_by[ack->line % IRQ_NETS];
    uint64_t old = trace_enter(w->trace, cause);
    trace_emit(w->trace, TRACE_IRQ_ACK, ack->vector, ack->line, 0);
    trace_leave(w->trace, old);
    return cause;
}

/* ---- messages ---- */

void irq_nets_take_messages(struct irq_nets *w, irq_message_fn *take, void *arg)
{
    w->take_message = take;
    w->take_arg = arg;
}

static void send_message(void *arg, uint64_t address, uint32_t data)
{
    struct irq_nets *w = arg;
    if (!w->take_message || !w->take_message(w->take_arg, address, data))
        oddity(&w->odd, ODDITY_IRQ_MESSAGE_LOST, address, data);
}

struct irq_message irq_nets_messages(struct irq_nets *w)
{
    return (struct irq_message){ send_message, w };
}

/* ---- as a device, for those who save and show ---- */

/* A reset of the machine pulls at no wire: each device lets go of its own pins. */
static void irq_nets_reset(void *dev)
{
    (void)dev;
}

/* No file may drive a source that was never joined. */
static void irq_nets_after_load(void *dev)
{
    struct irq_nets *w = dev;
    for (unsigned i = 0; i < IRQ_NETS; i++)
        if (w->n_sources[i] < IRQ_SOURCES)
            w->driven[i] &= BIT(w->n_sources[i]) - 1;
}

const struct device_ops irq_nets_ops = {
    .name = "irq_nets",
    .about = "the wires from the devices' interrupt pins to the controllers",
    .fields = irq_nets_fields,
    .n_fields = NELEM(irq_nets_fields),
    .state_bytes = sizeof(struct irq_nets),
    .reset = irq_nets_reset,
    .after_load = irq_nets_after_load,
    .free = free,
};
