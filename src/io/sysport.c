/*
 * io/sysport.c -- the small ports.
 *
 * Each is a struct of a few bytes and one wire, and made in the same steps:
 * state, the table that names it, create, reset, peek, read, write.  The hooks
 * are requests: the machine notes them and acts when the access is over, so
 * that no device is reset while it is in the middle of a write.
 */
#include "io/sysport.h"

#include <stdlib.h>

#include "io/slot.h"

#include "base/abi.h"
#include "base/trace.h"

/*
 * System Control Port A, 92h
 *   7 6 5 4 3 2 1 0
 *   . . . . . . A R    A: address line 20 passes, R: rising, resets the CPU
 */
#define P92_RESET   BIT(0)
#define P92_A20     BIT(1)

struct port92 {
    struct irq_line  a20;
    struct port_hook reset;
    uint8_t          control;
};

static const struct field port92_fields[] = {
    DEV_FIELD(struct port92, control, "CONTROL", FIELD_RW, "bit 1 A20 gate, bit 0 fast reset"),
};

static void *port92_create(const struct slot *s)
{
    struct port92 *p = calloc(1, sizeof *p);
    if (p)
        *p = (struct port92){ .a20 = s->a20, .reset = s->ask.reset };
    return p;
}

static void port92_reset(void *dev)
{
    struct port92 *p = dev;
    p->control = 0;
    irq_set(&p->a20, false);
}

static uint64_t port92_peek(const void *dev, struct bus_access a)
{
    (void)a;
    return ((const struct port92 *)dev)->control;
}

static uint64_t port92_read(void *dev, struct bus_access a)
{
    return port92_peek(dev, a);
}

/* Only the rising bit resets: a guest may read, change the A20 bit and write back. */
static void port92_write(void *dev, struct bus_access a, uint64_t value)
{
    struct port92 *p = dev;
    bool rising = value & P92_RESET && !(p->control & P92_RESET);
    (void)a;
    p->control = (uint8_t)value;
    irq_set(&p->a20, value & P92_A20);
    if (rising)
        port_call(&p->reset, RESET_PORT92);
}

static void port92_after_load(void *dev)
{
    struct port92 *p = dev;
    irq_set(&p->a20, p->control & P92_A20);
}

const struct device_ops port92_ops = {
    .name = "port92",
    .about = "A20 gate and fast reset [PS/2 System Control Port A]",
    .fields = port92_fields,
    .n_fields = NELEM(port92_fields),
    .state_bytes = sizeof(struct port92),
    .width = 1,
    .create = port92_create,
    .reset = port92_reset,
    .read = port92_read,
    .write = port92_write,
    .peek = port92_peek,
    .after_load = port92_after_load,
    .free = free,
};

/* MARK, E0h-E3h: the number of the phase, in as many bytes as were written. */
struct markport {
    struct trace    *trace;
    struct port_hook mark;
    uint32_t         last;
};

static const struct field markport_fields[] = {
    DEV_FIELD(struct markport, last, "LAST", FIELD_RW, "the phase the run is in"),
};

static void *markport_create(const struct slot *s)
{
    struct markport *p = calloc(1, sizeof *p);
    if (p)
        *p = (struct markport){ .trace = s->trace, .mark = s->ask.mark };
    return p;
}

static void markport_reset(void *dev)
{
    ((struct markport *)dev)->last = 0;
}

static uint64_t markport_peek(const void *dev, struct bus_access a)
{
    const struct markport *p = dev;
    return low_bytes(p->last >> (8 * (a.off & 3)), a.size);
}

static uint64_t markport_read(void *dev, struct bus_access a)
{
    return markport_peek(dev, a);
}

static void markport_write(void *dev, struct bus_access a, uint64_t value)
{
    struct markport *p = dev;
    if (a.off)
        return;     /* the upper bytes of a write that the bus had to split */
    p->last = (uint32_t)value;
    trace_emit(p->trace, TRACE_MARK, p->last, 0, 0);
    port_call(&p->mark, p->last);
}

const struct device_ops markport_ops = {
    .name = "mark",
    .about = "the guest names a phase of its run",
    .fields = markport_fields,
    .n_fields = NELEM(markport_fields),
    .state_bytes = sizeof(struct markport),
    .width = 4,
    .create = markport_create,
    .reset = markport_reset,
    .read = markport_read,
    .write = markport_write,
    .peek = markport_peek,
    .free = free,
};

/* Hypercalls, E4h-E7h: 32 bits at once; what they mean is the machine's affair. */
struct hypercall_port { struct port_hook hook; };

static void *hypercall_create(const struct slot *s)
{
    struct hypercall_port *p = calloc(1, sizeof *p);
    if (p)
        p->hook = s->ask.hypercall;
    return p;
}

static void hypercall_reset(void *dev)
{
    (void)dev;
}

static uint64_t hypercall_peek(const void *dev, struct bus_access a)
{
    (void)dev;
    return low_bytes(~UINT64_C(0), a.size);
}

static uint64_t hypercall_read(void *dev, struct bus_access a)
{
    return hypercall_peek(dev, a);
}

static void hypercall_write(void *dev, struct bus_access a, uint64_t value)
{
    struct hypercall_port *p = dev;
    if (a.off == 0 && a.size == 4)
        port_call(&p->hook, (uint32_t)value);
}

const struct device_ops hypercall_ops = {
    .name = "hypercall",
    .about = "hypercalls by OUT",
    .state_bytes = sizeof(struct hypercall_port),
    .width = 4,
    .create = hypercall_create,
    .reset = hypercall_reset,
    .read = hypercall_read,
    .write = hypercall_write,
    .peek = hypercall_peek,
    .free = free,
};

