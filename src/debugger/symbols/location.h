/*
 * debugger/symbols/location.h -- DWARF expressions  [DWARF 5 "DWARF Expressions"]
 */
#ifndef DEBUGGER_SYMBOLS_LOCATION_H
#define DEBUGGER_SYMBOLS_LOCATION_H

#include "debugger/symbols/frame.h"

struct location_machine {
    const struct expr_machine *m;
    const struct frame *frame;          /* registers; its cfa if `cfa` is asked for */
    Dwarf_Die          *function;       /* for its frame base; may be NULL          */
};

/* False: it cannot be told (optimized out, not readable, an operation we do not have). */
bool location_eval(const struct location_machine *m, const Dwarf_Op *op, size_t n,
                   struct location *l);

#endif
