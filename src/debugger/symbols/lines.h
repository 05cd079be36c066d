/*
 * debugger/symbols/lines.h -- from an address of code to its source line, and no more than that.
 *
 * A process inside its sandbox can open nothing, and yet has to say in which line of the guest's
 * source a crash was.  So the file is opened before, which costs little, and read when it is
 * asked.  Whoever may open files at any time has more from line_table.h.
 */
#ifndef DEBUGGER_SYMBOLS_LINES_H
#define DEBUGGER_SYMBOLS_LINES_H

#include "base/types.h"

struct lines;

/* The ELF file of n_bytes bytes in memory, which must stay there; or in an open file, which may be
 * closed afterwards.  NULL: no debug information. */
struct lines *lines_of_memory(const void *bytes, uint64_t n_bytes);
struct lines *lines_of_file(int fd);

void lines_close(struct lines *l);                      /* l may be NULL, here and below */

/* Write the file and line that the code at addr was compiled from as "kernel.c:12", or
 * "boot/kernel.c:12" if the compiler was told a directory, to buf, which has room for n bytes.
 * False: not known, and buf is "".  The search is slow: ask for single addresses. */
bool lines_find(struct lines *l, uint64_t addr, char *buf, size_t n);

#endif
