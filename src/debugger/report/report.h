/*
 * debugger/report/report.h -- a trace as one web page, to be looked at without this program; or two
 * traces beside each other.
 *
 * The page is complete in itself: no scripts, nothing from the network, figures are SVG in the
 * page.  Strings from the trace are escaped, so a page about a hostile guest shows its name
 * and does not run it; a Content-Security-Policy in the page forbids scripts besides.
 */
#ifndef DEBUGGER_REPORT_REPORT_H
#define DEBUGGER_REPORT_REPORT_H

#include <stdio.h>
#include "base/types.h"

#define REPORT_MAX_RUNS 2

struct store;

/* What a port is: the name of its device, or NULL. */
typedef const char *report_port_fn(uint16_t port);

/* A trace, and what the page calls it. */
struct report_run { struct store *s; const char *name; };

/* Write the page about n_runs traces (1 to REPORT_MAX_RUNS) to `out`. port_name (may be NULL) tells
 * what ports are.  Returns how many blocks of the traces were damaged and left out, which the page
 * says too; -ENOMEM, or -EIO if `out` could not be written. */
int report_html(const struct report_run *run, size_t n_runs, report_port_fn *port_name, FILE *out);

#endif
