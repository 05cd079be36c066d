/*
 * debugger/symbols/symbols.h -- the guest's symbol table: from an address to "name+offset",
 * and from a name to its address.
 *
 * This is the least that a program tells about itself: names and addresses, no types (those come
 * from DWARF: debuginfo.h), and of source lines only which one an address is in (lines.h).  The
 * table may be read from an ELF file, from the text that `nm` prints, or be put together one
 * symbol at a time (kallsyms.c).
 *
 * The table is sorted by address and has one name for each address.  It is not changed after
 * it was settled, except by symbols_shift().
 */
#ifndef DEBUGGER_SYMBOLS_SYMBOLS_H
#define DEBUGGER_SYMBOLS_SYMBOLS_H

#include "base/types.h"

struct lines;
struct symbols;

/*
 * Making and freeing a table
 */

/* Read the symbols of an ELF file, or of a text in the format of `nm` and System.map, whose
 * lines look like "c0100000 T start".  The caller frees the result with symbols_close().
 * NULL: the file cannot be read or has no symbols; `why`, a buffer of n bytes, then holds a
 * sentence without a full stop. */
struct symbols *symbols_open(const char *path, char *why, size_t n);

/* The same for a file whose n_bytes bytes are in memory already: a process inside its sandbox
 * can open no file any more.  The bytes are not needed after the call. */
struct symbols *symbols_read(const void *bytes, uint64_t n_bytes, char *why, size_t n);

/* Make a table by hand: symbols_new(), then symbols_add_typed() for each symbol, in any order,
 * then symbols_settle() once.  Before it is settled nothing can be looked up. */

/* An empty table; NULL: no memory. */
struct symbols *symbols_new(void);

/* Add a symbol; `type` is nm's letter ('T' code, 'D' data, ...; lower case: local to a file).
 * The name is copied.  Symbols whose letter says that they name no address of the program are
 * left out silently.  False: the table is full or there is no memory. */
bool symbols_add_typed(struct symbols *s, uint64_t addr, char type, const char *name);

/* Sort the table and decide where each symbol ends. s may be NULL. */
void symbols_settle(struct symbols *s);

/* Lines of the same program, for symbols_line(); the table takes them over.  A table that
 * symbols_open() made has them already. */
void symbols_set_lines(struct symbols *s, struct lines *lines);

void symbols_close(struct symbols *s);              /* s may be NULL */

/* The program was loaded `by` bytes above the addresses that its file gives: add that to all
 * of them. s may be NULL. */
void symbols_shift(struct symbols *s, uint64_t by);

/*
 * Looking up. s may be NULL in all of these: then nothing is found.
 */

/* The name of the symbol that addr lies in, and in *offset how many bytes behind its start
 * that is; NULL: addr lies in none.  The name lives as long as the table. */
const char *symbols_find(const struct symbols *s, uint64_t addr, uint64_t *offset);

/* Write "name+0x12", or "name" if addr is its start, or "" if addr lies in no symbol, to buf,
 * which has room for n bytes; always terminated.  Returns buf. */
char *symbols_format(const struct symbols *s, uint64_t addr, char *buf, size_t n);

/* The source line of the code at addr, as "kernel.c:12", or "" if it is not known. */
char *symbols_line(const struct symbols *s, uint64_t addr, char *buf, size_t n);

/* The addresses [*start, *end) of the symbol whose name is the first len bytes of `name`;
 * false: there is none.  If several have the name it is the one with the lowest address. */
bool symbols_extent(const struct symbols *s, const char *name, size_t len,
                    uint64_t *start, uint64_t *end);

/* A kernel that is linked high lies elsewhere until it has switched paging on: its ELF file gives
 * each segment a physical address beside its linear one.  Where do the bytes that are linked at
 * `addr` lie then?  False: in no such segment. */
bool symbols_loaded_at(const struct symbols *s, uint64_t addr, uint64_t *physical);
/* The way back.  symbols_find() and the like go it by themselves where no symbol covers addr. */
bool symbols_linked_at(const struct symbols *s, uint64_t physical, uint64_t *addr);

/* How many symbols there are. */
size_t symbols_count(const struct symbols *s);

/* Symbol number i, counted from 0 in order of address: its name and [*addr, *end); NULL: there
 * are not so many. */
const char *symbols_at(const struct symbols *s, size_t i, uint64_t *addr, uint64_t *end);

/* Write the table to `path` as an ELF file, which other debuggers can read (save_elf.c).  False:
 * it could not be written, and `why` says the reason. */
bool symbols_save(const struct symbols *s, const char *path, char *why, size_t n);

#endif
