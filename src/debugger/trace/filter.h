/*
 * debugger/trace/filter.h -- "which events?": expressions over the fields of events.
 *
 *     exit==io && port==0x3f8 && rip in uart_init
 *     kind in (MARK, HYPERCALL) || time >= 1.5ms
 *     FAULT_TRUE && error & 4
 *
 * A field that an event does not have makes any comparison with it false;
 * `!(port==0x3f8)` is true of events without a port.  A kind's name alone is
 * true of that kind, a field's name alone of events that have the field.
 * doc/trace.md has the language; `vitrine trace --fields` lists the fields.
 */
#ifndef DEBUGGER_TRACE_FILTER_H
#define DEBUGGER_TRACE_FILTER_H

#include "base/trace.h"

struct filter;
struct trace_text;

struct filter_error {
    size_t column;              /* in bytes from 0: where the caret goes */
    char   text[200];           /* a sentence                            */
};

/* x gives symbols and engine names and may be NULL; it is not kept.  NULL, and *err. */
struct filter *filter_compile(const char *text, const struct trace_text *x,
                              struct filter_error *err);
/* Matches what both match; either may be NULL, which matches everything.  NULL: too long. */
struct filter *filter_both(const struct filter *a, const struct filter *b);
void filter_free(struct filter *f);

bool filter_match(const struct filter *f, const struct trace_event *e);

/* BIT(kind) of the kinds that can match at all. */
uint64_t filter_kinds(const struct filter *f);

/* Can block i of the file hold a match?  By what its header and index say. */
struct trace_file;
bool filter_may_match(const struct filter *f, const struct trace_file *file, size_t i);

/* Which of a block's events first..first+63 match, as bits: *bits.  False if it is damaged. */
struct trace_columns;
bool filter_select(const struct filter *f, struct trace_columns *c, size_t first, size_t n,
                   uint64_t *bits);

/* Three lines for the user: the sentence, the expression, and ^ below the place. */
void filter_complain(const char *text, const struct filter_error *err, char *buf, size_t n);

#endif
