/*
 * debugger/symbols/kallsyms.h -- the symbols that a Linux kernel carries within itself.
 *
 * The kernel image of a distribution has no ELF symbol table.  But the kernel wants to print
 * names in its own reports (an "oops", /proc/kallsyms), so it keeps all of them, compressed,
 * in its read-only data.  Once the kernel has unpacked and relocated itself in the guest's
 * memory, the names are there with the addresses that are valid in this run.  We look for them
 * without being told where they are.
 */
#ifndef DEBUGGER_SYMBOLS_KALLSYMS_H
#define DEBUGGER_SYMBOLS_KALLSYMS_H

#include "base/types.h"

struct symbols;

/* Search n bytes of guest memory, which may hold anything.  The caller frees the table with
 * symbols_close().  NULL: no kernel's names are in them; `why` (n_why bytes) says so in a
 * sentence. */
struct symbols *kallsyms_find(const uint8_t *bytes, size_t n, char *why, size_t n_why);

#endif
