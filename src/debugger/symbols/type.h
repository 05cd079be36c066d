/*
 * debugger/symbols/type.h -- C types, as DWARF describes them.
 *
 * A type is a small value that is copied freely: the DWARF entry that describes it, and how
 * many stars stand behind it.  The stars are counted beside the entry so that a pointer to any
 * type can be made, also one that the program itself never uses and its debug information does
 * not have.
 *
 *     struct task **      die = entry of "struct task", stars = 2
 *     int m[3][4]; m[1]   die = entry of the array, dim = 1: one index is taken
 *     unsigned int        without debug information: no die, a name and a width
 *     rax, 0x10           no die, no name: TYPE_NONE, an untyped 64-bit number
 *
 * Not here: what a value of the type is (value.h).
 *
 * [DWARF 5 "Type Entries"]
 */
#ifndef DEBUGGER_SYMBOLS_TYPE_H
#define DEBUGGER_SYMBOLS_TYPE_H

#include <stdio.h>
#include "debugger/symbols/debuginfo.h"

/* TYPE_STRUCT stands for unions too; TYPE_FLOAT also for integers of more than 64 bits, with
 * which we do not compute either. */
enum type_kind {
    TYPE_NONE, TYPE_VOID, TYPE_INTEGER, TYPE_ENUM, TYPE_FLOAT, TYPE_POINTER, TYPE_STRUCT,
        TYPE_ARRAY, TYPE_FUNCTION
};

struct type {
    Dwarf_Die   die;                /* addr NULL: no entry, the type is a plain integer  */

    /* Of a plain integer. */
    const char *name;               /* NULL: the type is TYPE_NONE                       */
    uint8_t     bytes;              /* 0: void                                           */
    bool        is_signed;

    uint8_t     stars;              /* how many times "pointer to" that                  */
    uint8_t     dim;                /* of an array with several indices: how many are taken */
};

/* A plain integer type; bytes 0: void.  `name` is not copied. */
struct type type_integer(const char *name, unsigned bytes, bool is_signed);

/* The type of a variable, a member, a function's result, or what a typedef or pointer entry
 * refers to; void if the entry names none.  False: the reference is broken. */
bool type_of(Dwarf_Die *die, struct type *t);

/* The type that this entry itself describes.  Always true. */
bool type_from(Dwarf_Die *die, struct type *t);

/* What sort of type it is, behind typedefs and qualifiers. */
enum type_kind type_kind(const struct type *t);

/* sizeof; 0: not known (an incomplete struct, an array without a length). */
uint64_t type_bytes(const struct debuginfo *d, const struct type *t);

bool type_is_signed(const struct type *t);
bool type_is_char(const struct type *t);        /* char itself: a uint8_t is a number, no letter */
bool type_is_bool(const struct type *t);

/* The same type reduced to what arithmetic asks for, so that the debug information is not
 * searched each time a condition is evaluated: an integer or enumeration becomes a plain
 * integer of its width, a pointer its target and a star.  Its name may be another; what is
 * neither is returned as it is. */
struct type type_plain(const struct debuginfo *d, const struct type *t);

struct type type_pointer_to(const struct type *t);

/* What one gets by * from a pointer, by one index from an array, or by a call from a function.
 * False: it is none of them. */
bool type_target(const struct type *t, struct type *to);

/* How many elements an array has; 0: the entry does not tell. */
uint64_t type_count(const struct type *t);

struct type_member {
    const char *name;               /* "": an unnamed struct or union within               */
    struct type type;
    uint64_t    offset;             /* in bytes from the start of the struct               */
    unsigned    bit_offset, bit_size;       /* of a bit field, from the lowest bit of the byte at
                                               `offset`; size 0: it is no bit field */
};

/* The i-th member of a struct or union, from 0; false: there are not so many. */
bool type_member_at(const struct debuginfo *d, const struct type *t, unsigned i,
                    struct type_member *m);

/* The member whose name is the first len bytes of `name`.  As in C, members of unnamed structs
 * within are found too; offset then counts from the outer struct. */
bool type_member(const struct debuginfo *d, const struct type *t, const char *name, size_t len,
                 struct type_member *m);

/* The name of the enumerator with this value, written to buf; NULL: none has it, or the type
 * is no enumeration. */
const char *type_enumerator(const struct type *t, uint64_t value, char *buf, size_t n);

/* Write the type's name as in a cast: "struct task *", "char [16]".  Always terminated, and
 * printable whatever the file contains.  Returns buf. */
char *type_name(const struct type *t, char *buf, size_t n);

/* Print the type in full: a struct's members with offset and size, an enumeration's values. */
void type_describe(const struct debuginfo *d, const struct type *t, FILE *out);

#endif
