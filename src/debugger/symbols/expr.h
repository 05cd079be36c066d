/*
 * debugger/symbols/expr.h -- expressions that people type into the debugger: arithmetic over a
 * machine's registers, variables and memory.
 *
 *     rax + 8            $rax, eax, al, cs.base, cr0, zf ... (cpu/regs.h)
 *     $pc, $sp, $fp      where the CPU stands, its stack and frame: linear addresses in any mode
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
 * Registers, symbols and literals are unsigned 64-bit numbers without a type; i8 ... i64 are
 * sign-extended.  If an operand has a type, arithmetic is signed or unsigned as C's would be,
 * but always in 64 bits.  A register's name comes before any other meaning; `sym:rax` is the
 * variable or symbol of that name.  Memory that cannot be read is an error, except on a side
 * of && || ?: that does not count: that side is not evaluated.
 *
 * Evaluating never changes the machine.  Assignments are the console's commands, not
 * operators.
 *
 * Begin reading with expr_eval() below, then ternary() in expr.c.
 */
#ifndef DEBUGGER_SYMBOLS_EXPR_H
#define DEBUGGER_SYMBOLS_EXPR_H

#include "cpu/state.h"
#include "debugger/symbols/value.h"

struct symbols;
struct frame;
struct reg;

/* A memory of what the names in one text stand for, for texts that are evaluated very often:
 * the condition of a breakpoint.  The caller keeps one for each text and each place in the
 * code and zeroes it at first.  The first evaluation fills it; later ones find registers,
 * things with a fixed address, and the way to local variables without looking up names again. */
#define EXPR_NAMES 8
struct expr_names {
    unsigned n;
    struct expr_known {
        size_t at, end;                 /* where the name stands in the text: [at, end)     */
        const struct reg *reg;          /* it is this register; NULL: no register           */
        struct value value;             /* it is this value, or a local of this type        */
        const Dwarf_Op *way;            /* the expression that finds the local in its frame */
        size_t n_way;                   /* how many operations that has; 0: no local        */
        bool was_symbol;                /* it is a bare symbol, which & leaves as it is     */
    } name[EXPR_NAMES];
};

/* What an expression is about.  All pointers belong to the caller; a field of zero means that
 * the machine does not have the thing. */
struct expr_machine {
    /* Where names are looked up. */
    const struct cpu_state *cpu;        /* registers                                        */
    const struct symbols   *symbols;
    struct debuginfo       *info;       /* C types and variables                            */
    const struct orc       *orc;        /* how to unwind a kernel that has no `info`        */
    const struct frame     *frame;      /* whose locals are meant; NULL: the innermost's    */

    /* Read n bytes of memory at a linear or a guest-physical address: 0 or -errno. */
    int  (*read)(void *arg, bool physical, uint64_t at, void *buf, unsigned n);
    void  *arg;

    struct expr_names *names;           /* to be faster next time, see above                */

    /* Names that only the caller knows ("$", "last").  False: it does not know this one
     * either. */
    bool (*name)(void *arg, const char *name, size_t len, uint64_t *value);
};

/*
 * All functions return 0; or -EINVAL (the text makes no sense) or -EFAULT (memory cannot be
 * read), and then *at is the offset in the text of the byte that it is about, and `why`, a
 * buffer of n bytes, holds a sentence.
 */

/* The number that the text stands for.  Arrays and structs give their address. */
int expr_eval(const char *text, const struct expr_machine *m, uint64_t *value,
              size_t *at, char *why, size_t n);

/* The value with its type.  A variable is not read: the value says where it is. */
int expr_eval_value(const char *text, const struct expr_machine *m, struct value *value,
                    size_t *at, char *why, size_t n);

/* Only the type, of an expression or of the type that the text names ("struct task").  No
 * memory is read. */
int expr_type(const char *text, const struct expr_machine *m, struct type *type,
              size_t *at, char *why, size_t n);

/* Only whether the text makes sense.  No memory is read; names that nobody knows are an error.
 */
int expr_check(const char *text, const struct expr_machine *m, size_t *at, char *why, size_t n);

/* The same as expr_eval() and expr_eval_value() for a text that goes on behind the expression,
 * as in the command "rwatch rsp+8 2": the expression ends at a blank outside brackets or at a
 * comma, and *end is where (on an error, where that is). */
int expr_eval_word(const char *text, const struct expr_machine *m, uint64_t *value,
                   size_t *end, char *why, size_t n);
int expr_eval_word_value(const char *text, const struct expr_machine *m, struct value *value,
                         size_t *end, char *why, size_t n);

#endif
