/*
 * debugger/symbols/guest_file.h -- the guest's ELF file: its bytes as they were loaded,
 * and the source lines that its debug information tells.
 *
 * What the guest's memory held at some moment is another matter: who shows
 * these bytes says where they are from.
 */
#ifndef DEBUGGER_SYMBOLS_GUEST_FILE_H
#define DEBUGGER_SYMBOLS_GUEST_FILE_H

#include "debugger/symbols/line_table.h"

struct guest_file;

struct guest_file *guest_file_open(const char *path);       /* NULL: no ELF, or not there */
void guest_file_close(struct guest_file *g);                /* g may be NULL, as below */

/* How many of the n bytes at this virtual address are in the file. */
unsigned guest_file_read(const struct guest_file *g, uint64_t at, uint8_t *buf, unsigned n);

bool guest_file_place(struct guest_file *g, uint64_t at, struct source_place *p);
const char *guest_file_line(struct guest_file *g, const struct source_place *p);

#endif
