/*
 * base/saved.h -- which members of a struct are state, in a table that saving and loading walk.
 *
 * A struct has one such table.  Whoever adds a member that the future depends on adds a row,
 * and it is saved, loaded, kept in checkpoints and returned to; tests/unit/test_saved.c finds
 * one that was forgotten.  Members of which not every value makes sense (an index, an enum) do
 * not belong here: their file loads them by hand and checks them.
 */
#ifndef BASE_SAVED_H
#define BASE_SAVED_H

#include <stddef.h>
#include "base/bytes.h"

struct saved {
    size_t at, bytes;           /* of the member in its struct                          */
    bool   is_truth;            /* a bool: whatever is loaded, it becomes true or false */
};

/* Numbers, arrays and structs of numbers: each value is one that the struct may have. */
#define SAVED(type, member)       { offsetof(type, member), sizeof(((type *)0)->member), false }
#define SAVED_TRUTH(type, member) { offsetof(type, member), sizeof(bool), true }

/* The members of the struct at `object`, in the order of the table's n rows. */
void saved_put(const struct saved *table, size_t n, const void *object, struct bytes_out *o);
void saved_get(const struct saved *table, size_t n, void *object, struct bytes_in *in);

#endif
