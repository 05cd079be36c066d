/*
 * debugger/vmm/condition.h -- the condition of a breakpoint, in the VMM's process: does it
 * make sense, and is it true now?
 */
#ifndef DEBUGGER_VMM_CONDITION_H
#define DEBUGGER_VMM_CONDITION_H

#include "debugger/vmm/protocol.h"
#include "debugger/symbols/expr.h"

struct condition_world { struct vm *vm; const struct symbols *symbols; struct debuginfo *info; };

/* -EINVAL and a sentence: it makes no sense. */
int  condition_check(const struct condition_world *w, const struct link_break *b, char *why,
                     size_t n);

/* One that cannot be evaluated holds, and why says so; else why is empty.  What its names stand
 * for is kept in *names from the first time on, where that is always the same: at code. */
bool condition_holds(const struct condition_world *w, const struct link_break *b,
                     struct expr_names **names, char *why, size_t n);

#endif
