/*
 * debugger/symbols/type.h -- C types, as DWARF tells them.
 *
 * A type is a small value: the entry that describes it, and how many stars stand
 * behind it, so that pointers to it need not be in the debug information.
 * Without an entry it is a plain integer, or nothing known at all: TYPE_NONE,
 * the untyped 64-bit number that registers and literals are.
 */
#ifndef DEBUGGER_SYMBOLS_TYPE_H
#define DEBUGGER_SYMBOLS_TYPE_H

#include <stdio.h>
#include "debugger/symbols/debuginfo.h"

enum type_kind {
    TYPE_NONE, TYPE_VOID, TYPE_INTEGER, TYPE_ENUM, TYPE_FLOAT, TYPE_POINTER, TYPE_STRUCT,
        TYPE_ARRAY, TYPE_FUNCTION
};

struct type {
    Dwarf_Die   die;                /* addr NULL: no entry                         */
    const char *name;               /* of a plain integer; NULL with die none: TYPE_NONE */
    uint8_t     bytes;              /* of a plain integer; 0: void                 */
    bool        is_signed;
    uint8_t     stars, dim;         /* dim: indices of an array that are taken     */
};

/* name must stay; bytes 0: void */
struct type type_integer(const char *name, unsigned bytes, bool is_signed);
/* of a variable, member, ...; void if it has none */
bool type_of(Dwarf_Die *die, struct type *t);
bool type_from(Dwarf_Die *die, struct type *t);         /* the entry is the type       */

enum type_kind type_kind(const struct type *t);
uint64_t type_bytes(const struct debuginfo *d, const struct type *t);       /* 0: not known */
bool type_is_signed(const struct type *t);
bool type_is_char(const struct type *t);
bool type_is_bool(const struct type *t);

/* All that arithmetic asks, without looking into the debug information each time: an integer
 * or enumeration by its width, a pointer by its star.  Its name may be another. */
struct type type_plain(const struct debuginfo *d, const struct type *t);

struct type type_pointer_to(const struct type *t);
/* of a pointer, an array (one index), a function */
bool type_target(const struct type *t, struct type *to);
uint64_t type_count(const struct type *t);                      /* of an array; 0: not told */

struct type_member {
    const char *name;               /* "": none                       */
    struct type type;
    uint64_t    offset;             /* in bytes                       */
    unsigned    bit_offset, bit_size;       /* of a bit field; size 0: none */
};
/* The i-th member of a struct or union; false: not so many. */
bool type_member_at(const struct debuginfo *d, const struct type *t, unsigned i,
                    struct type_member *m);
/* By name, through members without names too. */
bool type_member(const struct debuginfo *d, const struct type *t, const char *name, size_t len,
                 struct type_member *m);

/* NULL: none has it */
const char *type_enumerator(const struct type *t, uint64_t value, char *buf, size_t n);

/* "struct task *", "char [16]": always terminated, always printable. */
char *type_name(const struct type *t, char *buf, size_t n);
/* All that it is: members with their offsets. */
void type_describe(const struct debuginfo *d, const struct type *t, FILE *out);

#endif
