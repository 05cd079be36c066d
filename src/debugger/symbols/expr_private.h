/*
 * debugger/symbols/expr_private.h -- what the three files that evaluate expressions share:
 * expr.c has the grammar, expr_name.c finds what names stand for, expr_op.c carries out
 * operators.
 *
 * No other file includes it.
 */
#ifndef DEBUGGER_SYMBOLS_EXPR_PRIVATE_H
#define DEBUGGER_SYMBOLS_EXPR_PRIVATE_H

#include "debugger/symbols/expr.h"
#include "debugger/symbols/frame.h"
#include "debugger/symbols/type_parse.h"

/* The state of one evaluation. */
struct parser {
    /* The text. */
    const char *text, *at;              /* its start, and the next byte to read        */
    bool        ends_at_blank;          /* a blank outside brackets ends it            */
    unsigned    brackets;               /* how many are open                           */
    unsigned    depth;                  /* how deep operators and brackets are nested  */

    const struct expr_machine *m;

    /* How many operators around us have no use for this side (0: it counts).  As long as there
     * are any, nothing is read and a division by zero is no error. */
    unsigned    skipping;

    /* About the last name that was read, for & and for struct expr_names. */
    bool        was_symbol;             /* a bare symbol                               */
    bool        is_fixed;               /* it stands for the same value each time      */
    const struct reg *reg;              /* it was this register; or NULL               */
    struct frame_way way;               /* it was a local that is found like this      */

    /* The frame whose locals are meant, found when a name first needs it. */
    bool        has_frame;              /* we have looked for it                       */
    const struct frame *frame;          /* NULL: there is none                         */
    struct frame innermost;             /* room for it, if it is the CPU's             */
    struct frame_scopes scopes;

    /* The first error: 0 or -errno, where, and the sentence (in a buffer of n bytes). */
    int         err;
    size_t      err_at;
    char       *why;
    size_t      n;
};

/* The order matters: expr_op.c takes OP_LE to OP_NE for the comparisons. */
enum op { OP_MUL, OP_DIV, OP_MOD, OP_ADD, OP_SUB, OP_SHL, OP_SHR, OP_LE, OP_GE, OP_LT, OP_GT,
          OP_EQ, OP_NE, OP_AND, OP_XOR, OP_OR, OP_LAND, OP_LOR };

/* A number without a type. */
struct value plain(uint64_t bits);

/* Note an error at p->at, unless there was one before, which is the reason for this one.
 * Returns 0 as a value, so that a function can end with it. */
struct value complain(struct parser *p, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* How long the name at `at` is, dots included, as in "cs.base" and "counter.0". */
size_t name_length(const char *at);

/* The number that a value stands for, read from memory if it lies there; 0 if that fails, or
 * if this side of an operator does not count. */
uint64_t expr_load(struct parser *p, const struct value *v);

/* The type that an operand has in arithmetic, and the operator itself. */
struct type expr_promoted(const struct value *v);
struct value expr_apply(struct parser *p, enum op op, const struct value *a, const struct value *b);

/* Read the name at p->at, of a register, variable, enumerator or symbol: its value. */
struct value expr_name(struct parser *p);

/* Read the name at p->at, of a member of v. */
struct value expr_member(struct parser *p, const struct value *v);

/* The address of the code that the expression is about: it chooses between names of several
 * files.  0: none. */
uint64_t expr_pc(struct parser *p);

/* How wide the guest's addresses are: 2, 4 or 8. */
unsigned expr_address_bytes(const struct parser *p);

#endif
