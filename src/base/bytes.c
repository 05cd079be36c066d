/*
 * base/bytes.c -- a buffer that grows, and a reader that cannot run past its end.
 */
#include "base/bytes.h"

#include <stdlib.h>

/* The buffer doubles each time, so however long it gets, a byte is copied twice on average.
 * `bad` stays set: a caller may write many values and look once. */
void *bytes_space(struct bytes_out *o, size_t n)
{
    if (o->bad)
        return NULL;
    if (n > o->room - o->n) {
        size_t room = o->room ? o->room : 4096;
        while (room - o->n < n && room < SIZE_MAX / 2)
            room *= 2;
        uint8_t *more = room - o->n < n ? NULL : realloc(o->data, room);
        if (!more) {
            o->bad = true;
            return NULL;
        }
        o->data = more;
        o->room = room;
    }
    void *at = o->data + o->n;
    o->n += n;
    return at;
}

void bytes_put(struct bytes_out *o, const void *data, size_t n)
{
    void *at = bytes_space(o, n);
    if (at && n)
        memcpy(at, data, n);
}

/* The one place where the end is compared: every other reader goes through here. */
const void *bytes_take(struct bytes_in *in, size_t n)
{
    if (in->bad || n > (size_t)(in->end - in->at)) {
        in->bad = true;
        return NULL;
    }
    const void *at = in->at;
    in->at += n;
    return at;
}

/* Past the end the variable becomes 0, so that nothing is ever used uninitialized. */
void bytes_get(struct bytes_in *in, void *data, size_t n)
{
    const void *at = bytes_take(in, n);
    if (at)
        memcpy(data, at, n);
    else
        memset(data, 0, n);
}
