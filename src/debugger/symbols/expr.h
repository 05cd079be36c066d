/*
 * debugger/symbols/expr.h -- expressions over a machine: registers, variables, memory.
 *
 *     rax + 8            $rax, eax, al, cs.base, cr0, zf ... (cpu/regs.h)
 *     main               a symbol's address; 'c' a character; 12, 0x1f, 0b101
 *     self->sp, *p, procs[2].state, &ticks, (struct task *)0x1000, sizeof(x)
 *                        variables with their C types, where there is debug
 *                        information: locals and parameters of the frame, then
 *                        the program's own; enumerators
 *     u32[rsp + 4]       memory: u8 u16 u32 u64, i8 i16 i32 i64, linear;
 *     p32[0xb8000]       p8 p16 p32 p64 by guest-physical address
 *     *(rsp)             as wide as the CPU's addresses are now
 *     ! ~ - * / % + - << >> < <= > >= == != & ^ | && || ?:   as in C, on 64 bits
 *
 * Registers, symbols and literals are unsigned 64-bit numbers without a type;
 * i8 ... i64 are sign-extended.  With an operand that has a type arithmetic is
 * signed as C's is, in 64 bits.  A register's name comes before any other;
 * `sym:rax` is the variable or symbol for sure.  What cannot be read is an error,
 * but not on the side of && || ?: that is not evaluated.
 */
#ifndef DEBUGGER_SYMBOLS_EXPR_H
#define DEBUGGER_SYMBOLS_EXPR_H

#include "cpu/state.h"
#include "debugger/symbols/value.h"

struct symbols;
struct frame;
struct reg;

/* What the names of one text stand for at one place in the code, found once: registers,
 * what has a fixed address, and how locals are found in their frame.  Begins as zeroes. */
#define EXPR_NAMES 8
struct expr_names {
    unsigned n;
    struct expr_known {
        size_t at, end;                 /* in the text                              */
        const struct reg *reg;          /* or NULL: the value                       */
        struct value value;
        const Dwarf_Op *way;            /* of a local, to where its value is now, so many */
        size_t n_way;                   /* steps; 0: the value stays                */
        bool named;
    } name[EXPR_NAMES];
};

struct expr_machine {
    const struct cpu_state *cpu;        /* NULL: there are no registers             */
    const struct symbols   *symbols;    /* may be NULL                              */
    struct debuginfo       *info;       /* for C types and variables; may be NULL   */
    const struct orc       *orc;        /* the frames of a kernel without; may be NULL */
    const struct frame     *frame;      /* whose locals; NULL: the innermost        */
    int  (*read)(void *arg, bool physical, uint64_t at, void *buf, unsigned n);     /* 0, -errno */
    void  *arg;

    struct expr_names *names;           /* of this text here, to be faster next time; may be NULL */

    /* Other names ($, last); false: not known.  May be NULL. */
    bool (*name)(void *arg, const char *name, size_t len, uint64_t *value);
};

/* 0 and *value; or -EINVAL (it makes no sense) or -EFAULT (memory), *at the byte
 * in text that it is about, and a sentence in why.  Arrays and structs give
 * their address. */
int expr_eval(const char *text, const struct expr_machine *m, uint64_t *value,
              size_t *at, char *why, size_t n);

/* The same with its type; a variable is left in memory. */
int expr_eval_value(const char *text, const struct expr_machine *m, struct value *value,
                    size_t *at, char *why, size_t n);

/* Only the type, of an expression or a type's name: nothing is read. */
int expr_type(const char *text, const struct expr_machine *m, struct type *type,
              size_t *at, char *why, size_t n);

/* Only whether it makes sense: nothing is read, unknown names are refused. */
int expr_check(const char *text, const struct expr_machine *m, size_t *at, char *why, size_t n);

/* As expr_eval(), for a text that goes on behind: *end is where the expression
 * ends (at a blank outside brackets, or a comma). */
int expr_eval_word(const char *text, const struct expr_machine *m, uint64_t *value,
                   size_t *end, char *why, size_t n);
int expr_eval_word_value(const char *text, const struct expr_machine *m, struct value *value,
                         size_t *end, char *why, size_t n);

#endif
