/*
 * debugger/symbols/orc.h -- a Linux kernel's own tables of who called whom (ORC).
 *
 * To print a backtrace in its own reports, a kernel that was built without debug information
 * still needs to get from a function's frame to its caller's, and from an interrupt handler to
 * the code it interrupted.  The tables for that lie in its memory, at symbols that kallsyms
 * has (kallsyms.h). frame.c uses them where the program has no DWARF call frame information.
 */
#ifndef DEBUGGER_SYMBOLS_ORC_H
#define DEBUGGER_SYMBOLS_ORC_H

#include "debugger/symbols/frame.h"

struct orc;
struct symbols;

/* Read n bytes of guest-physical memory into buf: 0, or -errno if there is none. */
typedef int orc_read_fn(void *arg, uint64_t gpa, void *buf, size_t n);

/* Find and copy the tables of the kernel whose symbols are s; `read` reads its memory, which
 * ends at guest-physical address `end`.  The caller frees the result with orc_close().  NULL:
 * the symbols name no such tables, or memory does not hold them, or there is no memory. */
struct orc *orc_load(const struct symbols *s, orc_read_fn *read, void *arg, uint64_t end);
void orc_close(struct orc *o);                  /* o may be NULL */

/* The canonical frame address (CFA) of f: what the stack pointer was before the call of f's
 * function, or, in an interrupt handler, the address just above the registers that the CPU
 * pushed.  0: not known. o may be NULL. */
uint64_t orc_cfa(const struct orc *o, const struct expr_machine *m, const struct frame *f);

/* Fill in what is known of the caller of f: its registers, with the program counter, and
 * whether it was interrupted instead of calling. f->cfa must be what orc_cfa() returned.
 * False: the caller is not known. */
bool orc_caller(const struct orc *o, const struct expr_machine *m, const struct frame *f,
                struct frame *caller);

#endif
