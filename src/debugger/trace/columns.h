/*
 * debugger/trace/columns.h -- a block's events column by column, each unpacked
 * when it is asked for: a search for a port need not know what time it was.
 */
#ifndef DEBUGGER_TRACE_COLUMNS_H
#define DEBUGGER_TRACE_COLUMNS_H

#include "base/trace.h"

struct trace_columns;
struct trace_file;

struct trace_columns *trace_columns_new(void);      /* NULL: out of memory */
void trace_columns_free(struct trace_columns *c);

/* Look at block i of the file.  Number of events, or -EINVAL, -ENOMEM and a sentence. */
int trace_columns_open(struct trace_columns *c, const struct trace_file *f, size_t i,
                       char *why, size_t n);

/* Good until the next trace_columns_open(); NULL: damaged.  Kinds are ours,
 * 255 if not known here.  Words are those of struct trace_event, 0 to 7, but that number 3 is the
 * linear address in any case, and what else belongs to the place is TRACE_WORD_BASE. */
#define TRACE_WORD_BASE 8
const uint8_t *trace_columns_kinds(struct trace_columns *c);
const uint64_t *trace_columns_word(struct trace_columns *c, unsigned word);

/* All of them as events.  0, -EINVAL and a sentence. */
int trace_columns_events(struct trace_columns *c, struct trace_event *events, char *why, size_t n);

#endif
