/*
 * debugger/report/stat.h -- where a run's exits come from and what they cost: the table that
 * `perf kvm stat` made familiar.
 *
 * It is fed event by event, from a trace file or, while the guest runs, from a drain (trace/
 * drain.h).  Four tables are kept at once: exits by reason, by port, by page of device memory
 * and by address of code.  (It is not called `struct stat`, which is the operating system's.)
 */
#ifndef DEBUGGER_REPORT_STAT_H
#define DEBUGGER_REPORT_STAT_H

#include <stdio.h>
#include "base/trace.h"

struct symbols;
struct exit_stat;

enum stat_by { STAT_BY_REASON, STAT_BY_PORT, STAT_BY_MMIO, STAT_BY_RIP, N_STAT_BY };
extern const char *const stat_by_names[N_STAT_BY];

struct exit_stat *stat_new(void);       /* NULL and errno */
void stat_free(struct exit_stat *s);    /* s may be NULL  */

/* Count an event.  Times are counted if RESUMEs carry the host's.  Events must come in the order of
 * the run; all kinds may come, those that say nothing about exits are ignored. */
void stat_add(struct exit_stat *s, const struct trace_event *e);

/* The same for n events, in the form that a drain calls; exit_stat is a struct exit_stat. */
void stat_sink(void *exit_stat, const struct trace_event *events, size_t n);

/* Tables by port say what each port is if somebody can tell: fn returns the device's name, or
 * NULL if there is none. */
typedef const char *stat_port_fn(uint16_t port);
void stat_name_ports(struct exit_stat *s, stat_port_fn *fn);

uint64_t stat_exits(const struct exit_stat *s);         /* how many exits                    */
uint64_t stat_sum_ns(const struct exit_stat *s);        /* their time on the host            */
bool stat_is_timed(const struct exit_stat *s);          /* false: nobody measured, all are 0 */

/* One row of a table, for those who draw it themselves. */
struct stat_row {
    char        name[96];                   /* "out 0x3f8", "timer_handler+0x12", ...    */
    const char *about;                      /* what that is in words; may be ""          */
    uint64_t    count;
    uint64_t    sum_ns, min_ns, max_ns;     /* of the host times that its exits took     */
};

/* Write the first n rows of a table to `out`, those that took most time first (if no time was
 * measured, those with the highest count).  Returns how many were written. symbols (may be
 * NULL) name addresses. */
size_t stat_rows(const struct exit_stat *s, enum stat_by by, const struct symbols *symbols,
                 struct stat_row *out, size_t n);

/* Print one table in the same order, at most `rows` lines (0: all) and one for all others. */
void stat_print_by(FILE *out, const struct exit_stat *s, enum stat_by by, size_t rows,
                   const struct symbols *symbols);

/* Print a headline and every table that has rows; with symbols (may be NULL) also one by
 * function. */
void stat_print(FILE *out, const struct exit_stat *s, const struct symbols *symbols);

#endif
