/*
 * debugger/report/stat.c -- counts and times of exits, by four keys at once.
 *
 * How long an exit took only the host's clock can tell: with --timing its RESUME event says how
 * many nanoseconds the monitor needed.  Without it there is no column of times.  Virtual time would
 * be no stand-in: it stands still while the monitor works, except for the microsecond that an
 * access to a port is charged, so that a page fault, which is dear, would look free.  One thing
 * virtual time does tell rightly: how long the guest slept in HLT.
 *
 * Begin reading with stat_add().
 */
#include "debugger/report/stat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cpu/exit.h"
#include "debugger/report/stuck_rows.h"
#include "debugger/report/tally.h"
#include "debugger/symbols/symbols.h"

/* As many as the event's field for the vCPU, one byte, can tell. */
#define MAX_VCPUS   256
#define TOP_ROWS    20

const char *const stat_by_names[N_STAT_BY] = { "reason", "port", "mmio", "rip" };

/* The exit that a vCPU is in, from its EXIT to its RESUME. */
struct pending {
    bool     in_exit;               /* false: the guest runs                                */
    bool     sleeps;                /* the last exit was a HLT; the guest was not seen since */
    uint64_t counted_ns;            /* of that sleep is counted until here                   */
    bool     has[N_STAT_BY];        /* does the exit have a row in this table? (a port ...) */
    uint64_t key[N_STAT_BY];        /* if so, of this key                                   */
    uint64_t vtime_ns;              /* when it began, in virtual time                       */
};

struct exit_stat {
    struct tally   table[N_STAT_BY];
    struct pending pending[MAX_VCPUS];
    uint64_t       exits, sum_ns;   /* the sum is host time            */
    uint64_t       slept_ns;        /* virtual time spent in HLT       */
    uint64_t       first_ns, last_ns;   /* virtual time of the first and last event */
    bool           any;             /* there was an event              */
    bool           timed;           /* RESUMEs carry the host's time   */
    struct stuck_rows stuck;
    stat_port_fn  *port_name;       /* may be NULL */
};

struct exit_stat *stat_new(void)
{
    return calloc(1, sizeof(struct exit_stat));
}

void stat_free(struct exit_stat *s)
{
    for (unsigned i = 0; s && i < N_STAT_BY; i++)
        tally_free(&s->table[i]);
    free(s);
}

void stat_name_ports(struct exit_stat *s, stat_port_fn *fn)
{
    s->port_name = fn;
}

uint64_t stat_exits(const struct exit_stat *s)
{
    return s->exits;
}

/*
 * Events
 */

/* Bits of a key that say "read": reads and writes of a port, or of a page, are two rows.  They
 * are put where the number of a port, or the address of a page, has none. */
#define PORT_IN BIT(16)
#define MMIO_IN BIT(0)

/* Note under which keys the exit will be counted; it is counted when it is known how long it
 * took. */
static void begin_exit(struct pending *p, const struct trace_event *e)
{
    struct vmexit x;
    *p = (struct pending){ .in_exit = true, .vtime_ns = e->vtime_ns };
    exit_unpack((unsigned)e->arg[0], e->arg[1], e->arg[2], &x);
    p->has[STAT_BY_REASON] = p->has[STAT_BY_RIP] = true;
    p->key[STAT_BY_REASON] = e->arg[0];
    p->key[STAT_BY_RIP] = trace_linear(e);
    if (x.reason == EXIT_IO) {
        p->has[STAT_BY_PORT] = true;
        p->key[STAT_BY_PORT] = x.io.port | (x.io.in ? PORT_IN : 0);
    } else if (x.reason == EXIT_MMIO) {
        p->has[STAT_BY_MMIO] = true;
        p->key[STAT_BY_MMIO] = (x.mmio.gpa & PAGE_MASK) | (x.mmio.write ? 0 : MMIO_IN);
    }
}

/* The exit is over; host_ns is how long it took on the host, or 0 if nobody measured. */
static void end_exit(struct exit_stat *s, struct pending *p, uint64_t host_ns)
{
    if (host_ns)
        s->timed = true;
    for (unsigned by = 0; by < N_STAT_BY; by++)
        if (p->has[by])
            tally_add(&s->table[by], &(struct tally_row){ p->key[by], 1, host_ns, host_ns,
                                                          host_ns });
    s->exits++;
    s->sum_ns += host_ns;
    p->in_exit = false;
}

/* A guest in HLT sleeps through what timers and devices do until it is given an interrupt, or has
 * another exit; before that one it may have run for a while, which is no sleep any more. */
