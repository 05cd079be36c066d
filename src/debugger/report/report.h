/*
 * debugger/report/report.h -- a trace as one web page, to be looked at without this program.
 *
 * The page is complete in itself: no scripts, nothing from the network, figures are SVG in the
 * page.  Strings from the trace are escaped, so a page about a hostile guest shows its name
 * and does not run it; a Content-Security-Policy in the page forbids scripts besides.
 */
#ifndef DEBUGGER_REPORT_REPORT_H
#define DEBUGGER_REPORT_REPORT_H

#include <stdio.h>
#include "base/types.h"

struct store;

/* What a port is: the name of its device, or NULL. */
typedef const char *report_port_fn(uint16_t port);

/* Write the page about trace s to `out`.  `name` is what the page calls the trace, and
 * port_name (may be NULL) tells what ports are.  Returns how many blocks of the trace were
 * damaged and left out, which the page says too; -ENOMEM, or -EIO if `out` could not be
 * written. */
int report_html(struct store *s, const char *name, report_port_fn *port_name, FILE *out);

#endif
