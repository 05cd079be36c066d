/*
 * debugger/trace/why.c -- why did this event happen?
 *
 * Every event names the event that it answers (its cause), and that one names
 * its own.  To ask "why" is to follow that chain from the event back to the
 * first one that answers no other: mostly the EXIT with which the guest began it.
 * `vitrine trace --why` and the console's `why` print it line by line.
 */
#include "debugger/trace/why.h"

#include <inttypes.h>

#include "debugger/symbols/symbols.h"

static void why_line(const struct trace_text *x, const struct trace_event *e, const char *lead,
                     FILE *out)
{
    char args[300], where[240] = "", place[PLACE_MAX];
    trace_text_args(x, e, args, sizeof args);
    if (x && x->symbols)
        symbols_format(x->symbols, trace_linear(e), where, sizeof where);
    fprintf(out, "%s event %" PRIu64 ": %s%s%s (%s)\n", lead, e->seq, trace_text_kind(e),
            args[0] ? ", " : "", args,
            e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].about : "not known to this program");
    fprintf(out, "        at %" PRIu64 " ns, %s%s%s\n", e->vtime_ns,
            trace_place_phrase(e, place, sizeof place), where[0] ? ", in " : "", where);
}

void trace_why(const struct trace_text *x, const struct trace_event *e,
                    trace_find_fn *find, const void *arg, FILE *out)
{
    struct trace_event now = *e;
    why_line(x, &now, "       ", out);
    while (now.cause_back && now.cause_back < now.seq) {
        uint64_t cause = now.seq - now.cause_back;
        if (find(arg, cause, &now) != 0 || now.seq != cause) {
            fprintf(out, "because event %" PRIu64 ", which is not in this trace\n", cause);
            return;
        }
        why_line(x, &now, "because", out);
    }
    fprintf(out, "That one answers no other event: %s\n",
            now.kind == TRACE_EXIT ? "it is what the guest did." : "here the story begins.");
}
