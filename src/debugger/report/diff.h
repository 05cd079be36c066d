/*
 * debugger/report/diff.h -- two runs of one guest compared by what the guest did: MARKs,
 * accesses to devices, hypercalls, handlers entered.
 *
 * How the monitor came to it may differ from engine to engine: exits, shadow and nested faults
 * are counted in a table below, but are no differences.  Times and addresses of code are not
 * compared at all.
 */
#ifndef DEBUGGER_REPORT_DIFF_H
#define DEBUGGER_REPORT_DIFF_H

#include <stdio.h>
#include "base/trace.h"

struct store;

/* The kinds of events that are compared, if both traces have any of them. */
#define TRACE_DIFF_KINDS (BIT(TRACE_MARK) | BIT(TRACE_IO_READ) | BIT(TRACE_IO_WRITE) \
                          | BIT(TRACE_MMIO_READ) | BIT(TRACE_MMIO_WRITE) | BIT(TRACE_HYPERCALL) \
                          | BIT(TRACE_DELIVER))

/* Compare a and b by events of these kinds (a mask of BIT(TRACE_...)), print at most max_shown
 * of the events that differ, as lines with '-' (only in a) or '+' (only in b), and then the
 * counts.  Returns how many events differ; -ENOMEM; or -EIO if a trace is damaged: what could
 * be read of it was compared. */
int64_t trace_diff(struct store *a, struct store *b, uint64_t kinds, unsigned max_shown, FILE *out);

#endif
