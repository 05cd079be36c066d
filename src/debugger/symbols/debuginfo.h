/*
 * debugger/symbols/debuginfo.h -- what a program's DWARF says: names of variables, functions
 * and types, what code belongs to which, how to get back to the caller.
 *
 * The program is a guest, or this very one (for the monitor's own variables).
 * Types are read by type.h, values by value.h, frames by frame.h; source text
 * and lines by symbols/line_table.h.  A guest's file may be hostile: libdw checks what it hands
 * out, and all that is counted or nested here is bounded.
 */
#ifndef DEBUGGER_SYMBOLS_DEBUGINFO_H
#define DEBUGGER_SYMBOLS_DEBUGINFO_H

#include <elfutils/libdw.h>
#include "base/types.h"

struct debuginfo;
struct source;

struct debuginfo *debuginfo_open(const char *elf);      /* NULL: no file, or nothing in it */
struct debuginfo *debuginfo_own(void);                  /* of this program                 */
void debuginfo_close(struct debuginfo *d);              /* d may be NULL                   */

struct source *debuginfo_source(struct debuginfo *d);
unsigned debuginfo_address_bytes(const struct debuginfo *d);        /* 4 or 8; of NULL 8   */
uint64_t debuginfo_bias(const struct debuginfo *d);     /* added to DWARF's addresses      */

/* A name at the outermost level.  Of several the one in the file that pc is of. */
enum debuginfo_kind {
    /* struct, union, enum */
    DEBUGINFO_VARIABLE = 1, DEBUGINFO_FUNCTION = 2, DEBUGINFO_TAG = 4,
    /* typedef, base type  */
    DEBUGINFO_TYPE = 8,
    DEBUGINFO_ENUMERATOR = 16,
};
/* parent: the enum */
struct debuginfo_name { const char *name; Dwarf_Off die, parent; unsigned kind; };
const struct debuginfo_name *debuginfo_find(struct debuginfo *d, unsigned kinds, const char *name,
                                            size_t len,
                                            uint64_t pc);
bool debuginfo_die(struct debuginfo *d, Dwarf_Off off, Dwarf_Die *die);
size_t debuginfo_names(struct debuginfo *d, const struct debuginfo_name **names);       /* sorted */

/* What pc lies in, from the innermost block outwards to its file: how many; 0 or less:
 * nothing is known.  Theirs until the next call with another pc. */
int debuginfo_scopes(struct debuginfo *d, uint64_t pc, Dwarf_Die **scopes);

/* How to get from a frame at pc to its caller's, for as long.  NULL: not known. */
Dwarf_Frame *debuginfo_unwind(struct debuginfo *d, uint64_t pc);

#endif
