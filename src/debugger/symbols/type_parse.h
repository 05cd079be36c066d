/*
 * debugger/symbols/type_parse.h -- reading a type as C writes it: "struct task *", "unsigned
 * char", "pte_t".
 *
 * Only what can stand in a cast: a named or plain type and stars.
 */
#ifndef DEBUGGER_SYMBOLS_TYPE_PARSE_H
#define DEBUGGER_SYMBOLS_TYPE_PARSE_H

#include "debugger/symbols/type.h"

/* Read a type at the beginning of `text`.  Returns how many bytes of the text it is, or 0 if
 * the text does not begin with a type.
 *
 * d may be NULL: C's own types are known all the same, "long" as wide as address_bytes.  If
 * several files define the name, the one that contains the code at pc is meant.  *unknown (may
 * be NULL) is set if the text is "struct NAME" but no such struct exists: then it cannot be
 * meant as an expression either. */
size_t type_parse(struct debuginfo *d, unsigned address_bytes, uint64_t pc, const char *text,
                  struct type *t, bool *unknown);

#endif
