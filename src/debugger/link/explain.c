/*
 * debugger/link/explain.c -- the last words about a guest whose machine is in another process.
 *
 * What to say is report/explain.h's business.  This file gathers what it needs from this side
 * of the link: registers, memory and the account of failed deliveries are read from what both
 * processes share, and accesses that nobody answered are looked up in the trace.  So it works
 * after the VMM has died, too.
 */
#include <stdlib.h>

#include "debugger/link/link.h"
#include "debugger/report/explain.h"
#include "debugger/trace/filter.h"

static bool read_linear(void *link, gla_t at, void *to, size_t n)
{
    return link_read_linear(link, at, to, n) == 0;
}

static bool read_physical(void *link, gpa_t at, void *to, size_t n)
{
    return link_read_phys(link, at, to, n) == 0;
}

/* The newest UNCLAIMED of the trace; NULL: there is none, or it was not recorded. */
static const struct trace_event *last_unclaimed(struct store *store)
{
    struct filter_error e;
    struct filter *f = filter_compile("UNCLAIMED", NULL, &e);
    uint64_t n = store_n_events(store), at = n ? n - 1 : 0;
    bool found = f && n && store_prev(store, f, &at, 0) == STORE_FOUND;
    filter_free(f);
    return found ? store_at(store, at) : NULL;
}

char *link_explain(struct link *l, const struct symbols *symbols)
{
    struct cpu_state cpu;
    struct delivery_chain chain;
    char *text = NULL;
    size_t n;
    FILE *out = link_state(l) == LINK_ENDED ? open_memstream(&text, &n) : NULL;
    if (!out)
        return NULL;
    link_get_state(l, &cpu);
    link_get_undelivered(l, &chain);
    struct explain_input in = { .stop = link_stopped(l)->vm_stop, .cpu = &cpu,
                                .read = read_linear, .physical = read_physical, .arg = l,
                                .symbols = symbols, .chain = &chain,
                                .unclaimed = last_unclaimed(link_store(l)) };
    explain_end(&in, out);
    if (fclose(out) == 0 && text && *text)
        return text;
    free(text);
    return NULL;
}
