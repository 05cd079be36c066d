/*
 * lab/wire.c -- messages between the monitor and a student's process.
 *
 * Linked into both, so it may use nothing of the monitor: read(), write() and memory.
 */
#include "lab/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HEAD (offsetof(struct lab_message, data))

static int send_message(const struct lab_wire *w, const struct lab_message *m)
{
    size_t n = HEAD + m->bytes;
    ssize_t sent;
    if (m->bytes > LAB_WIRE_DATA)
        return -EMSGSIZE;
    do
        sent = write(w->fd, m, n);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    return (size_t)sent == n ? 0 : -EIO;
}

/* One whole message, or -errno.  The kernel keeps messages apart, so a short one was sent short. */
static int receive_message(const struct lab_wire *w, struct lab_message *m)
{
    ssize_t got;
    do
        got = read(w->fd, m, sizeof *m);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (got == 0)
        return -EPIPE;
    if ((size_t)got < HEAD || m->bytes > LAB_WIRE_DATA || (size_t)got != HEAD + m->bytes)
        return -EPROTO;
    return 0;
}

/* A CALL is answered, a TELL is taken. */
static int serve_one(struct lab_wire *w, struct lab_message *m)
{
    bool wants_reply = m->kind == LAB_CALL;
    if (!wants_reply && m->kind != LAB_TELL)
        return -EPROTO;
    if (!w->serve || !w->serve(w->arg, m))
        return -EPROTO;
    if (!wants_reply)
        return 0;
    m->kind = LAB_REPLY;
    return send_message(w, m);
}

int lab_call(struct lab_wire *w, struct lab_message *m)
{
    uint16_t what = m->what;
    m->kind = LAB_CALL;
    int err = send_message(w, m);
    while (!err) {
        err = receive_message(w, m);
        if (!err && m->kind == LAB_REPLY)
            return m->what == what ? 0 : -EPROTO;
        if (!err)
            err = serve_one(w, m);
    }
    return err;
}

int lab_tell(struct lab_wire *w, struct lab_message *m)
{
    m->kind = LAB_TELL;
    return send_message(w, m);
}

int lab_serve(struct lab_wire *w)
{
    struct lab_message m;
    for (;;) {
        int err = receive_message(w, &m);
        if (!err)
            err = serve_one(w, &m);
        if (err)
            return err == -EPIPE ? 0 : err;
    }
}
