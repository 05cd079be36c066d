/*
 * debugger/symbols/line_table.h -- source code, mostly the monitor's own: which function is that,
 * and what does it look like?
 *
 * Found by the debug information of this very program and read from where it
 * was compiled; on another machine there may be nothing to read, and then only
 * names and lines are known.
 */
#ifndef DEBUGGER_SYMBOLS_LINE_TABLE_H
#define DEBUGGER_SYMBOLS_LINE_TABLE_H

#include "base/trace.h"

struct Dwfl_Module;
struct source;

struct source_place {
    char function[64];          /* "": not known          */
    char file[200];             /* as the compiler was told: "src/vm/exits.c" */
    int  line;                  /* 0: nothing is known    */
};

struct source *source_open(void);       /* NULL: no debug information, or no memory */
struct source *source_open_file(const char *elf);       /* the same, of another program */
void source_close(struct source *s);
struct Dwfl_Module *source_module(struct source *s);    /* for types and variables: debuginfo.c */

/* Where this function of ours begins.  s may be NULL, as below. */
bool source_of_function(struct source *s, void (*fn)(void), struct source_place *p);

/* The line that this address came of. */
bool source_of_address(struct source *s, uint64_t addr, struct source_place *p);

/* The code of that line, or else of the next one that has code: where it begins, and
 * which line it is.  file may leave out directories in front; "" is any. */
bool source_address(struct source *s, const char *file, int line, uint64_t *addr, int *actual);

/* The code around addr that comes of one line: [*from, *to). */
bool source_range(struct source *s, uint64_t addr, uint64_t *from, uint64_t *to);

/* Where events of this kind are emitted: the i-th place; false: not so many. */
bool source_of_kind(struct source *s, enum trace_kind kind, unsigned i, struct source_place *p);

/* Line n (from 1) of a file, tabs and controls made blanks; NULL: not readable, or its end. */
const char *source_line(struct source *s, const char *file, int n);

#endif
