/*
 * debugger/symbols/value.h -- a value with its C type.
 *
 * Like an lvalue in C, a value may still lie in memory: then only its address is known, and it
 * is read when its number is needed.  So `&x` and `sizeof x` read nothing, and a struct is
 * never copied.
 */
#ifndef DEBUGGER_SYMBOLS_VALUE_H
#define DEBUGGER_SYMBOLS_VALUE_H

#include <stdio.h>
#include "debugger/symbols/type.h"

struct expr_machine;

struct value {
    struct type type;
    bool     in_memory;             /* at `at`, not read yet; structs and arrays always are  */
    uint64_t at;                    /* its address, if in memory; linear                     */
    uint64_t bits;                  /* else its number, sign- or zero-extended to 64 bits    */
    unsigned bit_offset, bit_size;  /* of a bit field, as in struct type_member; size 0: none */

    /* A word of memory that is named by its address and has no C type: u32[a], p8[a], *rsp.  It
     * is in memory, too. */
    struct { unsigned bytes; bool is_signed, physical; } word;      /* bytes 0: it is none       */
};

/* How many bytes a value takes in memory; 0: not known. */
uint64_t value_bytes(const struct debuginfo *d, const struct value *v);

/* The number that v stands for, read from m's memory if it lies there.  Arrays, structs and
 * functions stand for their address.  0, -EFAULT (there is no memory at v->at), or -EINVAL
 * (its type has no number of at most 64 bits). */
int value_load(const struct expr_machine *m, const struct value *v, uint64_t *bits);

/* Cut and extend bits to the width and sign of a type, as a cast in C does. d NULL: pointers
 * are 64 bits wide. */
uint64_t value_fit(const struct debuginfo *d, const struct type *t, uint64_t bits);

/* What to write to memory so that v becomes `bits`: *n bytes at v->at, at most 8.  Nothing is
 * written here.  A bit field's neighbours are read, so that they stay.  0; -EINVAL: v is no
 * number in memory; -EFAULT: the neighbours cannot be read. */
int value_store(const struct expr_machine *m, const struct value *v, uint64_t bits,
                uint8_t bytes[8], unsigned *n);

/* Print as a C programmer would write it; a struct that is too long for one line gets a line
 * for each member.  Memory that cannot be read is said so in place. */
void value_print(const struct expr_machine *m, const struct value *v, FILE *out);

/* The same as one JSON value; what cannot be read is null. */
void value_json(const struct expr_machine *m, const struct value *v, FILE *out);

#endif
