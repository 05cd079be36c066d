/*
 * lab/ending.c -- from the last events of a trace to a sentence.
 */
#include "lab/ending.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "debugger/symbols/symbols.h"
#include "debugger/trace/store.h"
#include "vm/vm.h"

/* The last STOP; else the last event there is.  NULL: there is none. */
static const struct trace_event *last_event(struct store *s)
{
    uint64_t n = s ? store_n_events(s) : 0;
    const struct trace_event *e;
    for (uint64_t i = n; i-- > 0; )
        if ((e = store_at(s, i)) && e->kind == TRACE_STOP)
            return e;
    return n ? store_at(s, n - 1) : NULL;
}

void lab_ending_find(struct store *trace, const struct symbols *s, struct lab_ending *ending)
{
    char name[100], line[100], what[120];
    const struct trace_event *e = last_event(trace);
    *ending = (struct lab_ending){ .stop = LAB_NO_STOP };
    if (!e) {
        snprintf(ending->text, sizeof ending->text, "the guest did nothing at all");
        return;
    }
    snprintf(what, sizeof what, "it was stopped from outside");
    if (e->kind == TRACE_STOP && e->arg[1] < N_VM_STOPS) {
        ending->stop = (int)e->arg[1];
        snprintf(what, sizeof what, "%s, after %" PRIu64 " exit%s", vm_stops[e->arg[1]].about,
                 e->arg[2], e->arg[2] == 1 ? "" : "s");
    }
    symbols_format(s, trace_linear(e), name, sizeof name);
    symbols_line(s, trace_linear(e), line, sizeof line);
    snprintf(ending->text, sizeof ending->text, "%s; the guest was at 0x%" PRIx64 "%s%s%s%s", what,
             trace_linear(e), name[0] ? ", " : "", name, line[0] ? ", " : "", line);
}
