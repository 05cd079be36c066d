/*
 * debugger/vmm/gdb_agent.h -- gdb's byte code: the conditions of its breakpoints, evaluated
 * where the breakpoint is hit, in the VMM's process.
 *
 * Without this, gdb would be told of every hit, and would read registers and memory through a
 * socket to find out that its condition is false.  The code runs on a machine of one stack of
 * 64-bit numbers.  `x == 5`, with x an int at 0x403000, may come as
 *
 *     24 00 40 30 00   const32   push the operand, which is big-endian
 *     19               ref32     replace the address by the four bytes that are there
 *     16 20            ext 32    they are signed: extend them to 64 bits
 *     22 05            const8    push 5
 *     13               equal     replace both by 1 or 0
 *     27               end       the top of the stack is the value
 *
 * It comes from outside, so everything about it is checked, and after 4096 instructions it is
 * given up: a loop in it must not hang the guest.
 * [GDB manual "The GDB Agent Expression Mechanism"]
 */
#ifndef DEBUGGER_VMM_GDB_AGENT_H
#define DEBUGGER_VMM_GDB_AGENT_H

#include "base/types.h"

/* What the code may ask the guest for.  It can only read, and only memory and registers. */
struct agent_machine {
    int  (*read)(void *arg, uint64_t at, void *buf, unsigned n);        /* linear: 0, -errno */
    bool (*reg)(void *arg, unsigned nr, uint64_t *value); /* as the client numbers them */
    void *arg;
};

/* Run n bytes of code.  0 and *value, the number on top of the stack at `end`; -EINVAL (the code
 * makes no sense, or runs for ever) or -EFAULT (memory that is not there), and a sentence for the
 * user in why[n_why]. */
int agent_eval(const uint8_t *code, size_t n, const struct agent_machine *m, uint64_t *value,
               char *why, size_t n_why);

/* What link_break.agent holds: one byte for the description by which registers are numbered
 * (enum gdb_arch), then any number of expressions, each behind its length in two bytes, the
 * low one first:
 *
 *   arch | len lo | len hi | code ... | len lo | len hi | code ...
 *
 * gdb sends one expression for each of the breakpoints that it has at an address, so the
 * list is true if any of them is. */
struct agent_list { uint8_t *byte; size_t n, room; };
/* Start a list in l->byte, which the caller owns and which has `room` bytes; l->n says how
 * many are used.  False: no room. */
bool agent_list_begin(struct agent_list *l, unsigned arch);
/* Append one expression of n bytes.  False: no room, and the list is as it was. */
bool agent_list_add(struct agent_list *l, const uint8_t *code, size_t n);
/* Is it a well-formed list of instructions that exist?  0, or -EINVAL and a sentence in
 * why. */
int  agent_list_check(const uint8_t *list, size_t n, char *why, size_t n_why);
/* 0 and *holds: one of the expressions is not 0 (those behind it are not evaluated). Else
 * the error of agent_eval() and its sentence; *holds is then false. */
int  agent_list_eval(const uint8_t *list, size_t n, const struct agent_machine *m, bool *holds,
                     char *why, size_t n_why);

#endif
