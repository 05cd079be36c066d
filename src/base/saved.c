/*
 * base/saved.c -- members of a struct, by a table, to bytes and back; see saved.h.
 */
#include "base/saved.h"

/* No names and no lengths are written: the order of the rows is the format. */
void saved_put(const struct saved *table, size_t n, const void *object, struct bytes_out *o)
{
    const uint8_t *from = object;
    for (const struct saved *s = table; s < table + n; s++)
        bytes_put(o, from + s->at, s->bytes);
}

/* A bool with another value than 0 or 1 would be undefined behaviour, so those are
 * converted. */
void saved_get(const struct saved *table, size_t n, void *object, struct bytes_in *in)
{
    uint8_t *to = object;
    for (const struct saved *s = table; s < table + n; s++)
        if (s->is_truth)
            *(bool *)(to + s->at) = bytes_get_bool(in);
        else
            bytes_get(in, to + s->at, s->bytes);
}
