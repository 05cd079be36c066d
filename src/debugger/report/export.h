/*
 * debugger/report/export.h -- a trace for other people's tools.
 *
 *   chrome   one JSON file for Perfetto (ui.perfetto.dev) and chrome://tracing
 *   ctf      a directory in the Common Trace Format, for babeltrace2 and Trace Compass
 */
#ifndef DEBUGGER_REPORT_EXPORT_H
#define DEBUGGER_REPORT_EXPORT_H

#include <stdio.h>
#include "base/types.h"

struct filter;
struct store;

/* How many damaged blocks were left out, or -errno. */
int trace_export_chrome(struct store *s, const struct filter *f, FILE *out);
int trace_export_ctf(struct store *s, const struct filter *f, const char *directory);

#endif
