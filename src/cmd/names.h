/*
 * cmd/names.h -- where names of guest addresses come from.
 *
 *     --symbols FILE[@OFFSET]    what the command line says
 *     symbols=, guest=           else what a trace says it was recorded with
 *     the guest's own file       else, of a guest that runs now
 *
 * OFFSET is for a program that was loaded so many bytes above the addresses in its file.  Only
 * the first must be there: a guest without symbols is nothing unusual.
 */
#ifndef CMD_NAMES_H
#define CMD_NAMES_H

#include "base/types.h"

struct store;
struct symbols;

struct names {
    struct symbols *symbols;    /* NULL: there are none                          */
    char            path[4096]; /* the file they were looked for in; "": in none */
    uint64_t        offset;
};

/* Open the symbols `given` by the command line (NULL: none), or those of `else_file` (NULL: none).
 * False after a complaint: those given cannot be read.  Call names_close() in either case. */
bool names_open(struct names *n, const char *given, const char *else_file);

/* The same for trace s, which is in `file`.  A guest's file that was changed after the trace was
 * written would give wrong names: then there are none, and the user is told. */
bool names_open_trace(struct names *n, const char *given, const struct store *s, const char *file);

/* Where source lines may be read from: the same file, or NULL if its addresses were moved, for
 * debug information has addresses of its own. */
const char *names_debuginfo(const struct names *n);

void names_close(struct names *n);

#endif
