/*
 * io/debug_exit.c -- a value in, an exit status out.
 *
 * A process has eight bits for its status, so seven of the value arrive.
 * Reading gives 0, as QEMU's device does.
 */
#include "io/debug_exit.h"

#include <stdlib.h>

#include "io/slot.h"

struct debug_exit {
    struct port_hook exit;
    uint8_t          status;
};

static const struct field debug_exit_fields[] = {
    DEV_FIELD(struct debug_exit, status, "STATUS", FIELD_RO, "what the last write asked for"),
};

static void *debug_exit_create(const struct slot *s)
{
    struct debug_exit *d = calloc(1, sizeof *d);
    if (d)
        d->exit = s->ask.exit;
    return d;
}

static void debug_exit_reset(void *dev)
{
    ((struct debug_exit *)dev)->status = 0;
}

static uint64_t debug_exit_peek(const void *dev, struct bus_access a)
{
    (void)dev, (void)a;
    return 0;
}

static uint64_t debug_exit_read(void *dev, struct bus_access a)
{
    return debug_exit_peek(dev, a);
}

/* At either port: what comes as a word or in two bytes ends with the first of them. */
static void debug_exit_write(void *dev, struct bus_access a, uint64_t value)
{
    struct debug_exit *d = dev;
    unsigned seven = value & 0x7f;
    (void)a;
    port_call(&d->exit, seven + seven + 1);
    d->status = (uint8_t)(2 * seven + 1);
}

const struct device_ops debug_exit_ops = {
    .name = "debug_exit",
    .about = "ends the run with an odd status [as QEMU's isa-debug-exit]",
    .fields = debug_exit_fields,
    .n_fields = NELEM(debug_exit_fields),
    .state_bytes = sizeof(struct debug_exit),
    .width = 2,
    .create = debug_exit_create,
    .reset = debug_exit_reset,
    .read = debug_exit_read,
    .write = debug_exit_write,
    .peek = debug_exit_peek,
    .free = free,
};
