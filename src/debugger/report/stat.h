/*
 * debugger/report/stat.h -- where the exits come from and what they cost: the table
 * that `perf kvm stat` made familiar.
 *
 * Fed event by event, from a file or live from a drain.  (Not `struct stat`:
 * that name is the operating system's.)
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
void stat_free(struct exit_stat *s);

void stat_add(struct exit_stat *s, const struct trace_event *e);
void stat_sink(void *exit_stat, const struct trace_event *events, size_t n);    /* for a drain */

/* Who can tell what a port is: its name or NULL. */
typedef const char *stat_port_fn(uint16_t port);
void stat_name_ports(struct exit_stat *s, stat_port_fn *fn);

uint64_t stat_exits(const struct exit_stat *s);

/* One row of a table, for those who draw it themselves; `about` may be "". */
struct stat_row { char name[96]; const char *about; uint64_t count, sum_ns, min_ns, max_ns; };

/* The first n rows, largest time or count first: how many there are. */
size_t stat_rows(const struct exit_stat *s, enum stat_by by, const struct symbols *symbols,
                 struct stat_row *out, size_t n);
uint64_t stat_sum_ns(const struct exit_stat *s);        /* of all exits */
bool stat_is_timed(const struct exit_stat *s);          /* the host's time, not virtual */

/* One table, at most `rows` lines (0: all), largest time or count first. */
void stat_print_by(FILE *out, const struct exit_stat *s, enum stat_by by, size_t rows,
                   const struct symbols *symbols);

/* Headline and every table that has rows.  symbols may be NULL. */
void stat_print(FILE *out, const struct exit_stat *s, const struct symbols *symbols);

#endif
