/*
 * debugger/report/gather.c -- counting, in two passes over the trace.
 *
 * report_gather() at the end makes the passes; above it is a function for each kind of event
 * that is counted.
 */
#include "debugger/report/gather.h"

#include <errno.h>
#include <string.h>

#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"

/* Which part of the run a moment lies in.  What lies outside, which only a damaged trace has,
 * counts to the ends. */
static size_t time_bin(const struct report_data *d, uint64_t ns)
{
    uint64_t span = d->last_ns - d->first_ns + 1;
    if (ns < d->first_ns || ns > d->last_ns)
        return ns < d->first_ns ? 0 : TIME_BINS - 1;
    return (size_t)((double)(ns - d->first_ns) / (double)span * TIME_BINS);
}

/* The page of guest-physical memory that an event is about: entries that were made in nested
 * and shadow tables, and exits that have an address.  False: none. */
static bool page_of(const struct trace_event *e, uint64_t *page)
{
    uint64_t gpa;
    if (e->kind != TRACE_NESTED_FILL && e->kind != TRACE_SHADOW_FILL && e->kind != TRACE_EXIT)
        return false;
    if (!trace_field_value(trace_field_find("gpa", 3), e, &gpa))
        return false;
    *page = gpa / PAGE_SIZE;
    return true;
}

/* First pass: the lowest and the highest page that any event is about. */
static bool widen_pages(void *arg, uint64_t index, const struct trace_event *e)
{
    struct report_data *d = arg;
    uint64_t page;
    (void)index;
    if (!page_of(e, &page))
        return true;
    d->first_page = !d->pages_touched || page < d->first_page ? page : d->first_page;
    d->last_page = page > d->last_page ? page : d->last_page;
    d->pages_touched++;
    return true;
}

/* Second pass: count an event in the map.  Its rows divide [first_page, last_page] evenly. */
static void count_page(struct report_data *d, const struct trace_event *e, size_t t)
{
    uint64_t page;
    if (!page_of(e, &page) || page < d->first_page || page > d->last_page)
        return;
    double part = (double)(page - d->first_page) / (double)(d->last_page - d->first_page + 1);
    d->page_at[(size_t)(part * PAGE_BINS)][t]++;
}

/* An unknown reason (a trace of a newer version) is counted, but has no colour. */
static void count_exit(struct report_data *d, const struct trace_event *e, size_t t)
{
    int i = e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
    d->exits++;
    d->in_exit = true;
    d->entered_ns = e->vtime_ns;
    histogram_add(d->places, e);
    if (i < 0) {
        d->other_reasons++;
        return;
    }
    d->by_reason[i]++;
    d->exits_at[t][i]++;
}

/* The exit ends.  Its bin is the number of bits that its time has. */
static void count_resume(struct report_data *d, const struct trace_event *e)
{
    uint64_t ns = d->is_timed ? e->arg[2] : e->vtime_ns - d->entered_ns;
    if (!d->in_exit)
        return;
    d->in_exit = false;
    size_t bin = ns ? 64 - (size_t)__builtin_clzll(ns) : 0;
    d->latency[bin < LATENCY_BINS ? bin : LATENCY_BINS - 1]++;
}

/* A guest may set MARKs in a loop; those that find no room are counted. */
static void add_mark(struct report_data *d, const struct trace_event *e)
{
    if (d->n_marks == MAX_MARKS)
        d->more_marks++;
    else
        d->mark[d->n_marks++] = (struct report_mark){ e->arg[0], e->seq, e->vtime_ns };
}

/* A port gets a row in the figure if it is among the first MAX_PORTS; the table below the
 * figure has them all. */
static void count_port(struct report_data *d, const struct trace_event *e, size_t t)
{
    size_t i = 0;
    histogram_add(d->ports, e);
    while (i < d->n_ports && d->port[i] != e->arg[0])
        i++;
    if (i == d->n_ports) {
        if (i == MAX_PORTS || e->arg[0] > UINT16_MAX)
            return;
        d->port[d->n_ports++] = (uint16_t)e->arg[0];
    }
    d->port_at[i][t]++;
}

/* Second pass, for each event. */
static bool count_event(void *arg, uint64_t index, const struct trace_event *e)
{
    struct report_data *d = arg;
    size_t t = time_bin(d, e->vtime_ns);
    (void)index;
    d->events++;
    count_page(d, e, t);
    switch (e->kind) {
    case TRACE_EXIT:     count_exit(d, e, t); break;
    case TRACE_RESUME:   count_resume(d, e); break;
    case TRACE_MARK:     add_mark(d, e); break;
    case TRACE_IO_READ:
    case TRACE_IO_WRITE: count_port(d, e, t); break;
    case TRACE_DELIVER:  histogram_add(d->vectors, e); break;
    }
    return true;
}

/* Compile one of our own filters, which are free of mistakes.  NULL: no memory. */
static struct filter *filter_of(const char *text)
{
    struct filter_error err;
    return filter_compile(text, NULL, &err);
}

/* A histogram of the field of this name. */
static struct histogram *histogram_of(const struct store *s, const char *field)
{
    return histogram_new(trace_field_find(field, strlen(field)), store_text(s));
}

/* The trace is in order of time, so its first and last event tell how long the run was. */
static void find_span(struct report_data *d)
{
    uint64_t n = store_n_events(d->s);
    const struct trace_event *e = n ? store_at(d->s, 0) : NULL;
    d->first_ns = d->last_ns = e ? e->vtime_ns : 0;
    e = n ? store_at(d->s, n - 1) : NULL;
    if (e && e->vtime_ns > d->first_ns)
        d->last_ns = e->vtime_ns;
}

/* The filter "gpa" lets through the events that have a field of that name, so the first pass
 * can skip blocks that have none. */
int report_gather(struct store *s, struct report_data *d)
{
    struct filter *pages = filter_of("gpa"), *all = filter_of(""),
                  *timed = filter_of("host_ns > 0");
    uint64_t at = 0;
    int err = -ENOMEM;
    *d = (struct report_data){ .s = s };
    d->ports = histogram_of(s, "port");
    d->places = histogram_of(s, "rip");
    d->vectors = histogram_of(s, "vector");
    if (pages && all && timed && d->ports && d->places && d->vectors) {
        find_span(d);
        d->is_timed = store_next(s, timed, &at, 0) == STORE_FOUND;
        store_each(s, pages, 0, UINT64_MAX, widen_pages, d);
        d->damaged = store_each(s, all, 0, UINT64_MAX, count_event, d);
        err = 0;
    }
    filter_free(pages);
    filter_free(all);
    filter_free(timed);
    return err;
}

void report_forget(struct report_data *d)
{
    histogram_free(d->ports);
    histogram_free(d->places);
    histogram_free(d->vectors);
}
