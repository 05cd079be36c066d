/*
 * debugger/report/gather.h -- what the page of a report is made of, counted in
 * one pass over the trace (and one before it over addresses, for their range).
 */
#ifndef DEBUGGER_REPORT_GATHER_H
#define DEBUGGER_REPORT_GATHER_H

#include "cpu/exit.h"
#include "debugger/report/histogram.h"
#include "debugger/trace/store.h"

#define TIME_BINS    120
#define PAGE_BINS    48
#define LATENCY_BINS 48         /* powers of two, ns */
#define MAX_MARKS    200
#define MAX_PORTS    16         /* rows of the devices' figure */

struct report_mark { uint64_t n, seq, vtime_ns; };

struct report_data {
    struct store *s;
    uint64_t first_ns, last_ns, events, exits;
    uint64_t by_reason[N_EXITS], other_reasons;
    uint32_t exits_at[TIME_BINS][N_EXITS];
    uint64_t first_page, last_page, pages_touched;
    uint32_t page_at[PAGE_BINS][TIME_BINS];
    uint64_t latency[LATENCY_BINS], entered_ns;
    bool     in_exit, is_timed;             /* timed: latency is the host's */
    struct histogram *ports, *places, *vectors;
    uint16_t port[MAX_PORTS];
    size_t   n_ports;
    uint32_t port_at[MAX_PORTS][TIME_BINS];
    struct report_mark mark[MAX_MARKS];
    size_t   n_marks, more_marks;
    int      damaged;
};

/* 0 or -errno; report_forget() in any case. */
int report_gather(struct store *s, struct report_data *d);
void report_forget(struct report_data *d);

#endif
