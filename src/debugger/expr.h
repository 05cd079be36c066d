/*
 * debugger/expr.h -- expressions over a machine: registers, symbols, memory.
 *
 *     rax + 8            $rax, eax, al, cs.base, cr0, zf ... (debugger/regs.h)
 *     main               a symbol's address; 'c' a character; 12, 0x1f, 0b101
 *     u32[rsp + 4]       memory: u8 u16 u32 u64, i8 i16 i32 i64, linear;
 *     p32[0xb8000]       p8 p16 p32 p64 by guest-physical address
 *     *(rsp)             as wide as the CPU's addresses are now
 *     ! ~ - * / % + - << >> < <= > >= == != & ^ | && || ?:   as in C, on 64 bits
 *
 * Arithmetic is unsigned, but i8 ... i64 are sign-extended and `s<` does not
 * exist: compare `i32[x] == -1`.  A register's name comes before a symbol's;
 * `sym:rax` is the symbol for sure.  What cannot be read is an error, but not
 * on the side of && || ?: that is not evaluated.
 */
#ifndef DEBUGGER_EXPR_H
#define DEBUGGER_EXPR_H

#include "cpu/state.h"

struct symbols;

struct expr_machine {
    const struct cpu_state *cpu;        /* NULL: there are no registers             */
    const struct symbols   *symbols;    /* may be NULL                              */
    int  (*read)(void *arg, bool physical, uint64_t at, void *buf, unsigned n);     /* 0, -errno */
    void  *arg;

    /* Other names ($1, last, DWARF variables); false: not known.  May be NULL. */
    bool (*name)(void *arg, const char *name, size_t len, uint64_t *value);
};

/* 0 and *value; or -EINVAL (it makes no sense) or -EFAULT (memory), *at the byte
 * in text that it is about, and a sentence in why. */
int expr_eval(const char *text, const struct expr_machine *m, uint64_t *value,
              size_t *at, char *why, size_t n);

/* Only whether it makes sense: nothing is read, unknown names are refused. */
int expr_check(const char *text, const struct expr_machine *m, size_t *at, char *why, size_t n);

/* As expr_eval(), for a text that goes on behind: *end is where the expression
 * ends (at a blank outside brackets, or a comma). */
int expr_eval_word(const char *text, const struct expr_machine *m, uint64_t *value,
                   size_t *end, char *why, size_t n);

#endif
