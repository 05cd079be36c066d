/*
 * debugger/symbols/debuginfo.h -- what a program's DWARF debug information says: the names of
 * its variables, functions and types, which code belongs to which function, and how to get
 * from a function's frame to its caller's.
 *
 * The program is the guest, or this very program (for stepping through the monitor's own
 * code).  DWARF describes a program as a tree of entries ("DIEs", debugging information
 * entries): a compilation unit (one source file) contains functions, those contain blocks and
 * variables, a variable refers to its type, and so on [DWARF 5 "Introduction"].  This file
 * finds entries.  What a type entry means is told by type.h, a variable's value by value.h,
 * frames by frame.h, lines and source text by line_table.h.
 *
 * A guest's file may be hostile. libdw checks the bytes that it hands out; everything here
 * that counts or nests has a bound of its own.
 */
#ifndef DEBUGGER_SYMBOLS_DEBUGINFO_H
#define DEBUGGER_SYMBOLS_DEBUGINFO_H

#include <elfutils/libdw.h>
#include "base/types.h"

struct debuginfo;
struct source;

/* Open the debug information of an ELF file.  NULL: there is no file of this name (or `elf` is
 * NULL), it has no debug information, or its addresses are neither 4 nor 8 bytes wide. */
struct debuginfo *debuginfo_open(const char *elf);

/* The debug information of the running program itself; NULL: it has none. */
struct debuginfo *debuginfo_own(void);

void debuginfo_close(struct debuginfo *d);              /* d may be NULL */

/* The same program's lines and source text; it belongs to d.  Of NULL: NULL. */
struct source *debuginfo_source(struct debuginfo *d);

/* How wide the program's addresses are: 4 or 8 bytes.  Of NULL: 8. */
unsigned debuginfo_address_bytes(const struct debuginfo *d);

/* The program runs so many bytes above the addresses that its DWARF gives. */
uint64_t debuginfo_bias(const struct debuginfo *d);

/* The kinds of names at file scope, one bit each, so that a search can ask for several. */
enum debuginfo_kind {
    DEBUGINFO_VARIABLE = 1, DEBUGINFO_FUNCTION = 2,
    DEBUGINFO_TAG = 4,                      /* struct NAME, union NAME, enum NAME */
    DEBUGINFO_TYPE = 8,                     /* a typedef or a base type as "int"  */
    DEBUGINFO_ENUMERATOR = 16,
};

/* A name and the entry it stands for, given by the entry's offset in .debug_info; `parent` is
 * the entry of the enum that an enumerator belongs to, else 0. */
struct debuginfo_name { const char *name; Dwarf_Off die, parent; unsigned kind; };

/* Find a name (the first len bytes of `name`) of one of these kinds.  Two source files may
 * have a static function or variable of the same name: the one is chosen whose file contains
 * the code at pc (0: no preference), and without such a file the first.  NULL: none has the
 * name. d may be NULL. */
const struct debuginfo_name *debuginfo_find(struct debuginfo *d, unsigned kinds, const char *name,
                                            size_t len, uint64_t pc);

/* The entry at this offset; false: there is none. */
bool debuginfo_die(struct debuginfo *d, Dwarf_Off off, Dwarf_Die *die);

/* All names, sorted: *names is an array that belongs to d; returns its length. */
size_t debuginfo_names(struct debuginfo *d, const struct debuginfo_name **names);

/* The entries that contain the code at pc, from the innermost block outwards: block, function,
 * compilation unit.  Returns how many; 0 or less: nothing is known of pc.  The array belongs
 * to d and is valid until scopes or unwind information of another pc are asked for. */
int debuginfo_scopes(struct debuginfo *d, uint64_t pc, Dwarf_Die **scopes);

/* The rules that lead from a frame at pc to its caller's [DWARF 5 "Call Frame Information"].
 * Belongs to d and is valid as long as the scopes are.  NULL: there are none. */
Dwarf_Frame *debuginfo_unwind(struct debuginfo *d, uint64_t pc);

#endif
