/*
 * debugger/trace/index.h -- which values the events of a block have, in a
 * Bloom filter: it may say yes too often, never no.
 *
 * Only fields that trace/field.c marks as indexed, and of their values without
 * the low bits that it says (an address by page, code by 64 bytes).
 */
#ifndef DEBUGGER_TRACE_INDEX_H
#define DEBUGGER_TRACE_INDEX_H

#include <stdio.h>
#include "base/trace.h"

struct trace_field;
struct trace_index;             /* of a block that is being written */

struct trace_index *trace_index_new(void);
void trace_index_free(struct trace_index *x);
void trace_index_add(struct trace_index *x, const struct trace_event *events, size_t n);
/* The bytes for the block, and start anew; a power of two up to TRACE_INDEX_MAX. */
size_t trace_index_take(struct trace_index *x, uint8_t *bytes);

/* Can there be a value lo..hi of an indexed field? */
bool trace_index_may_hold(const uint8_t *index, size_t n_bytes, const struct trace_field *f,
                          uint64_t lo, uint64_t hi);

/* "rip:6,port:0,..." for the file's info, and whether such a line has f. */
void trace_index_describe(FILE *out);
bool trace_index_described(const char *line, const struct trace_field *f);

#endif
