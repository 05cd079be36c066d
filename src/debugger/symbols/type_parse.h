/*
 * debugger/symbols/type_parse.h -- a type as C writes it: "struct task *", "unsigned char",
 * "pte_t".
 */
#ifndef DEBUGGER_SYMBOLS_TYPE_PARSE_H
#define DEBUGGER_SYMBOLS_TYPE_PARSE_H

#include "debugger/symbols/type.h"

/* How many bytes of text are a type, and which; 0: it does not begin with one.
 * d may be NULL (C's own types are known all the same); pc chooses among files.
 * A struct that is not known is told in *unknown, if not NULL. */
size_t type_parse(struct debuginfo *d, unsigned address_bytes, uint64_t pc, const char *text,
                  struct type *t,
                  bool *unknown);

#endif
