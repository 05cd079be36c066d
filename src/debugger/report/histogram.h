/*
 * debugger/report/histogram.h -- how often a field of events has which value.
 *
 *                          rip        count    share
 *                    uart_putc          812   71.04%  ##############################
 *                    timer_isr          204   17.85%  ########
 *                       others          127   11.11%
 *
 * Values are counted one by one and shown with the most frequent first.  Two sorts of fields
 * are put into classes: addresses by the function they lie in, if there are symbols, and times
 * (with what was measured in nanoseconds) by powers of two, the shortest first.
 */
#ifndef DEBUGGER_REPORT_HISTOGRAM_H
#define DEBUGGER_REPORT_HISTOGRAM_H

#include <stdio.h>
#include "base/trace.h"

struct histogram;
struct tally_row;
struct trace_field;
struct trace_text;

/* A histogram of this field. x has the words and symbols to name values with; it may be NULL,
 * and must live longer than the histogram.  NULL: no memory. */
struct histogram *histogram_new(const struct trace_field *field, const struct trace_text *x);
void histogram_free(struct histogram *h);       /* h may be NULL */

/* Count the field of e, if e has it. */
void histogram_add(struct histogram *h, const struct trace_event *e);

/* Print at most `rows` rows (0: all), one for all others, and the total.  Nothing may be added
 * after it, or after histogram_rows(): the rows are sorted once. */
void histogram_print(struct histogram *h, size_t rows, FILE *out);

/* The rows in the order of printing, *n of them; in *others how many events found no row.
 * They belong to h.  NULL, and *n is 0: no memory. */
const struct tally_row *histogram_rows(struct histogram *h, size_t *n, uint64_t *others);

/* What to call the row with this key: a word, a function, or a number.  Returns buf. */
char *histogram_label(const struct histogram *h, uint64_t value, char *buf, size_t n);

#endif
