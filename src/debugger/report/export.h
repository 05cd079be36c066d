/*
 * debugger/report/export.h -- a trace in formats of other people's tools.
 *
 *   chrome   one JSON file for Perfetto (ui.perfetto.dev) and chrome://tracing
 *   ctf      a directory in the Common Trace Format, for babeltrace2 and Trace Compass
 *
 * There is no way back: our own format (trace/format.h) has more than both.
 */
#ifndef DEBUGGER_REPORT_EXPORT_H
#define DEBUGGER_REPORT_EXPORT_H

#include <stdio.h>
#include "base/types.h"

struct filter;
struct store;

/* Write the events of s that f lets through to `out`, or into `directory`, which is made if it
 * is not there.  Both return how many blocks of the trace were damaged and left out, or -errno
 * if the output could not be written. */
int trace_export_chrome(struct store *s, const struct filter *f, FILE *out);
int trace_export_ctf(struct store *s, const struct filter *f, const char *directory);

#endif
