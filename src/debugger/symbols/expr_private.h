/*
 * debugger/symbols/expr_private.h -- what expr.c (the grammar), expr_name.c and expr_op.c share.
 */
#ifndef DEBUGGER_SYMBOLS_EXPR_PRIVATE_H
#define DEBUGGER_SYMBOLS_EXPR_PRIVATE_H

#include "debugger/symbols/expr.h"
#include "debugger/symbols/frame.h"
#include "debugger/symbols/type_parse.h"

struct parser {
    const char *text, *at;
    const struct expr_machine *m;
    unsigned    depth, dead;            /* dead: nothing is read, faults do not count */
    bool        word;                   /* a blank outside brackets ends it           */
    bool        named;                  /* the last operand was a symbol              */
    bool        fixed;                  /* the last name stands for the same each time */
    const struct reg *reg;              /* the last name was this register; or NULL   */
    struct frame_way way;               /* ... or a local that is found like this     */
    unsigned    brackets;
    bool        has_frame;
    struct frame innermost;
    const struct frame *frame;          /* whose locals, once one was asked for; NULL: none */
    struct frame_scopes scopes;
    int         err;
    size_t      err_at;
    char       *why;
    size_t      n;
};

enum op { OP_MUL, OP_DIV, OP_MOD, OP_ADD, OP_SUB, OP_SHL, OP_SHR, OP_LE, OP_GE, OP_LT, OP_GT,
          OP_EQ, OP_NE, OP_AND, OP_XOR, OP_OR, OP_LAND, OP_LOR };

struct value plain(uint64_t bits);
struct value complain(struct parser *p, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
size_t name_length(const char *at);
/* The number that a value stands for. */
uint64_t expr_load(struct parser *p, const struct value *v);
/* The type of an operand in arithmetic, and the operator itself. */
struct type expr_promoted(const struct value *v);
struct value expr_apply(struct parser *p, enum op op, const struct value *a, const struct value *b);

/* The name at p->at: a register, variable, enumerator, symbol. */
struct value expr_name(struct parser *p);
/* The member of v whose name stands at p->at. */
struct value expr_member(struct parser *p, const struct value *v);
uint64_t expr_pc(struct parser *p);
unsigned expr_address_bytes(const struct parser *p);

#endif
