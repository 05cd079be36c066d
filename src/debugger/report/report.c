/*
 * debugger/report/report.c -- the page: figures and tables out of what gather.c has counted.
 *
 * sections[] at the end is the page: a row for each section, in their order, with the function
 * that writes it for one run.  With two runs each section has both, beside each other where the
 * screen is wide enough, else one below the other.
 *
 * All text that comes from the trace goes through put_text() or put_word() (page.h).
 */
#include "debugger/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/report/gather.h"
#include "debugger/report/page.h"
#include "debugger/report/palette.h"
#include "debugger/report/tally.h"
#include "debugger/trace/why.h"
#include "vm/vm.h"

#define TABLE_ROWS 15
#define TIMELINE_H 1000         /* units of the timeline's height */

#define DEVICE_COLOUR "#3b82c4"
#define MEMORY_COLOUR "#2e9e6b"

/* One run of the page. */
struct run {
    const char         *name;
    report_port_fn     *port_name;
    struct report_data  d;
};

/* The reasons that occur, the most frequent first (an insertion sort, as they are few); how
 * many. */
static size_t rank_reasons(const struct report_data *d, unsigned *order)
{
    size_t n = 0;
    for (unsigned i = 0; i < N_EXITS; i++) {
        if (!d->by_reason[i])
            continue;
        size_t at = n++;
        for (; at > 0 && d->by_reason[order[at - 1]] < d->by_reason[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n;
}

/*
 * How it ended
 */

/* The STOP, and what `vitrine run` said of it (report/explain.h). */
static void put_end(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    const char *words = store_words(d->s);
    uint64_t why = d->stop.arg[1], status = d->stop.arg[0];
    if (!d->stop.seq) {
        fputs("<p class=\"end\">The trace ends without the end of its run: the run goes on, was "
              "killed, or this kind of event was left out.</p>\n", out);
        return;
    }
    fprintf(out, "<div class=\"end%s\"><p>", status || words ? " bad" : "");
    put_text(out, why < N_VM_STOPS ? vm_stops[why].about : "for a reason unknown here");
    fprintf(out, ": status %" PRIu64 ", after ", status);
    put_time(out, d->last_ns - d->first_ns);
    fprintf(out, " of virtual time, %" PRIu64 " exits", d->exits);
    if (d->stop.icount)
        fprintf(out, " and %" PRIu64 " instructions", d->stop.icount);
    fputs(".</p>\n", out);
    if (words) {
        fputs("<pre>", out);
        put_text(out, words);
        fputs("</pre>\n", out);
    }
    fputs("</div>\n", out);
}

/* What trace it is, and whether anything is missing in it. */
static void put_about(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    const char *warning = store_warning(d->s);
    fputs("<p>Trace ", out);
    put_text(out, r->name);
    fprintf(out, ": %" PRIu64 " events, %" PRIu64 " lost.", d->events, store_lost(d->s));
    if (futures_count(d->futures) > 1)
        fprintf(out, " The last of %zu futures: the guest was taken back and changed, or a state "
                     "was loaded.", futures_count(d->futures));
    fputs("</p>\n", out);
    if (warning[0] || d->damaged) {
        fprintf(out, "<p><b>%d damaged blocks.</b> ", d->damaged);
        put_text(out, warning);
        fputs("</p>\n", out);
    }
    put_end(out, r);
}

/*
 * Exits
 */

/* A dashed line for each of the guest's MARKs. */
static void put_marks(FILE *out, const struct report_data *d)
{
    double span = (double)(d->last_ns - d->first_ns) + 1;
    for (size_t i = 0; i < d->n_marks; i++) {
        double x = (double)(d->mark[i].vtime_ns - d->first_ns) / span * TIME_BINS;
        fprintf(out, "<g><title>MARK %" PRIu64 "</title><path d=\"M%.2f 0V%d\" "
                "stroke=\"currentColor\" stroke-dasharray=\"4 4\" "
                "vector-effect=\"non-scaling-stroke\"/></g>\n", d->mark[i].n, x, TIMELINE_H);
    }
}

/* From when to when a column of a figure is, for people who hover over it. */
static void put_span(FILE *out, const struct report_data *d, size_t t)
{
    uint64_t span = d->last_ns - d->first_ns;
    put_time(out, d->first_ns + (uint64_t)((double)span * (double)t / TIME_BINS));
    fputs(" to ", out);
    put_time(out, d->first_ns + (uint64_t)((double)span * (double)(t + 1) / TIME_BINS));
}

/* One column: its exits, stacked by reason from the bottom.  A single exit beside thousands is
 * still seen: no column is lower than a hundredth of the figure. */
static void put_column(FILE *out, const struct report_data *d, size_t t, const unsigned *order,
                       size_t n, uint64_t most)
{
    uint64_t sum = 0;
    double y = TIMELINE_H;
    for (size_t i = 0; i < n; i++)
        sum += d->exits_at[t][order[i]];
    if (!sum)
        return;
    double all = (double)sum / (double)most * TIMELINE_H;
    double scale = (all < TIMELINE_H / 100.0 ? TIMELINE_H / 100.0 : all) / (double)sum;
    fputs("<g><title>", out);
    put_span(out, d, t);
    fprintf(out, ": %" PRIu64 " exits", sum);
    for (size_t i = 0; i < n; i++)
        if (d->exits_at[t][order[i]])
            fprintf(out, ", %s %" PRIu32, exit_infos[order[i]].name, d->exits_at[t][order[i]]);
    fputs("</title>", out);
    for (size_t i = 0; i < n; i++) {
        double h = (double)d->exits_at[t][order[i]] * scale;
        if (h > 0)
            put_rect(out, (double)t, y -= h, 1, h, palette_of_exit(order[i]), 1);
    }
    fputs("</g>\n", out);
}

static void put_timeline(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    unsigned order[N_EXITS];
    size_t n = rank_reasons(d, order);
    uint64_t most = 1;
    char top[40];
    for (size_t t = 0; t < TIME_BINS; t++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += d->exits_at[t][order[i]];
        most = sum > most ? sum : most;
    }
    snprintf(top, sizeof top, "%" PRIu64 " exits", most);
    begin_figure(out, TIME_BINS, TIMELINE_H, 220, "exits over time", top, "0");
    for (size_t t = 0; t < TIME_BINS; t++)
        put_column(out, d, t, order, n, most);
    put_marks(out, d);
    end_figure(out, d->first_ns, d->last_ns);
    fputs("<p class=\"note legend\">", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "<span><i class=\"key\" style=\"background:%s\"></i>%s</span> ",
                palette_of_exit(order[i]), exit_infos[order[i]].name);
    fprintf(out, "Virtual time%s.</p>\n", d->n_marks ? "; dashed: MARKs of the guest" : "");
}

/* The table of reasons, each with a bar of its share beside it. */
static void put_reasons(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    unsigned order[N_EXITS];
    size_t n = rank_reasons(d, order);
    fputs("<table><tr><th>reason</th><th>count</th><th>share</th><th></th></tr>\n", out);
    for (size_t i = 0; i < n; i++) {
        double share = (double)d->by_reason[order[i]] / (double)d->exits;
        fprintf(out, "<tr><td title=\"%s\">%s</td><td>%" PRIu64 "</td><td>%.2f %%</td>"
                "<td class=\"barcell\"><svg class=\"bar\" viewBox=\"0 0 100 1\" "
                "preserveAspectRatio=\"none\">",
                exit_infos[order[i]].about, exit_infos[order[i]].name, d->by_reason[order[i]],
                100 * share);
        put_rect(out, 0, 0, 100 * share, 1, palette_of_exit(order[i]), 1);
        fputs("</svg></td></tr>\n", out);
    }
    if (d->other_reasons)
        fprintf(out, "<tr><td>not known here</td><td>%" PRIu64 "</td><td></td><td></td></tr>\n",
                d->other_reasons);
    fprintf(out, "<tr><td>all</td><td>%" PRIu64 "</td><td></td><td></td></tr></table>\n", d->exits);
}

/* Two runs in one table: exits by reason, and how many more the second has. */
static void put_comparison(FILE *out, const struct run *a, const struct run *b)
{
    fputs("<h2 id=\"compared\">Side by side</h2>\n<div class=\"wide\"><table><tr><th>exits</th>",
          out);
    for (const struct run *r = a; r; r = r == a ? b : NULL) {
        const char *engine = store_info(r->d.s, "engine"), *mmu = store_info(r->d.s, "mmu");
        fputs("<th>", out);
        put_text(out, r->name);
        fputs("<br/>", out);
        put_text(out, engine ? engine : "?");
        fputc('/', out);
        put_text(out, mmu ? mmu : "?");
        fputs("</th>", out);
    }
    fputs("<th>difference</th></tr>\n", out);
    for (unsigned i = 0; i < N_EXITS; i++)
        if (a->d.by_reason[i] || b->d.by_reason[i])
            fprintf(out, "<tr><td><i class=\"key\" style=\"background:%s\"></i>%s</td>"
                    "<td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%+" PRId64 "</td></tr>\n",
                    palette_of_exit(i), exit_infos[i].name, a->d.by_reason[i], b->d.by_reason[i],
                    (int64_t)(b->d.by_reason[i] - a->d.by_reason[i]));
    fprintf(out, "<tr><td>all</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%+" PRId64
            "</td></tr></table></div>\n", a->d.exits, b->d.exits,
            (int64_t)(b->d.exits - a->d.exits));
}

/*
 * Causes
 */

/* Which sort of event led to which; and one chain of causes in full, that of the first
 * interrupt. */
static void put_causes(FILE *out, const struct run *r)
{
    struct cause_row row[TABLE_ROWS];
    struct trace_event e;
    size_t n = causes_rows(r->d.causes, row, TABLE_ROWS);
    if (!n) {
        fputs("<p class=\"note\">No event of this trace answers another one.</p>\n", out);
        return;
    }
    fputs("<table><tr><th>this</th><th class=\"say\">led to this</th><th>times</th>"
          "<th>first</th></tr>\n", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "<tr><td>%s</td><td class=\"say\">%s</td><td>%" PRIu64 "</td><td>%" PRIu64
                "</td></tr>\n", row[i].cause, row[i].effect, row[i].count, row[i].example);
    fputs("</table>\n<p class=\"note\">First: its event; <code>vitrine trace --why EVENT ", out);
    put_word(out, r->name);
    fputs("</code> tells the whole chain.</p>\n", out);
    if (!r->d.interrupt || store_find_seq(r->d.s, r->d.interrupt, &e) != 0)
        return;
    char *text = NULL;
    size_t size;
    FILE *chain = open_memstream(&text, &size);
    if (!chain)
        return;
    trace_why(store_text(r->d.s), &e, store_find_seq, r->d.s, chain);
    fclose(chain);
    fputs("<h3>The first event that the monitor injected, and because of what</h3>\n<pre>", out);
    put_text(out, text ? text : "");
    fputs("</pre>\n", out);
    free(text);
}

/*
 * Memory
 */

/* How opaque a field is: the more, the darker, by the number of bits, so that one touch can be
 * seen beside a million.  A count of 0 is not drawn at all. */
static double shade(uint32_t count, uint32_t most)
{
    double bits = 32 - __builtin_clz(count), all = 32 - __builtin_clz(most);
    return 0.25 + 0.75 * bits / all;
}

/* A field of a map: a count, and what hovering says of it. */
static void put_field(FILE *out, const struct report_data *d, size_t t, size_t row, uint32_t count,
                      uint32_t most, const char *what, const char *colour)
{
    fprintf(out, "<g><title>%s, ", what);
    put_span(out, d, t);
    fprintf(out, ": %" PRIu32 "</title>", count);
    put_rect(out, (double)t, (double)row, 1, 1, colour, shade(count, most));
    fputs("</g>\n", out);
}

/* Which pages share a row of the map, as addresses. */
static void say_pages(const struct report_data *d, size_t row, char *text, size_t n)
{
    size_t from = 0, to;
    while (from < d->n_pages && report_row_of_page(d, from) != row)
        from++;
    for (to = from; to + 1 < d->n_pages && report_row_of_page(d, to + 1) == row; to++)
        ;
    if (from == d->n_pages)
        text[0] = '\0';
    else
        snprintf(text, n, "%#" PRIx64 "-%#" PRIx64, d->page[from].key * PAGE_SIZE,
                 d->page[to].key * PAGE_SIZE + PAGE_SIZE - 1);
}

/* Memory from bottom to top, time from left to right, and a field for each part of both.  Only
 * pages that something happened to have rows: between them are megabytes of nothing. */
static void put_map(FILE *out, const struct report_data *d)
{
    uint32_t most = 1;
    char top[40], bottom[40], pages[60];
    size_t rows = d->n_pages < PAGE_BINS ? d->n_pages : PAGE_BINS;
    for (size_t p = 0; p < rows; p++)
        for (size_t t = 0; t < TIME_BINS; t++)
            most = d->page_at[p][t] > most ? d->page_at[p][t] : most;
    snprintf(top, sizeof top, "%#" PRIx64, d->page[d->n_pages - 1].key * PAGE_SIZE);
    snprintf(bottom, sizeof bottom, "%#" PRIx64, d->page[0].key * PAGE_SIZE);
    begin_figure(out, TIME_BINS, (unsigned)rows, (unsigned)(rows < 10 ? 16 * rows : 8 * rows),
                 "page faults and fills by page and time", top, bottom);
    for (size_t p = 0; p < rows; p++) {
        say_pages(d, p, pages, sizeof pages);
        for (size_t t = 0; t < TIME_BINS; t++)
            if (d->page_at[p][t])
                put_field(out, d, t, rows - 1 - p, d->page_at[p][t], most, pages, MEMORY_COLOUR);
    }
    end_figure(out, d->first_ns, d->last_ns);
    fprintf(out, "<p class=\"note\">Faults and fills of %zu guest-physical pages, %" PRIu64
            " in all; the darkest spot has %" PRIu32 ".</p>\n", d->n_pages, d->pages_touched, most);
}

/* What the monitor did to its own page tables, and the guest to its. */
static void put_tables(FILE *out, const struct run *r)
{
    static const enum trace_kind kinds[] = {
        TRACE_NESTED_FILL, TRACE_NESTED_ZAP, TRACE_SHADOW_FILL, TRACE_SHADOW_ZAP,
        TRACE_SHADOW_ROOT, TRACE_FAULT_TRUE,
    };
    const struct report_data *d = &r->d;
    bool any = false;
    for (size_t i = 0; i < NELEM(kinds); i++) {
        const struct trace_kind_info *k = &trace_kinds[kinds[i]];
        if (!d->by_kind[kinds[i]])
            continue;
        fprintf(out, "%s<tr><td>%s</td><td>%" PRIu64 "</td><td class=\"say\">%s</td></tr>\n",
                any ? "" : "<table><tr><th>event</th><th>times</th><th class=\"say\">what it "
                           "is</th></tr>\n", k->name, d->by_kind[kinds[i]], k->about);
        any = true;
    }
    if (any)
        fputs("</table>\n", out);
    if (d->n_pages)
        put_map(out, d);
    else
        fputs("<p class=\"note\">No second-level or shadow faults in this trace.</p>\n", out);
}

/*
 * Devices, times, places
 */

/* What a port is, in words for the page; "" if nobody knows. */
static const char *port_of(const struct run *r, uint64_t port)
{
    const char *name = r->port_name && port <= UINT16_MAX ? r->port_name((uint16_t)port) : NULL;
    return name ? name : "";
}

/* A row for each port over time, shaded by itself (a busy port beside a quiet one would leave
 * the quiet one invisible). */
static void put_ports(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    char top[20], bottom[20], port[20];
    snprintf(top, sizeof top, "port %#x", d->port[0]);
    snprintf(bottom, sizeof bottom, "port %#x", d->port[d->n_ports - 1]);
    begin_figure(out, TIME_BINS, (unsigned)d->n_ports, (unsigned)d->n_ports * 16,
                 "device accesses over time", top, d->n_ports > 1 ? bottom : "");
    for (size_t i = 0; i < d->n_ports; i++) {
        uint32_t most = 1;
        for (size_t t = 0; t < TIME_BINS; t++)
            most = d->port_at[i][t] > most ? d->port_at[i][t] : most;
        snprintf(port, sizeof port, "port %#x", d->port[i]);
        for (size_t t = 0; t < TIME_BINS; t++)
            if (d->port_at[i][t])
                put_field(out, d, t, i, d->port_at[i][t], most, port, DEVICE_COLOUR);
    }
    end_figure(out, d->first_ns, d->last_ns);
}

static void put_devices(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    size_t n;
    uint64_t others;
    const struct tally_row *row = histogram_rows(d->ports, &n, &others);
    if (!d->n_ports) {
        fputs("<p class=\"note\">No port was accessed.</p>\n", out);
        return;
    }
    put_ports(out, r);
    fputs("<p class=\"note\">A row for each port, the busiest at the top.</p>\n"
          "<table><tr><th>port</th><th>accesses</th><th class=\"say\">what</th></tr>\n", out);
    for (size_t i = 0; i < n && i < TABLE_ROWS; i++) {
        fprintf(out, "<tr><td>%#" PRIx64 "</td><td>%" PRIu64 "</td><td class=\"say\">", row[i].key,
                row[i].count);
        put_text(out, port_of(r, row[i].key));
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

/* A row for each power of two that occurs, and those between.  Only the host's clock can tell:
 * virtual time stands still while the monitor works. */
static void put_latency(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    size_t first = LATENCY_BINS, last = 0;
    uint64_t most = 1;
    for (size_t i = 0; i < LATENCY_BINS; i++)
        if (d->latency[i]) {
            first = i < first ? i : first;
            last = i;
            most = d->latency[i] > most ? d->latency[i] : most;
        }
    if (first == LATENCY_BINS) {
        fputs("<p class=\"note\">Nobody measured it: run with --timing.</p>\n", out);
        return;
    }
    fputs("<table><tr><th>host time</th><th>exits</th><th></th></tr>\n", out);
    for (size_t i = first; i <= last; i++) {
        fputs("<tr><td>", out);
        put_time(out, BIT(i - 1));
        fputs(" to ", out);
        put_time(out, BIT(i));
        fprintf(out, "</td><td>%" PRIu64 "</td><td class=\"barcell\"><svg class=\"bar\" "
                "viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\">", d->latency[i]);
        put_rect(out, 0, 0, 100.0 * (double)d->latency[i] / (double)most, 1, MEMORY_COLOUR, 1);
        fputs("</svg></td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

/* The most frequent values of a field. */
static void put_histogram(FILE *out, const char *column, struct histogram *h)
{
    size_t n;
    uint64_t others;
    char label[240];
    const struct tally_row *row = histogram_rows(h, &n, &others);
    if (!n) {
        fputs("<p class=\"note\">None in this trace.</p>\n", out);
        return;
    }
    fprintf(out, "<table><tr><th>%s</th><th>count</th></tr>\n", column);
    for (size_t i = 0; i < n && i < TABLE_ROWS; i++) {
        fputs("<tr><td>", out);
        put_text(out, histogram_label(h, row[i].key, label, sizeof label));
        fprintf(out, "</td><td>%" PRIu64 "</td></tr>\n", row[i].count);
    }
    fputs("</table>\n", out);
}

static void put_places(FILE *out, const struct run *r)
{
    put_histogram(out, "where", r->d.places);
}

static void put_vectors(FILE *out, const struct run *r)
{
    put_histogram(out, "vector", r->d.vectors);
}

static void put_mark_table(FILE *out, const struct run *r)
{
    const struct report_data *d = &r->d;
    if (!d->n_marks) {
        fputs("<p class=\"note\">The guest set none.</p>\n", out);
        return;
    }
    fputs("<table><tr><th>n</th><th>time</th><th>event</th></tr>\n", out);
    for (size_t i = 0; i < d->n_marks; i++) {
        fprintf(out, "<tr><td>%" PRIu64 "</td><td>", d->mark[i].n);
        put_time(out, d->mark[i].vtime_ns);
        fprintf(out, "</td><td>%" PRIu64 "</td></tr>\n", d->mark[i].seq);
    }
    fputs("</table>\n", out);
    if (d->more_marks)
        fprintf(out, "<p class=\"note\">and %zu more</p>\n", d->more_marks);
}

/* An option of the command as the trace's header knows it.  Sizes are written as people type
 * them; whatever is no number is passed on as one word. */
static void put_option(FILE *out, const char *option, const char *value, bool is_size)
{
    char *end;
    uint64_t bytes = strtoull(value, &end, 10);
    fprintf(out, " --%s ", option);
    if (is_size && bytes && !*end)
        put_size(out, bytes);
    else
        put_word(out, value);
}

/* The command that would make this trace again, from what the trace's header says of the run. */
static void put_commands(FILE *out, const struct run *r)
{
    static const struct { const char *option, *key; bool is_size; } options[] = {
        { "cpu", "engine", false }, { "mmu", "mmu", false }, { "mem", "mem", true },
        { "seed", "seed", false },
    };
    const char *guest = store_info(r->d.s, "guest"), *value;
    fputs("<pre>vitrine run", out);
    for (size_t i = 0; i < NELEM(options); i++)
        if ((value = store_info(r->d.s, options[i].key)) != NULL)
            put_option(out, options[i].option, value, options[i].is_size);
    fprintf(out, "%s --trace ", r->d.is_timed ? " --timing" : "");
    put_word(out, r->name);
    fputc(' ', out);
    put_word(out, guest ? guest : "GUEST");
    fputs("\nvitrine stat ", out);
    put_word(out, r->name);
    fputs("\nvitrine trace ", out);
    put_word(out, r->name);
    fputs(" | less\n</pre>\n", out);
}

/*
 * The page
 */

static const struct {
    const char *id, *title;
    void (*put)(FILE *out, const struct run *r);
} sections[] = {
    { "end",       "How it ended",                        put_about      },
    { "timeline",  "Exits over time",                     put_timeline   },
    { "reasons",   "Exits by reason",                     put_reasons    },
    { "causes",    "Causes",                              put_causes     },
    { "tables",    "Page tables",                         put_tables     },
    { "devices",   "Devices",                             put_devices    },
    { "durations", "How long exits last",                 put_latency    },
    { "places",    "Exits by place",                      put_places     },
    { "vectors",   "Interrupts and exceptions delivered", put_vectors    },
    { "marks",     "MARKs",                               put_mark_table },
    { "again",     "To see it again",                     put_commands   },
};

/* What the run is called at the head of its column. */
static const char *guest_of(const struct run *r)
{
    const char *guest = store_info(r->d.s, "guest");
    return guest ? guest : r->name;
}

static void put_page(FILE *out, const struct run *run, size_t n)
{
    page_begin(out, guest_of(run));
    fputs("<h1>", out);
    put_text(out, guest_of(run));
    for (size_t i = 1; i < n; i++) {
        fputs(" and ", out);
        put_text(out, guest_of(&run[i]));
    }
    fputs("</h1>\n<nav aria-label=\"sections\">", out);
    if (n > 1)
        fputs("<a href=\"#compared\">Side by side</a>", out);
    for (size_t i = 0; i < NELEM(sections); i++)
        fprintf(out, "<a href=\"#%s\">%s</a>\n", sections[i].id, sections[i].title);
    fputs("</nav>\n", out);
    if (n > 1)
        put_comparison(out, &run[0], &run[1]);
    for (size_t i = 0; i < NELEM(sections); i++) {
        fprintf(out, "<h2 id=\"%s\">%s</h2>\n<div class=\"runs\">", sections[i].id,
                sections[i].title);
        for (size_t k = 0; k < n; k++) {
            fputs("<div>", out);
            if (n > 1) {
                fputs("<h3>", out);
                put_text(out, run[k].name);
                fputs("</h3>\n", out);
            }
            sections[i].put(out, &run[k]);
            fputs("</div>\n", out);
        }
        fputs("</div>\n", out);
    }
    page_end(out);
}

int report_html(const struct report_run *run, size_t n_runs, report_port_fn *port_name, FILE *out)
{
    size_t n = n_runs < REPORT_MAX_RUNS ? n_runs : REPORT_MAX_RUNS, gathered = 0;
    struct run *r = calloc(REPORT_MAX_RUNS, sizeof *r);
    int err = r ? 0 : -ENOMEM, damaged = 0;
    for (size_t i = 0; i < n && !err; i++) {
        r[i].name = run[i].name;
        r[i].port_name = port_name;
        err = report_gather(run[i].s, &r[i].d);
        damaged += r[i].d.damaged;
        gathered++;
    }
    if (!err) {
        put_page(out, r, n);
        err = ferror(out) ? -EIO : damaged;
    }
    for (size_t i = 0; i < gathered; i++)
        report_forget(&r[i].d);
    free(r);
    return err;
}
