/*
 * debugger/symbols/location.h -- computing DWARF expressions.
 *
 * Where a variable is, or where a caller's register was saved, is told by a small program for
 * a stack machine, for example "frame base - 24" [DWARF 5 "DWARF Expressions"].  Which
 * expression holds for which thing is found by frame.c; here it is only carried out.
 */
#ifndef DEBUGGER_SYMBOLS_LOCATION_H
#define DEBUGGER_SYMBOLS_LOCATION_H

#include "debugger/symbols/frame.h"

/* What an expression may refer to. */
struct location_machine {
    const struct expr_machine *m;       /* memory, and the debug information          */
    const struct frame *frame;          /* registers; its cfa if the expression asks  */
    Dwarf_Die          *function;       /* whose frame base is meant; may be NULL     */
};

/* Carry out n operations; *l says where the thing is, or its value if it is nowhere.  False:
 * it cannot be told (the variable was optimized out, memory is not readable, or an operation
 * is one that we do not have). */
bool location_eval(const struct location_machine *m, const Dwarf_Op *op, size_t n,
                   struct location *l);

#endif
