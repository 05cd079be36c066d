/*
 * base/bytes.h -- numbers and blocks into a growing buffer, and out of one that
 * nobody vouches for.
 *
 * What is saved is little-endian and as wide as the variable it came from.  A
 * reader that runs past the end gives zeros and remembers it: look at `bad`
 * once, at the end of something, before anything is taken over.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <string.h>
#include "base/types.h"

struct bytes_out {
    uint8_t *data;              /* the caller frees it */
    size_t   n, room;
    bool     bad;               /* what is there is not all: out of memory, or */
    bool     not_now;           /* something is half done: try again later */
};

void bytes_put(struct bytes_out *o, const void *data, size_t n);
/* n bytes more, not filled in; NULL: out of memory.  Good until the next call. */
void *bytes_space(struct bytes_out *o, size_t n);
#define BYTES_PUT(o, x)   bytes_put((o), &(x), sizeof(x))

static inline void bytes_put_u64(struct bytes_out *o, uint64_t v)
{
    bytes_put(o, &v, sizeof v);
}

struct bytes_in {
    const uint8_t *at, *end;
    bool           bad;
};

const void *bytes_take(struct bytes_in *in, size_t n);      /* NULL: there are not so many */
void bytes_get(struct bytes_in *in, void *data, size_t n);
#define BYTES_GET(in, x)  bytes_get((in), &(x), sizeof(x))

static inline uint64_t bytes_get_u64(struct bytes_in *in)
{
    uint64_t v;
    bytes_get(in, &v, sizeof v);
    return v;
}

/* A bool may hold nothing but 0 and 1: the compiler believes that. */
static inline bool bytes_get_bool(struct bytes_in *in)
{
    uint8_t v;
    bytes_get(in, &v, 1);
    return v != 0;
}

#endif
