/*
 * debugger/symbols/value.h -- a value with its C type: in memory, or at hand.
 */
#ifndef DEBUGGER_SYMBOLS_VALUE_H
#define DEBUGGER_SYMBOLS_VALUE_H

#include <stdio.h>
#include "debugger/symbols/type.h"

struct expr_machine;

struct value {
    struct type type;
    bool     in_memory;             /* at `at`, not read yet; structs and arrays always are */
    uint64_t at;
    uint64_t bits;                  /* else: sign- or zero-extended to 64 bits              */
    unsigned bit_offset, bit_size;  /* of a bit field; size 0: none                         */
};

/* The number it stands for: 0, -EFAULT (there is no memory), or -EINVAL (a type
 * without one).  Arrays, structs and functions are their address. */
int value_load(const struct expr_machine *m, const struct value *v, uint64_t *bits);

/* Its bits made fit the type, as a cast does. */
uint64_t value_fit(const struct debuginfo *d, const struct type *t, uint64_t bits);

/* Store bits where v is: the bytes to write at v->at, at most 8; -EINVAL: it is nowhere. */
int value_store(const struct expr_machine *m, const struct value *v, uint64_t bits,
                uint8_t bytes[8], unsigned *n);

/* As C would write it; structs over several lines if one is too short. */
void value_print(const struct expr_machine *m, const struct value *v, FILE *out);
void value_json(const struct expr_machine *m, const struct value *v, FILE *out);

#endif
