/*
 * debugger/link/explain.c -- the last words about a guest whose machine is in another process,
 * and the word about one that is stuck.
 *
 * What to say is report/explain.h's business.  This file gathers what it needs from this side
 * of the link: registers, memory and the account of failed deliveries are read from what both
 * processes share, so it works after the VMM has died, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "debugger/link/private.h"
#include "debugger/report/explain.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/stuck_text.h"
#include "io/known_places.h"

static bool read_linear(void *link, gla_t at, void *to, size_t n)
{
    return link_read_linear(link, at, to, n) == 0;
}

static bool read_physical(void *link, gpa_t at, void *to, size_t n)
{
    return link_read_phys(link, at, to, n) == 0;
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
                                .symbols = symbols, .chain = &chain };
    explain_end(&in, out);
    if (fclose(out) == 0 && text && *text)
        return text;
    free(text);
    return NULL;
}

/* A guest that looks at a clock again and again waits for time to pass. */
static bool waits_for_time(const struct stuck_report *r)
{
    const struct known_place *p = r->how == STUCK_PORT ? known_place(r->where) : NULL;
    return p && p->waits == WAITS_FOR_TIME;
}

static bool is_same(const struct trace_event *a, const struct trace_event *b)
{
    return a->kind == b->kind && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] &&
           trace_linear(a) == trace_linear(b);
}

bool link_take_stuck(struct link *l, const struct symbols *symbols, char *buf, size_t n)
{
    char text[300], where[240] = "";
    uint64_t newest = l->store ? store_newest(l->store, TRACE_STUCK) : 0;
    if (newest == l->stuck.seen)
        return false;
    l->stuck.seen = newest;
    const struct trace_event *e = store_at(l->store, newest - 1);
    if (!e || is_same(e, &l->stuck.told))
        return false;
    l->stuck.told = *e;
    struct stuck_report r = { (enum stuck_how)e->arg[0], e->arg[1], trace_linear(e), e->arg[2] };
    if (waits_for_time(&r))
        return false;
    symbols_format(symbols, r.at, where, sizeof where);
    snprintf(buf, n, "the guest %s (at %#" PRIx64 "%s%s%s)",
             stuck_text(&r, text, sizeof text), r.at, where[0] ? " <" : "", where,
             where[0] ? ">" : "");
    return true;
}
