/*
 * lab/common/ask.c -- asking the student's process.
 */
#include "../lab/common/ask.h"

#include <errno.h>
#include <stdlib.h>

#include "base/host.h"

void asker_init(struct asker *a, struct port_hook end, bool (*hear)(void *arg,
                struct lab_message *m), void *arg)
{
    const char *fd = getenv(LAB_WIRE_ENV);
    *a = (struct asker){ .wire = { fd ? atoi(fd) : -1, hear, arg }, .end = end };
}

static const char *why_lost(int fd, int err)
{
    if (fd < 0)
        return "a part of this machine is yours to write: `vitrine lab check` runs guests with your "
               "part; right runs are kept below build/lab";
    return err == -EPROTO ? "the submission has sent a message that makes no sense"
                          : "the submission has ended";
}

void ask(struct asker *a, struct lab_message *m)
{
    int err = a->lost ? 0 : lab_call(&a->wire, m);
    if (err) {
        a->lost = true;
        host_say("%s", why_lost(a->wire.fd, err));
        port_call(&a->end, LAB_STATUS_LOST);
    }
    if (a->lost)
        *m = (struct lab_message){ 0 };
}
