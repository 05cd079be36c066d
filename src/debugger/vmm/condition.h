/*
 * debugger/vmm/condition.h -- the condition of a breakpoint, in the VMM's process: does it
 * make sense, and is it true now?
 *
 * A condition is text in the language of debugger/symbols/expr.h, or the byte code that gdb
 * sends (gdb_agent.h); a breakpoint has at most one of them.  Evaluating reads the guest but
 * never changes it: no device is touched and no page is marked as accessed.
 */
#ifndef DEBUGGER_VMM_CONDITION_H
#define DEBUGGER_VMM_CONDITION_H

#include "debugger/vmm/protocol.h"
#include "debugger/symbols/expr.h"

/* What a condition may ask: the machine, and the names of the guest's program (each of the latter
 * two may be NULL).  Nothing is owned. */
struct condition_world {
    struct vm            *vm;
    const struct symbols *symbols;
    struct debuginfo     *info;
};

/* Is the condition of b well formed, with names that exist?  0, or -EINVAL and in why[n] a sentence
 * for the user.  Memory and registers are not looked at. */
int  condition_check(const struct condition_world *w, const struct link_break *b, char *why,
                     size_t n);

/* Is the condition of b true now?  One that cannot be evaluated (it reads memory that is not
 * mapped) counts as true and why[n] says what was wrong; else why is empty.  So a mistake in a
 * condition stops the guest, where the user sees it, and does not let it run past for ever.
 *
 * A condition at code meets the same names at each hit.  What they stand for is looked up once and
 * kept in *names (NULL at first; the caller's to free()). */
bool condition_holds(const struct condition_world *w, const struct link_break *b,
                     struct expr_names **names, char *why, size_t n);

#endif
