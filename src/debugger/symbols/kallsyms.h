/*
 * debugger/symbols/kallsyms.h -- the symbols a Linux kernel carries within itself.
 *
 * A distribution's kernel has no symbol table to read, but for its own reports it keeps
 * all names, compressed, in its read-only data.  Once it has unpacked and
 * relocated itself in the guest's memory they are there with their addresses.
 */
#ifndef DEBUGGER_SYMBOLS_KALLSYMS_H
#define DEBUGGER_SYMBOLS_KALLSYMS_H

#include "base/types.h"

struct symbols;

/* Look through n bytes, which may be anything: the symbols, or NULL and a sentence. */
struct symbols *kallsyms_find(const uint8_t *bytes, size_t n, char *why, size_t n_why);

#endif
