/*
 * debugger/report/stuck_rows.h -- the ways in which a guest was stuck during a run, and for how
 * long: rows of `--stat`, made from STUCK events.
 */
#ifndef DEBUGGER_REPORT_STUCK_ROWS_H
#define DEBUGGER_REPORT_STUCK_ROWS_H

#include <stdio.h>
#include "base/trace.h"
#include "vm/stuck.h"

struct symbols;

/* The first eight different ones; zeros: none yet. */
struct stuck_rows {
    unsigned n;
    struct stuck_report row[8];
};

/* Note a STUCK event.  The same way at the same place is one row, with the longest time. */
void stuck_rows_add(struct stuck_rows *rows, const struct trace_event *e);

/* A heading and a line for each, or nothing if there are none.  symbols may be NULL. */
void stuck_rows_print(const struct stuck_rows *rows, const struct symbols *symbols, FILE *out);

#endif
