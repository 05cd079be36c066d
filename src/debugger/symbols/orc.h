/*
 * debugger/symbols/orc.h -- a Linux kernel's own tables of who called whom.
 *
 * A kernel without debug information has, for its own reports, what is needed to go from
 * a function to its caller and over interrupts to what they interrupted.  They lie
 * in its memory, between symbols that kallsyms has (`debugger/symbols/kallsyms.h`).
 */
#ifndef DEBUGGER_SYMBOLS_ORC_H
#define DEBUGGER_SYMBOLS_ORC_H

#include "debugger/symbols/frame.h"

struct orc;
struct symbols;

/* Reads guest-physical memory: 0, or -errno. */
typedef int orc_read_fn(void *arg, uint64_t gpa, void *buf, size_t n);

/* The tables of the kernel with these symbols, somewhere in memory below `end`; NULL: there are
 * none. */
struct orc *orc_load(const struct symbols *s, orc_read_fn *read, void *arg, uint64_t end);
void orc_close(struct orc *o);                  /* o may be NULL */

/* The stack pointer before f's function was called, or the end of what an interrupt saved;
 * 0: not known.  o may be NULL. */
uint64_t orc_cfa(const struct orc *o, const struct expr_machine *m, const struct frame *f);

/* What caller knows of itself: pc, registers, whether it was interrupted.  f->cfa must be
 * orc_cfa()'s. */
bool orc_caller(const struct orc *o, const struct expr_machine *m, const struct frame *f,
                struct frame *caller);

#endif
