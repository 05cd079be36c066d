/*
 * tests/fuzz/messages.h -- messages of debugger/vmm/wire.h, as an input says that they are.
 *
 * A message begins as one that makes sense (its template), of the length that its type has, and
 * the input changes it in places:
 *
 *     byte 0   type
 *     byte 1   bit 0, 1: the target's own; bit 2: byte 2 is added to the length;
 *              bits 7:3 how many changes follow
 *     change   an offset (two bytes) and the byte to put there; or from STRING on: which text
 *              (the target's own), how many bytes, and the bytes
 */
#ifndef TESTS_FUZZ_MESSAGES_H
#define TESTS_FUZZ_MESSAGES_H

#include "debugger/vmm/wire.h"

#define STRING 0xff00

struct fuzz_input { const uint8_t *at; size_t left; };

static unsigned take(struct fuzz_input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static unsigned take2(struct fuzz_input *in)
{
    unsigned low = take(in);
    return low | take(in) << 8;
}

/* A text of an input: where it is; *n is how long. */
static const uint8_t *take_string(struct fuzz_input *in, size_t *n)
{
    const uint8_t *at = in->at;
    *n = take(in);
    at = in->at;
    *n = *n < in->left ? *n : in->left;
    in->at += *n;
    in->left -= *n;
    return at;
}

struct fuzz_message {
    struct wire_head head;
    union {
        uint8_t byte[WIRE_MAX + 256];
        struct wire_run run; struct wire_state state; struct wire_peek peek;
        struct wire_bytes bytes; struct wire_values values; struct link_break brk;
        struct link_second second; struct link_stop stop; struct wire_ready ready;
    };
};

/* In which member of a message a text goes; NULL: nowhere. */
typedef uint8_t *text_place_fn(struct fuzz_message *m, unsigned which, size_t *room);

/* The changes that the input makes. */
static void change(struct fuzz_message *m, struct fuzz_input *in, unsigned n, text_place_fn *text_place)
{
    for (; n > 0; n--) {
        unsigned at = take2(in);
        if (at < STRING) {
            m->byte[at % sizeof m->byte] = (uint8_t)take(in);
            continue;
        }
        size_t len, room = 0;
        const uint8_t *text = take_string(in, &len);
        uint8_t *to = text_place(m, at - STRING, &room);
        if (to)
            memcpy(to, text, len < room ? len : room);
    }
}

static void put_in(struct message_queue *q, const struct fuzz_message *m, size_t bytes, int fd)
{
    struct iovec part = { (void *)(uintptr_t)m, sizeof m->head + bytes };
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof fd)]; } control = { 0 };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                         .cmsg_len = CMSG_LEN(sizeof fd) };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
    }
    put_message(q, &msg);
}

#endif
