/*
 * debugger/symbols/frame.h -- activations of functions, and where their variables are.
 *
 * A frame is the registers as its function sees them, as far as they are known:
 * those of the innermost are the CPU's, every other's are found from its callee's
 * by DWARF's call frame information.  Locations are DWARF expressions; what they
 * lead to may be memory, a register, or a value that is nowhere.
 */
#ifndef DEBUGGER_SYMBOLS_FRAME_H
#define DEBUGGER_SYMBOLS_FRAME_H

#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/expr.h"

/* Registers by DWARF's numbers; the last is rip (in 32-bit code number 8 is eip). */
#define FRAME_REGS 17

struct frame {
    uint64_t pc, cfa;                   /* cfa: the stack pointer before the call; 0: not known */
    uint64_t reg[FRAME_REGS];
    uint32_t known;                     /* BIT(n): reg[n] is                                    */
    unsigned level;                     /* 0: the innermost                                     */
    bool     interrupted;               /* pc is the next instruction, not one behind a call    */
};

/* The CPU's own frame; false: no debug information or no CPU. */
bool frame_innermost(const struct expr_machine *m, struct frame *f);

/* The caller of f; false: it is not known. */
bool frame_caller(const struct expr_machine *m, const struct frame *f, struct frame *caller);

/* An address within the call, for looking things up: the return address may be another line's. */
uint64_t frame_lookup_pc(const struct frame *f);

/* Where something is. */
struct location {
    enum location_kind { LOCATION_NONE, LOCATION_MEMORY, LOCATION_REGISTER, LOCATION_VALUE } kind;
    uint64_t value;                     /* address, register's content, value */
    unsigned reg;
};
/* The i-th variable or parameter that can be seen at f, innermost block first.  Scopes are
 * good until those of another place are asked for. */
struct frame_scopes { Dwarf_Die *die; int n; };
bool frame_variable(const struct frame_scopes *s, unsigned i, Dwarf_Die *variable);
bool frame_variable_named(const struct frame_scopes *s, const char *name, size_t len,
                          Dwarf_Die *variable);
void frame_open_scopes(struct debuginfo *d, const struct frame *f, struct frame_scopes *s);

/* Where a variable is: f and its scopes may be NULL for one of the file's.  *way (may be NULL) is
 * how that was found: good for frames at the same pc, as long as the debug information; n 0:
 * none. */
struct frame_way { const Dwarf_Op *op; size_t n; };
bool frame_locate(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  Dwarf_Die *variable, struct location *l, struct frame_way *way);
bool frame_follow(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  const struct frame_way *way, struct location *l);

/* The function f is in: its entry; false: none is known. */
bool frame_function(const struct frame_scopes *s, Dwarf_Die *function);

#endif
