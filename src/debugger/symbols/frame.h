/*
 * debugger/symbols/frame.h -- frames: functions that have been called and have not returned,
 * and where their variables are.
 *
 * A frame is the set of registers as its function would see them now.  The innermost frame's
 * registers are the CPU's.  Those of its caller are computed from them: the program's call
 * frame information says for each instruction where the caller's registers were saved.  So one
 * goes from frame to frame ("unwinding"):
 *
 *     frame_innermost()   level 0   the function that the CPU is in
 *     frame_caller()      level 1   the function that called it
 *     frame_caller()      level 2   ...
 *
 *        higher addresses
 *        | arguments      |
 *        +----------------+ <- cfa, the canonical frame address: the stack pointer of the
 *        | return address |    caller before the CALL
 *        | saved rbp, ... |
 *        | locals         |
 *        +----------------+ <- rsp
 *
 * Registers that cannot be recovered are marked as not known.  The sources of information are
 * DWARF (debuginfo.h), a Linux kernel's ORC tables (orc.h), and without both a guess that is
 * right at the first instruction of a function.
 */
#ifndef DEBUGGER_SYMBOLS_FRAME_H
#define DEBUGGER_SYMBOLS_FRAME_H

#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/expr.h"

/* Registers have DWARF's numbers here; the last is rip (in 32-bit code number 8 is eip). */
#define FRAME_REGS 17

struct frame {
    uint64_t pc;                        /* linear address where this function goes on       */
    uint64_t cfa;                       /* canonical frame address; 0: not known            */
    uint64_t reg[FRAME_REGS];
    uint32_t known;                     /* BIT(n): reg[n] is known                          */
    unsigned level;                     /* 0: the innermost                                 */
    bool     interrupted;               /* an interrupt or exception came here: pc is the next
                                           instruction, not the one behind a call */
};

/* The frame of the CPU in m.  False: m has no CPU, or neither debug information nor ORC. */
bool frame_innermost(const struct expr_machine *m, struct frame *f);

/* The frame of f's caller, or of what f interrupted; false: it is not known. */
bool frame_caller(const struct expr_machine *m, const struct frame *f, struct frame *caller);

/* An address inside the instruction that f is at, for looking up lines and scopes.  In a frame
 * that has called, pc is the return address, which may be the next line's or, behind a call
 * that never returns, the next function's; so it is one byte less. */
uint64_t frame_lookup_pc(const struct frame *f);

/* Where something is. */
struct location {
    enum location_kind { LOCATION_NONE, LOCATION_MEMORY, LOCATION_REGISTER, LOCATION_VALUE } kind;
    uint64_t value;                     /* the address, the register's content, the value */
    unsigned reg;                       /* LOCATION_REGISTER: which                       */
};

/* The blocks around a frame's pc, innermost first, then the function, then the file.  Valid
 * until those of another pc are asked for (debuginfo_scopes()). */
struct frame_scopes { Dwarf_Die *die; int n; };
void frame_open_scopes(struct debuginfo *d, const struct frame *f, struct frame_scopes *s);

/* The i-th variable or parameter (from 0) that can be seen from there, those of the innermost
 * block first; names of the file do not count.  False: there are not so many. */
bool frame_variable(const struct frame_scopes *s, unsigned i, Dwarf_Die *variable);

/* The innermost one whose name is the first len bytes of `name`; false: there is none. */
bool frame_variable_named(const struct frame_scopes *s, const char *name, size_t len,
                          Dwarf_Die *variable);

/* How a variable was found: the DWARF expression that leads to it.  It can be used again for
 * any frame at the same pc, as long as the debug information is open. n 0: there is none (the
 * variable is a constant). */
struct frame_way { const Dwarf_Op *op; size_t n; };

/* Where a variable is.  For a variable of the file f and s may be NULL; `way` may be NULL if
 * it is not wanted.  False: it is nowhere (optimized out) or cannot be told. */
bool frame_locate(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  Dwarf_Die *variable, struct location *l, struct frame_way *way);

/* The same by a way that frame_locate() found before, without searching. */
bool frame_follow(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  const struct frame_way *way, struct location *l);

/* The entry of the function that the scopes are in; false: none is known. */
bool frame_function(const struct frame_scopes *s, Dwarf_Die *function);

#endif