/* The debug console, E9h: a guest finds out that it is there by reading E9h. */
struct debugcon {
    struct char_sink out;
    uint64_t         count;
};

static const struct field debugcon_fields[] = {
    DEV_FIELD(struct debugcon, count, "COUNT", FIELD_RO, "bytes written so far"),
};

static void *debugcon_create(const struct slot *s)
{
    struct debugcon *p = calloc(1, sizeof *p);
    if (p)
        p->out = s->debugcon;
    return p;
}

static void debugcon_reset(void *dev)
{
    ((struct debugcon *)dev)->count = 0;
}

/* Bochs answers with the port's own number, and guests look for it. */
static uint64_t debugcon_peek(const void *dev, struct bus_access a)
{
    (void)dev, (void)a;
    return PORT_DEBUGCON;
}

static uint64_t debugcon_read(void *dev, struct bus_access a)
{
    return debugcon_peek(dev, a);
}

static void debugcon_write(void *dev, struct bus_access a, uint64_t value)
{
    struct debugcon *p = dev;
    (void)a;
    p->count++;
    char_put(&p->out, (uint8_t)value);
}

const struct device_ops debugcon_ops = {
    .name = "debugcon",
    .about = "a byte out, for people who debug kernels [as in Bochs and QEMU]",
    .fields = debugcon_fields,
    .n_fields = NELEM(debugcon_fields),
    .state_bytes = sizeof(struct debugcon),
    .width = 1,
    .create = debugcon_create,
    .reset = debugcon_reset,
    .read = debugcon_read,
    .write = debugcon_write,
    .peek = debugcon_peek,
    .free = free,
};

/* The exit port, F4h: write only. */
struct exitport {
    struct port_hook exit;
    uint8_t          status;
};

static const struct field exitport_fields[] = {
    DEV_FIELD(struct exitport, status, "STATUS", FIELD_RW, "the last exit status written"),
};

static void *exitport_create(const struct slot *s)
{
    struct exitport *p = calloc(1, sizeof *p);
    if (p)
        p->exit = s->ask.exit;
    return p;
}

static void exitport_reset(void *dev)
{
    ((struct exitport *)dev)->status = 0;
}

/* Write only: reads as an empty bus does. */
static uint64_t exitport_peek(const void *dev, struct bus_access a)
{
    (void)dev, (void)a;
    return 0xff;
}

static uint64_t exitport_read(void *dev, struct bus_access a)
{
    return exitport_peek(dev, a);
}

static void exitport_write(void *dev, struct bus_access a, uint64_t value)
{
    struct exitport *p = dev;
    (void)a;
    p->status = (uint8_t)value;
    port_call(&p->exit, p->status);
}

const struct device_ops exitport_ops = {
    .name = "exit",
    .about = "ends the run with the status written",
    .fields = exitport_fields,
    .n_fields = NELEM(exitport_fields),
    .state_bytes = sizeof(struct exitport),
    .width = 1,
    .create = exitport_create,
    .reset = exitport_reset,
    .read = exitport_read,
    .write = exitport_write,
    .peek = exitport_peek,
    .free = free,
};

/*
 * PM1a control, 604h  [ACPI "PM1 Control Grouping"]
 *   15 14 13 12 11 10 9 ... 1 0
 *    .  .  E  T  T  T .     . S   E: SLP_EN (write only), T: SLP_TYP, S: SCI_EN
 */
#define PM1_SLP_EN   BIT(13)
#define PM1_SLP_TYP  FIELD(12, 10)

struct pm1a {
    struct port_hook power_off;
    uint16_t         control;
};

static const struct field pm1a_fields[] = {
    DEV_FIELD(struct pm1a, control, "PM1a_CNT", FIELD_RW, "bits 12-10 SLP_TYP, bit 0 SCI_EN"),
};

static void *pm1a_create(const struct slot *s)
{
    struct pm1a *p = calloc(1, sizeof *p);
    if (p)
        p->power_off = s->ask.power_off;
    return p;
}

static void pm1a_reset(void *dev)
{
    ((struct pm1a *)dev)->control = 0;
}

static uint64_t pm1a_peek(const void *dev, struct bus_access a)
{
    const struct pm1a *p = dev;
    return low_bytes(p->control >> (8 * (a.off & 1)), a.size);
}

static uint64_t pm1a_read(void *dev, struct bus_access a)
{
    return pm1a_peek(dev, a);
}

/* Written as a word or byte by byte.  SLP_EN is a command and reads as 0; which SLP_TYP means
 * "off" the firmware's tables would say, so any will do. */
static void pm1a_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pm1a *p = dev;
    unsigned shift = 8 * (a.off & 1);
    uint64_t written = low_bytes(value, a.size) << shift;
    uint64_t kept = p->control & ~(low_bytes(~UINT64_C(0), a.size) << shift);
    p->control = (uint16_t)((kept | written) & ~PM1_SLP_EN);
    if (written & PM1_SLP_EN)
        port_call(&p->power_off, (uint32_t)(p->control & PM1_SLP_TYP) >> 10);
}

const struct device_ops pm1a_ops = {
    .name = "pm1a",
    .about = "power off [ACPI \"PM1 Control Grouping\"]",
    .fields = pm1a_fields,
    .n_fields = NELEM(pm1a_fields),
    .state_bytes = sizeof(struct pm1a),
    .width = 2,
    .create = pm1a_create,
    .reset = pm1a_reset,
    .read = pm1a_read,
    .write = pm1a_write,
    .peek = pm1a_peek,
    .free = free,
};