static void count_sleep(struct exit_stat *s, struct pending *p, const struct trace_event *e)
{
    if (!p->sleeps)
        return;
    if (e->kind != TRACE_EXIT && e->vtime_ns > p->counted_ns) {
        s->slept_ns += e->vtime_ns - p->counted_ns;
        p->counted_ns = e->vtime_ns;
    }
    p->sleeps = e->kind != TRACE_EXIT && e->kind != TRACE_INJECT && e->kind != TRACE_DELIVER;
}

/* An exit ends with its RESUME.  If that is missing (the trace was filtered, or events were
 * lost) the exit ends with the next EXIT or STOP, and took no time. */
void stat_add(struct exit_stat *s, const struct trace_event *e)
{
    struct pending *p = &s->pending[e->who.vcpu];
    if (!s->any)
        s->first_ns = e->vtime_ns;
    s->any = true;
    if (e->vtime_ns > s->last_ns)
        s->last_ns = e->vtime_ns;
    count_sleep(s, p, e);
    if (p->in_exit && e->kind == TRACE_RESUME) {
        p->sleeps = p->key[STAT_BY_REASON] == EXIT_HLT;
        p->counted_ns = p->vtime_ns;
        count_sleep(s, p, e);
        end_exit(s, p, e->arg[2]);
    } else if (p->in_exit && (e->kind == TRACE_EXIT || e->kind == TRACE_STOP)) {
        end_exit(s, p, 0);          /* its RESUME was lost or not asked for */
    }
    if (e->kind == TRACE_EXIT)
        begin_exit(p, e);
    if (e->kind == TRACE_STUCK)
        stuck_rows_add(&s->stuck, e);
}

void stat_sink(void *exit_stat, const struct trace_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++)
        stat_add(exit_stat, &events[i]);
}

/*
 * Showing
 */

/* For qsort(): the largest time first, then the highest count; equal rows by key, so that the
 * order is always the same. */
static int by_weight(const void *pa, const void *pb)
{
    const struct tally_row *a = pa, *b = pb;
    if (a->sum != b->sum)
        return a->sum < b->sum ? 1 : -1;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return a->key < b->key ? -1 : a->key > b->key;
}

/* A row's name as the table shows it. */
static const char *say_key(enum stat_by by, uint64_t key, const struct symbols *symbols,
                           char *buf, size_t n)
{
    switch (by) {
    case STAT_BY_REASON:
        if (key > UINT32_MAX || exit_index((unsigned)key) < 0)
            snprintf(buf, n, "? 0x%" PRIx64, key);
        else
            snprintf(buf, n, "%s", exit_name((unsigned)key));
        break;
    case STAT_BY_PORT:
        snprintf(buf, n, "%s 0x%" PRIx64, key & PORT_IN ? "in " : "out", key & 0xffff);
        break;
    case STAT_BY_MMIO:
        snprintf(buf, n, "%s 0x%" PRIx64 "-%" PRIx64, key & MMIO_IN ? "read " : "write",
                 key & PAGE_MASK, (key & PAGE_MASK) | 0xfff);
        break;
    case STAT_BY_RIP:
        if (!symbols_format(symbols, key, buf, n)[0])
            snprintf(buf, n, "0x%" PRIx64, key);
        break;
    case N_STAT_BY:
        break;
    }
    return buf;
}

