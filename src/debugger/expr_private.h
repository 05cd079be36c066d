/*
 * debugger/expr_private.h -- what expr.c (operators) and expr_name.c (names) share.
 */
#ifndef DEBUGGER_EXPR_PRIVATE_H
#define DEBUGGER_EXPR_PRIVATE_H

#include "debugger/expr.h"
#include "debugger/frame.h"
#include "debugger/type_parse.h"

struct parser {
    const char *text, *at;
    const struct expr_machine *m;
    unsigned    depth, dead;            /* dead: nothing is read, faults do not count */
    bool        word;                   /* a blank outside brackets ends it           */
    bool        named;                  /* the last operand was a symbol              */
    bool        fixed;                  /* the last name stands for the same each time */
    const struct reg *reg;              /* the last name was this register; or NULL   */
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

struct value plain(uint64_t bits);
struct value complain(struct parser *p, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool is_name_char(char c);
size_t name_length(const char *at);
struct type expr_promoted(const struct value *v);

/* The name at p->at: a register, variable, enumerator, symbol. */
struct value expr_name(struct parser *p);
/* The member of v whose name stands at p->at. */
struct value expr_member(struct parser *p, const struct value *v);
uint64_t expr_pc(struct parser *p);
unsigned expr_address_bytes(const struct parser *p);

#endif
