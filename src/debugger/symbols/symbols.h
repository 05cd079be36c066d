/*
 * debugger/symbols/symbols.h -- from an address to "name+offset".
 */
#ifndef DEBUGGER_SYMBOLS_SYMBOLS_H
#define DEBUGGER_SYMBOLS_SYMBOLS_H

#include "base/types.h"

struct symbols;

/* The symbols of an ELF file, or of a text as `nm` and System.map have it: "c0100000 T start".
 * NULL, and in `why` a sentence, if it has none or cannot be read. */
struct symbols *symbols_open(const char *path, char *why, size_t n);

/* The same of a file's contents that are in memory already; for a process that can open no file
 * any more. */
struct symbols *symbols_read(const void *bytes, uint64_t n_bytes, char *why, size_t n);

/* One by one: new, add with nm's letter, settle.  add: false if there is no room for more. */
struct symbols *symbols_new(void);
bool symbols_add_typed(struct symbols *s, uint64_t addr, char type, const char *name);
void symbols_settle(struct symbols *s);
void symbols_close(struct symbols *s);

/* The program was loaded so much further up.  s may be NULL. */
void symbols_shift(struct symbols *s, uint64_t by);

/* The symbol addr lies in and how far, or NULL.  s may be NULL. */
const char *symbols_find(const struct symbols *s, uint64_t addr, uint64_t *offset);

/* "name+0x12", "name", or "" in buf; always terminated. */
char *symbols_format(const struct symbols *s, uint64_t addr, char *buf, size_t n);

/* Where the symbol of this name (len bytes) is: [*start, *end).  s may be NULL. */
bool symbols_extent(const struct symbols *s, const char *name, size_t len,
                    uint64_t *start, uint64_t *end);

size_t symbols_count(const struct symbols *s);      /* s may be NULL, here and below */

/* The i-th in order of address: its name, or NULL. */
const char *symbols_at(const struct symbols *s, size_t i, uint64_t *addr, uint64_t *end);

/* Into an ELF file, for other debuggers; false: why not. */
bool symbols_save(const struct symbols *s, const char *path, char *why, size_t n);

#endif
