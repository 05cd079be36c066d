/*
 * debugger/report/causes.h -- which sort of event leads to which, and how often: the links of all
 * chains of causes, added up.
 *
 *     EXIT IO  ->  IO_WRITE  ->  IRQ_LINE  ->  IRQ_ACK
 *          812 times    20 times     20 times
 */
#ifndef DEBUGGER_REPORT_CAUSES_H
#define DEBUGGER_REPORT_CAUSES_H

#include "base/trace.h"

struct causes;

struct cause_row {
    const char *cause, *effect;     /* "EXIT IO", "IRQ_LINE" */
    uint64_t    count;
    uint64_t    example;            /* the first event that was caused so */
};

/* For a trace of n events; NULL: no memory. */
struct causes *causes_new(uint64_t n);
void causes_free(struct causes *c);             /* c may be NULL */

/* Note event number `index` of the trace.  cause_index: the place of its cause; n or more: it has
 * none, or that is not in the trace. */
void causes_add(struct causes *c, uint64_t index, uint64_t cause_index,
                const struct trace_event *e);

/* The links, the most frequent first, at most `max`; returns how many. */
size_t causes_rows(const struct causes *c, struct cause_row *row, size_t max);

#endif
