/*
 * debugger/report/gather.c -- counting, in two passes over the trace.
 *
 * report_gather() at the end makes the passes; above it is a function for each kind of event
 * that is counted.
 */
#include "debugger/report/gather.h"

#include <errno.h>
#include <stdlib.h>
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

/* First pass: which pages there are, and which ports. */
static bool meet(void *arg, uint64_t index, const struct trace_event *e)
{
    struct report_data *d = arg;
    uint64_t page;
    (void)index;
    if (!futures_in_story(d->futures, e->seq))
        return true;
    if (e->kind == TRACE_IO_READ || e->kind == TRACE_IO_WRITE)
        histogram_add(d->ports, e);
    if (page_of(e, &page)) {
        tally_add(&d->pages, &(struct tally_row){ .key = page, .count = 1 });
        d->pages_touched++;
    }
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct tally_row *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

size_t report_row_of_page(const struct report_data *d, size_t page)
{
    return d->n_pages <= PAGE_BINS ? page : page * PAGE_BINS / d->n_pages;
}

/* Second pass: count an event in the map.  A page that the full tally had no room for is in
 * none of the rows. */
static void count_page(struct report_data *d, const struct trace_event *e, size_t t)
{
    struct tally_row key = { .key = 0 };
    if (!page_of(e, &key.key) || !d->n_pages)
        return;
    const struct tally_row *at = bsearch(&key, d->page, d->n_pages, sizeof key, by_address);
    if (at)
        d->page_at[report_row_of_page(d, (size_t)(at - d->page))][t]++;
}

/* An unknown reason (a trace of a newer version) is counted, but has no colour. */
static void count_exit(struct report_data *d, const struct trace_event *e, size_t t)
{
    int i = e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
    d->exits++;
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
    uint64_t ns = e->arg[2];
    size_t bin = ns ? 64 - (size_t)__builtin_clzll(ns) : 0;
    if (ns)
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

/* The busiest ports have a row in the figure; the table below it has all. */
static void count_port(struct report_data *d, const struct trace_event *e, size_t t)
{
    for (size_t i = 0; i < d->n_ports; i++)
        if (d->port[i] == e->arg[0])
            d->port_at[i][t]++;
}

/* Where event e's cause is in the trace; beyond its end if it has none. */
static uint64_t cause_of(const struct report_data *d, const struct trace_event *e)
{
    return e->cause_back ? store_seek_seq(d->s, e->seq - e->cause_back) : UINT64_MAX;
}

/* Second pass, for each event. */
static bool count_event(void *arg, uint64_t index, const struct trace_event *found)
{
    struct report_data *d = arg;
    struct trace_event event = *found, *e = &event;
    if (!futures_in_story(d->futures, e->seq))
        return true;
    size_t t = time_bin(d, e->vtime_ns);
    d->events++;
    if (e->kind < N_TRACE_KINDS)
        d->by_kind[e->kind]++;
    causes_add(d->causes, index, cause_of(d, e), e);
    count_page(d, e, t);
    switch (e->kind) {
    case TRACE_EXIT:     count_exit(d, e, t); break;
    case TRACE_RESUME:   count_resume(d, e); break;
    case TRACE_MARK:     add_mark(d, e); break;
    case TRACE_IO_READ:
    case TRACE_IO_WRITE: count_port(d, e, t); break;
    case TRACE_INJECT:   d->interrupt = d->interrupt ? d->interrupt : e->seq; break;
    case TRACE_DELIVER:  histogram_add(d->vectors, e); break;
    case TRACE_STOP:     d->stop = *e; break;
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

/* The story is in order of time, so its first and last event tell how long the run was.  It begins
 * with the trace, or with the latest state that was loaded. */
static void find_span(struct report_data *d)
{
    size_t i = futures_count(d->futures) - 1;
    for (uint64_t back; (back = futures_back_to(d->futures, i)) != 0; )
        i = futures_of(d->futures, back);
    uint64_t n = store_n_events(d->s), at = store_seek_seq(d->s, futures_first(d->futures, i));
    const struct trace_event *e = at < n ? store_at(d->s, at) : NULL;
    d->first_ns = d->last_ns = e ? e->vtime_ns : 0;
    e = n ? store_at(d->s, n - 1) : NULL;
    if (e && e->vtime_ns > d->first_ns)
        d->last_ns = e->vtime_ns;
}

/* Between the passes: what was met is put in order. */
static void settle(struct report_data *d)
{
    size_t n;
    uint64_t others;
    const struct tally_row *row = histogram_rows(d->ports, &n, &others);
    for (size_t i = 0; i < n && d->n_ports < MAX_PORTS; i++)
        if (row[i].key <= UINT16_MAX)
            d->port[d->n_ports++] = (uint16_t)row[i].key;
    d->page = tally_rows(&d->pages, by_address, &d->n_pages);
}

/* The first pass can skip blocks that have no event with a page or port. */
int report_gather(struct store *s, struct report_data *d)
{
    struct filter *some = filter_of("gpa || IO_READ || IO_WRITE"), *all = filter_of(""),
                  *timed = filter_of("host_ns > 0");
    uint64_t at = 0;
    int err = -ENOMEM;
    *d = (struct report_data){ .s = s };
    d->futures = futures_find(s);
    d->causes = causes_new(store_n_events(s));
    d->ports = histogram_of(s, "port");
    d->places = histogram_of(s, "rip");
    d->vectors = histogram_of(s, "vector");
    if (some && all && timed && d->futures && d->causes && d->ports && d->places && d->vectors) {
        find_span(d);
        d->is_timed = store_next(s, timed, &at, 0) == STORE_FOUND;
        store_each(s, some, 0, UINT64_MAX, meet, d);
        settle(d);
        d->damaged = store_each(s, all, 0, UINT64_MAX, count_event, d);
        err = 0;
    }
    filter_free(some);
    filter_free(all);
    filter_free(timed);
    return err;
}

void report_forget(struct report_data *d)
{
    futures_free(d->futures);
    causes_free(d->causes);
    tally_free(&d->pages);
    free(d->page);
    histogram_free(d->ports);
    histogram_free(d->places);
    histogram_free(d->vectors);
}
