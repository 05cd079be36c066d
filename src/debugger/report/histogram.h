/*
 * debugger/report/histogram.h -- how often a field has which value.
 *
 * Values are counted one by one, most frequent first; addresses by function if
 * there are symbols; times (and what was measured in nanoseconds) by size.
 */
#ifndef DEBUGGER_REPORT_HISTOGRAM_H
#define DEBUGGER_REPORT_HISTOGRAM_H

#include <stdio.h>
#include "base/trace.h"

struct histogram;
struct tally_row;
struct trace_field;
struct trace_text;

/* x (words, symbols) must outlive it.  NULL: out of memory. */
struct histogram *histogram_new(const struct trace_field *field, const struct trace_text *x);
void histogram_free(struct histogram *h);

void histogram_add(struct histogram *h, const struct trace_event *e);
void histogram_print(struct histogram *h, size_t rows, FILE *out);     /* rows 0: all */

/* The rows, settled: most frequent first (times: ascending). */
const struct tally_row *histogram_rows(struct histogram *h, size_t *n, uint64_t *others);
char *histogram_label(const struct histogram *h, uint64_t value, char *buf, size_t n);

#endif
