/*
 * lab/90-debug-exit/standin.c -- in the place of io/debug_exit.c: asks the student's process.
 *
 * It believes nothing but a number, and of that eight bits: that is what a status has.
 */
#include "io/debug_exit.h"

#include <stdlib.h>

#include "../lab/90-debug-exit/calls.h"
#include "../lab/common/ask.h"
#include "io/slot.h"

struct debug_exit {
    struct asker     asker;
    struct port_hook exit;
    uint8_t          status;
};

static bool hear(void *arg, struct lab_message *m)
{
    struct debug_exit *d = arg;
    if (m->kind != LAB_TELL || m->what != LAB90_EXIT)
        return false;
    d->status = (uint8_t)m->arg[0];
    port_call(&d->exit, d->status);
    return true;
}

static void *standin_create(const struct slot *s)
{
    struct debug_exit *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->exit = s->ask.exit;
    asker_init(&d->asker, s->ask.exit, hear, d);
    return d;
}

static void standin_reset(void *dev)
{
    struct lab_message m = { .what = LAB90_RESET };
    ask(&((struct debug_exit *)dev)->asker, &m);
}

static void standin_write(void *dev, struct bus_access a, uint64_t value)
{
    struct lab_message m = { .what = LAB90_WRITE, .arg = { a.off, value } };
    ask(&((struct debug_exit *)dev)->asker, &m);
}

static uint64_t standin_peek(const void *dev, struct bus_access a)
{
    (void)dev, (void)a;
    return 0;
}

static uint64_t standin_read(void *dev, struct bus_access a)
{
    return standin_peek(dev, a);
}

static const struct field fields[] = {
    DEV_FIELD(struct debug_exit, status, "STATUS", FIELD_RO, "what was asked for last"),
};

const struct device_ops debug_exit_ops = {
    .name = "debug_exit",
    .about = "a student's debug exit, in a process of its own",
    .fields = fields,
    .n_fields = NELEM(fields),
    .state_bytes = sizeof(struct debug_exit),
    .width = 2,
    .create = standin_create,
    .reset = standin_reset,
    .read = standin_read,
    .write = standin_write,
    .peek = standin_peek,
    .free = free,
};
