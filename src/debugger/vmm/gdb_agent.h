/*
 * debugger/vmm/gdb_agent.h -- gdb's byte code: the conditions of its breakpoints, evaluated
 * where the breakpoint is hit, in the VMM's process.
 *
 * A machine of one stack of 64-bit numbers.  The code comes from outside, so
 * everything about it is checked, and it may take so many steps and no more.
 * [GDB "The GDB Agent Expression Mechanism"]
 */
#ifndef DEBUGGER_VMM_GDB_AGENT_H
#define DEBUGGER_VMM_GDB_AGENT_H

#include "base/types.h"

struct agent_machine {
    int  (*read)(void *arg, uint64_t at, void *buf, unsigned n);        /* linear: 0, -errno */
    bool (*reg)(void *arg, unsigned nr, uint64_t *value); /* as the client numbers them */
    void *arg;
};

/* 0 and *value; -EINVAL (it makes no sense) or -EFAULT (memory), and a sentence in why. */
int agent_eval(const uint8_t *code, size_t n, const struct agent_machine *m, uint64_t *value,
               char *why, size_t n_why);

/*
 * What link_break.agent holds: one byte for the description by which registers are
 * numbered (enum gdb_arch), then any number of expressions, each behind its
 * length in two bytes, low one first.  True if one of them is.
 */
struct agent_list { uint8_t *byte; size_t n, room; };
bool agent_list_begin(struct agent_list *l, unsigned arch);
bool agent_list_add(struct agent_list *l, const uint8_t *code, size_t n);   /* false: no room */
/* Is it one?  -EINVAL and a sentence. */
int  agent_list_check(const uint8_t *list, size_t n, char *why, size_t n_why);
int  agent_list_eval(const uint8_t *list, size_t n, const struct agent_machine *m, bool *holds,
                     char *why, size_t n_why);

#endif
