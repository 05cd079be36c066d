/*
 * debugger/report/report.h -- a trace as one self-contained web page: no scripts, no
 * network, figures as inline SVG.  Strings from the trace are escaped: a page
 * about a hostile guest shows its name, it does not run it.
 */
#ifndef DEBUGGER_REPORT_REPORT_H
#define DEBUGGER_REPORT_REPORT_H

#include <stdio.h>
#include "base/types.h"

struct store;

/* Who can tell what a port is: its name or NULL. */
typedef const char *report_port_fn(uint16_t port);

/* `name` is what the page calls the trace.  How many blocks were damaged, which the page
 * says too, or -errno. */
int report_html(struct store *s, const char *name, report_port_fn *port_name, FILE *out);

#endif
