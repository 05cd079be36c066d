/*
 * debugger/report/diff.h -- two runs of one guest, compared by what the guest
 * did: MARKs, device accesses, hypercalls, handlers entered.
 *
 * How the monitor came to it (exits, shadow and nested faults) may differ and
 * is counted beside; time and places in the monitor are not compared.
 */
#ifndef DEBUGGER_REPORT_DIFF_H
#define DEBUGGER_REPORT_DIFF_H

#include <stdio.h>
#include "base/trace.h"

struct store;

/* Kinds that are compared if both traces have any. */
#define TRACE_DIFF_KINDS (BIT(TRACE_MARK) | BIT(TRACE_IO_READ) | BIT(TRACE_IO_WRITE) \
                          | BIT(TRACE_MMIO_READ) | BIT(TRACE_MMIO_WRITE) | BIT(TRACE_HYPERCALL) \
                          | BIT(TRACE_DELIVER))

/* At most max_shown differences are printed.  How many there are, or -errno:
 * -EIO if a trace is damaged; what is left of it was compared. */
int64_t trace_diff(struct store *a, struct store *b, uint64_t kinds, unsigned max_shown, FILE *out);

#endif