static double percent_of(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Times are kept in nanoseconds and printed in microseconds, if they were measured. */
static void print_row(FILE *out, const struct exit_stat *s, const char *name,
                      const struct tally_row *r, const char *about)
{
    fprintf(out, "%-*s %10" PRIu64 " %7.2f%%", 24 + utf8_extra(name), name, r->count,
            percent_of(r->count, s->exits));
    if (s->timed)
        fprintf(out, " %7.2f%% %10.2f %10.2f %12.2f", percent_of(r->sum, s->sum_ns),
                (double)r->min / 1e3, (double)r->sum / (double)r->count / 1e3,
                (double)r->max / 1e3);
    fprintf(out, "%s%s\n", about[0] ? "  " : "", about);
}

/* The remark at the end of a row: what is at this port, or what this reason means. */
static const char *about_key(const struct exit_stat *s, enum stat_by by, uint64_t key)
{
    if (by == STAT_BY_PORT && s->port_name) {
        const char *name = s->port_name((uint16_t)key);
        return name ? name : "no device";
    }
    int i = by == STAT_BY_REASON && key <= UINT32_MAX ? exit_index((unsigned)key) : -1;
    return i < 0 ? "" : exit_infos[i].about;
}

/* What is not shown on its own is added up in the last line. */
static void print_table(FILE *out, const struct exit_stat *s, enum stat_by by, const char *title,
                        size_t max_rows, const struct symbols *symbols)
{
    const struct tally *t = &s->table[by];
    struct tally_row others = t->rest;
    char name[240];
    size_t n;
    struct tally_row *rows = tally_rows(t, by_weight, &n);
    if (!rows)
        return;
    fprintf(out, "%-24s %10s %8s", title, "count", "count %");
    if (s->timed)
        fprintf(out, " %8s %10s %10s %12s", "time %", "min us", "avg us", "max us");
    fputc('\n', out);
    for (size_t i = 0; i < n; i++) {
        if (max_rows && i >= max_rows)
            tally_fold(&others, &rows[i]);
        else
            print_row(out, s, say_key(by, rows[i].key, symbols, name, sizeof name), &rows[i],
                      about_key(s, by, rows[i].key));
    }
    if (others.count)
        print_row(out, s, "(all others)", &others, "");
    free(rows);
}

size_t stat_rows(const struct exit_stat *s, enum stat_by by, const struct symbols *symbols,
                 struct stat_row *out, size_t max)
{
    size_t n;
    struct tally_row *rows = tally_rows(&s->table[by], by_weight, &n);
    if (!rows)
        return 0;
    for (size_t i = 0; i < n && i < max; i++) {
        out[i] = (struct stat_row){ .about = about_key(s, by, rows[i].key), .count = rows[i].count,
                                    .sum_ns = rows[i].sum, .min_ns = rows[i].min,
                                    .max_ns = rows[i].max };
        say_key(by, rows[i].key, symbols, out[i].name, sizeof out[i].name);
    }
    free(rows);
    return n < max ? n : max;
}

uint64_t stat_sum_ns(const struct exit_stat *s) { return s->sum_ns; }
bool stat_is_timed(const struct exit_stat *s) { return s->timed; }

void stat_print_by(FILE *out, const struct exit_stat *s, enum stat_by by, size_t max_rows,
                   const struct symbols *symbols)
{
    print_table(out, s, by, stat_by_names[by], max_rows, symbols);
}

/* The rip table again, but by the function that each address lies in: a second table is filled
 * from the first.  Addresses in no function, and what the first table had no room for, are
 * added to its last line. */
static void print_functions(FILE *out, const struct exit_stat *s, const struct symbols *symbols)
{
    const struct tally *t = &s->table[STAT_BY_RIP];
    struct exit_stat *f = stat_new();
    for (size_t i = 0; f && i < t->slots; i++) {
        struct tally_row r = t->row[i];
        uint64_t offset = 0;
        if (r.count && symbols_find(symbols, r.key, &offset)) {
            r.key -= offset;
            tally_add(&f->table[STAT_BY_RIP], &r);
        } else {
            tally_fold(&f->table[STAT_BY_RIP].rest, &r);
        }
    }
    if (f) {
        tally_fold(&f->table[STAT_BY_RIP].rest, &t->rest);
        f->exits = s->exits;
        f->sum_ns = s->sum_ns;
        f->timed = s->timed;
        print_table(out, f, STAT_BY_RIP, "function", TOP_ROWS, symbols);
    }
    stat_free(f);
}

static void print_headline(FILE *out, const struct exit_stat *s)
{
    fprintf(out, "%" PRIu64 " exits in %.6f s of virtual time", s->exits,
            (double)(s->last_ns - s->first_ns) / 1e9);
    if (s->slept_ns)
        fprintf(out, ", %.6f s of it asleep (HLT)", (double)s->slept_ns / 1e9);
    if (s->timed)
        fprintf(out, "; times below are HOST time spent in the monitor, %.6f s in all\n",
                (double)s->sum_ns / 1e9);
    else
        fputs("; --timing measures host time\n", out);
}

void stat_print(FILE *out, const struct exit_stat *s, const struct symbols *symbols)
{
    print_headline(out, s);
    stuck_rows_print(&s->stuck, symbols, out);
    for (enum stat_by by = 0; by < N_STAT_BY; by++) {
        if (!s->table[by].used)
            continue;
        fputc('\n', out);
        stat_print_by(out, s, by, TOP_ROWS, symbols);
    }
    if (symbols && s->table[STAT_BY_RIP].used) {
        fputc('\n', out);
        print_functions(out, s, symbols);
    }
}
