/*
 * debugger/symbols/guest_file.h -- the guest's ELF file: the bytes that were loaded from it,
 * and the source lines that its debug information tells.
 *
 * It serves a debugger that looks at a trace: there is no machine then, and the file is the
 * only place where the guest's code can be read.  A guest may have overwritten its memory
 * since it was loaded, so whoever shows these bytes must say that they are the file's.
 */
#ifndef DEBUGGER_SYMBOLS_GUEST_FILE_H
#define DEBUGGER_SYMBOLS_GUEST_FILE_H

#include "debugger/symbols/line_table.h"

struct guest_file;

/* NULL: `path` is NULL, or names no file that can be read, or that is no ELF file. */
struct guest_file *guest_file_open(const char *path);

/* g may be NULL, here and below. */
void guest_file_close(struct guest_file *g);

/* Copy up to n bytes from virtual address `at` of the program, as the file has them.  Returns
 * how many: fewer than n at the end of a segment, 0 outside of all. */
unsigned guest_file_read(const struct guest_file *g, uint64_t at, uint8_t *buf, unsigned n);

/* The i-th segment of code: its *n bytes as the file has them, which live as long as g, and the
 * guest-physical address that they are loaded at.  False: there are fewer. */
bool guest_file_code(const struct guest_file *g, size_t i, uint64_t *physical,
                     const uint8_t **bytes, uint64_t *n);

/* The source file and line that the code at virtual address `at` was compiled from.  False,
 * and an empty *p: not known. */
bool guest_file_place(struct guest_file *g, uint64_t at, struct source_place *p);

/* The text of that line; NULL: the source is not on this machine.  Lives as long as g. */
const char *guest_file_line(struct guest_file *g, const struct source_place *p);

#endif
