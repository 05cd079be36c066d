/*
 * debugger/report/gather.h -- the numbers that a report's page is made of, counted from a
 * trace.
 *
 * A figure shows TIME_BINS moments of the run: virtual time from the first event to the last
 * is divided into so many equal parts ("bins"), and events are counted in each.  Two passes
 * over the trace are needed: the first finds which pages and which ports there are, the second
 * counts.  If the guest was taken back and changed, only the story that the trace ends with is
 * counted (trace/futures.h).
 *
 * How the numbers are shown is report.c's business.
 */
#ifndef DEBUGGER_REPORT_GATHER_H
#define DEBUGGER_REPORT_GATHER_H

#include "cpu/exit.h"
#include "debugger/report/causes.h"
#include "debugger/report/histogram.h"
#include "debugger/report/tally.h"
#include "debugger/trace/futures.h"
#include "debugger/trace/store.h"

#define TIME_BINS    120
#define PAGE_BINS    48
#define LATENCY_BINS 48         /* bin i: from 2^(i-1) to 2^i - 1 ns; bin 0: 0 ns */
#define MAX_MARKS    200
#define MAX_PORTS    16         /* rows of the devices' figure */

/* A MARK of the guest's: its number, and where in the trace it is. */
struct report_mark { uint64_t n, seq, vtime_ns; };

struct report_data {
    struct store   *s;
    struct futures *futures;
    struct causes  *causes;
    uint64_t        interrupt;              /* the first event that was injected; 0: none */
    struct trace_event stop;                /* the last STOP; its seq is 0: none          */
    uint64_t        by_kind[N_TRACE_KINDS];

    /* The whole run, in virtual time. */
    uint64_t first_ns, last_ns, events, exits;
    int      damaged;                       /* blocks of the trace that could not be read */

    /* Exits by reason, as exit_infos[] has them, in all and over time. */
    uint64_t by_reason[N_EXITS], other_reasons;
    uint32_t exits_at[TIME_BINS][N_EXITS];

    /* The map of guest-physical memory: how often events were about a page.  Its rows share the
     * pages that any event is about, in order of address, and not the addresses between them. */
    struct tally      pages;
    struct tally_row *page;                 /* by address; n_pages of them */
    size_t   n_pages;
    uint64_t pages_touched;                 /* events about a page         */
    uint32_t page_at[PAGE_BINS][TIME_BINS];

    /* How long exits last on the host. */
    uint64_t latency[LATENCY_BINS];
    bool     is_timed;                      /* somebody has measured                      */

    /* Which port, place in the code and vector came how often. */
    struct histogram *ports, *places, *vectors;

    /* Accesses to ports over time, for the MAX_PORTS that are used most, the busiest first. */
    uint16_t port[MAX_PORTS];
    size_t   n_ports;
    uint32_t port_at[MAX_PORTS][TIME_BINS];

    /* The first MAX_MARKS MARKs, and how many came after them. */
    struct report_mark mark[MAX_MARKS];
    size_t   n_marks, more_marks;
};

/* Count; *d is filled.  0, or -ENOMEM.  Call report_forget() in either case. */
int report_gather(struct store *s, struct report_data *d);

/* In which row of the map page number `page` of d->page is. */
size_t report_row_of_page(const struct report_data *d, size_t page);

/* Free what *d has allocated; *d itself is the caller's. */
void report_forget(struct report_data *d);

#endif
