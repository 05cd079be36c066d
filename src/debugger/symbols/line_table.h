/*
 * debugger/symbols/line_table.h -- from an address of code to file, line and text of the
 * source, and back.
 *
 * It serves two programs: the guest, and the monitor itself, whose functions the debugger
 * shows beside the guest's.  Lines come from the debug information, the text from the source
 * files at the place where they were compiled; on another machine there may be nothing to
 * read, and then only names and line numbers are known.
 *
 * One thread only: tables are read when they are first needed.
 */
#ifndef DEBUGGER_SYMBOLS_LINE_TABLE_H
#define DEBUGGER_SYMBOLS_LINE_TABLE_H

#include "base/trace.h"

struct Dwfl_Module;
struct source;

struct source_place {
    char function[64];          /* "": not known                              */
    char file[200];             /* as the compiler was told: "src/vm/exits.c" */
    int  line;                  /* from 1; 0: nothing is known                */
};

/* Open the running program's own.  NULL: no debug information, or no memory. */
struct source *source_open(void);

/* The same for the ELF file of another program. */
struct source *source_open_file(const char *elf);

void source_close(struct source *s);                    /* s may be NULL, here and below */

/* libdwfl's handle of the program, from which debuginfo.c reads types and variables.  It
 * belongs to s, which must not be NULL. */
struct Dwfl_Module *source_module(struct source *s);

/* Where a function of the running program begins: its name, file and line. */
bool source_of_function(struct source *s, void (*fn)(void), struct source_place *p);

/* The file and line that the code at this address was compiled from; the function's name is
 * left empty.  False: not known. */
bool source_of_address(struct source *s, uint64_t addr, struct source_place *p);

/* Where the code of a line begins: *addr, the lowest if there are several.  If the line has no
 * code (it is empty, or a comment) it is the next that has; *actual is the line that was
 * found.  `file` may leave out directories in front ("kernel.c"); "" is any file.  False: no
 * line at or behind this one has code. */
bool source_address(struct source *s, const char *file, int line, uint64_t *addr, int *actual);

/* The addresses [*from, *to) around addr that were all compiled from the same line: stepping a
 * line ends when the program counter leaves them. */
bool source_range(struct source *s, uint64_t addr, uint64_t *from, uint64_t *to);

/* The i-th place (from 0) in the monitor's own source where events of this kind are written, or
 * such oddities; false: there are not so many. */
bool source_of_event(struct source *s, const struct trace_event *e, unsigned i,
                     struct source_place *p);

/* The text of line n (from 1) of a file; tabs and control characters are replaced by blanks.
 * It belongs to s.  NULL: the file cannot be read, or is not so long. */
const char *source_line(struct source *s, const char *file, int n);

#endif
