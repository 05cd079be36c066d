/*
 * debugger/report/stuck_rows.c -- one row for each way of being stuck.
 */
#include "debugger/report/stuck_rows.h"

#include <inttypes.h>

#include "debugger/symbols/symbols.h"
#include "debugger/trace/stuck_text.h"

void stuck_rows_add(struct stuck_rows *rows, const struct trace_event *e)
{
    struct stuck_report r = { (enum stuck_how)e->arg[0], e->arg[1], trace_linear(e), e->arg[2] };
    for (unsigned i = 0; i < rows->n; i++) {
        struct stuck_report *row = &rows->row[i];
        if (row->how != r.how || row->where != r.where || row->at != r.at)
            continue;
        row->ns = r.ns > row->ns ? r.ns : row->ns;
        return;
    }
    if (rows->n < NELEM(rows->row))
        rows->row[rows->n++] = r;
}

void stuck_rows_print(const struct stuck_rows *rows, const struct symbols *symbols, FILE *out)
{
    if (rows->n)
        fputs("\nno progress\n", out);
    for (unsigned i = 0; i < rows->n; i++) {
        char text[300], where[240] = "";
        symbols_format(symbols, rows->row[i].at, where, sizeof where);
        fprintf(out, "%s (at %#" PRIx64 "%s%s%s)\n", stuck_text(&rows->row[i], text, sizeof text),
                rows->row[i].at, where[0] ? " <" : "", where, where[0] ? ">" : "");
    }
}
