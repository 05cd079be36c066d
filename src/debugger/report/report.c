/*
 * debugger/report/report.c -- the page: figures and tables out of what gather.c has counted.
 *
 * One function for each section of the page, in their order; report_html() at the end calls
 * them.  What the page contains is HTML that is well-formed XML too, which is easy to check
 * (tests/unit/test_report.c does).  All text that comes from the trace goes through put_text()
 * or put_word().
 */
#include "debugger/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "debugger/report/gather.h"
#include "debugger/report/tally.h"

/* Sizes in units of the SVG, which the browser scales: all figures are WIDTH wide and draw
 * between the left MARGIN, which has the labels, and PLOT units further right. */
#define WIDTH      960
#define MARGIN     90
#define PLOT       (WIDTH - MARGIN - 10)
#define TABLE_ROWS 15
#define N_COLOURS  7

/* The palette of Okabe and Ito, which colour-blind people can tell apart. */
static const char *const colours[N_COLOURS] = {
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999",
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\"/>\n"
    "<title>Vitrine report</title>\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 "
    "1em;color:#222}\n"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #ccc}\n"
    "table{border-collapse:collapse}td,th{padding:.1em .8em;text-align:right;border-bottom:1px "
    "solid #eee}\n"
    "td:first-child,th:first-child{text-align:left}"
    "pre{background:#f4f4f4;padding:.8em;overflow-x:auto}\n"
    "svg{max-width:100%;height:auto;background:#fafafa}text{font:12px "
    "system-ui,sans-serif;fill:#444}\n"
    ".note{color:#666}\n</style></head><body>\n";

/* Text from anywhere: nothing of it is markup, nothing is unprintable. */
static void put_text(FILE *out, const char *s)
{
    for (size_t n; *s; s += n ? n : 1) {
        n = utf8_length(s);
        switch (*s) {
        case '&':  fputs("&amp;", out); break;
        case '<':  fputs("&lt;", out); break;
        case '>':  fputs("&gt;", out); break;
        case '"':  fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if (utf8_is_shown(s, n))
                fwrite(s, 1, n, out);
            else
                fputc('?', out);
        }
    }
}

/* A time with its unit, at most four digits. */
static void put_time(FILE *out, uint64_t ns)
{
    static const struct { double unit; const char *name; } units[] = {
        { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "µs" }, { 1, "ns" },
    };
    size_t i = 0;
    while (i < NELEM(units) - 1 && (double)ns < units[i].unit)
        i++;
    fprintf(out, "%.4g %s", (double)ns / units[i].unit, units[i].name);
}

/* `what` is for people who cannot see the figure. */
static void begin_svg(FILE *out, int height, const char *what)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, height,
            what);
}

/* A rectangle with its upper left corner at (x, y).  SVG's y grows downwards. */
static void put_rect(FILE *out, double x, double y, double w, double h, const char *fill,
                     double opacity)
{
    fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"", x, y, w,
            h, fill);
    if (opacity < 1)
        fprintf(out, " fill-opacity=\"%.2f\"", opacity);
    fputs("/>", out);
}

/* Five times along the bottom. */
static void time_axis(FILE *out, const struct report_data *d, int y)
{
    for (unsigned i = 0; i <= 4; i++) {
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">", MARGIN + (int)(PLOT * i / 4), y,
                i == 0 ? "start" : i == 4 ? "end" : "middle");
        put_time(out, d->first_ns + (d->last_ns - d->first_ns) * i / 4);
        fputs("</text>", out);
    }
}

/* Where a moment of the run is in a figure. */
static double x_of(const struct report_data *d, uint64_t ns)
{
    double span = (double)(d->last_ns - d->first_ns) + 1;
    double part = ns > d->first_ns ? (double)(ns - d->first_ns) / span : 0;
    return MARGIN + (part < 1 ? part : 1) * PLOT;
}

/* The reasons that occur, the most frequent first (an insertion sort, as they are few); how
 * many.  There are fewer colours than reasons: all from the last colour on share it. */
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

/* A dashed line for each of the guest's MARKs, with its number. */
static void put_marks(FILE *out, const struct report_data *d, int height)
{
    for (size_t i = 0; i < d->n_marks; i++) {
        double x = x_of(d, d->mark[i].vtime_ns);
        fprintf(out, "<path d=\"M%.1f 12V%d\" stroke=\"#222\" stroke-dasharray=\"3 3\"/>"
                "<text x=\"%.1f\" y=\"10\" text-anchor=\"middle\">%" PRIu64 "</text>\n", x, height,
                x, d->mark[i].n);
    }
}

/* A column for each part of the run: its exits, stacked by reason. y is where the next piece
 * stands, and counts upwards, which in SVG is towards 0. */
static void put_timeline(FILE *out, const struct report_data *d)
{
    unsigned order[N_EXITS];
    size_t n = rank_reasons(d, order);
    uint64_t most = 1, sum;
    for (size_t t = 0; t < TIME_BINS; t++) {
        sum = 0;
        for (size_t i = 0; i < N_EXITS; i++)
            sum += d->exits_at[t][i];
        most = sum > most ? sum : most;
    }
    fputs("<h2>Timeline: exits</h2>\n", out);
    begin_svg(out, 240, "exits over time");
    for (size_t t = 0; t < TIME_BINS; t++) {
        double y = 210, w = (double)PLOT / TIME_BINS;
        for (size_t i = 0; i < n; i++) {
            double h = (double)d->exits_at[t][order[i]] / (double)most * 190;
            if (h > 0)
                put_rect(out, MARGIN + (double)t * w, y -= h, w, h,
                         colours[i < N_COLOURS ? i : N_COLOURS - 1], 1);
        }
    }
    put_marks(out, d, 210);
    fprintf(out, "<text x=\"%d\" y=\"25\" text-anchor=\"end\">%" PRIu64 "</text>", MARGIN - 5,
            most);
    time_axis(out, d, 228);
    fputs("\n</svg>\n<p class=\"note\">Virtual time; dashed: MARKs. ", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "<span style=\"color:%s\">&#9632;</span> %s ",
                colours[i < N_COLOURS ? i : N_COLOURS - 1], exit_infos[order[i]].name);
    fputs("</p>\n", out);
}

/* The table of reasons, each with a bar of its share beside it. */
static void put_reasons(FILE *out, const struct report_data *d)
{
    unsigned order[N_EXITS];
    size_t n = rank_reasons(d, order);
    fputs("<h2>Exits by reason</h2>\n"
          "<table><tr><th>reason</th><th>count</th><th>share</th><th></th></tr>\n", out);
    for (size_t i = 0; i < n; i++) {
        double share = (double)d->by_reason[order[i]] / (double)d->exits;
        fprintf(out, "<tr><td title=\"%s\">%s</td><td>%" PRIu64 "</td><td>%.2f %%</td>"
                "<td style=\"text-align:left\"><svg width=\"200\" height=\"10\">",
                exit_infos[order[i]].about, exit_infos[order[i]].name, d->by_reason[order[i]],
                100 * share);
        put_rect(out, 0, 0, 200 * share, 10, colours[i < N_COLOURS ? i : N_COLOURS - 1], 1);
        fputs("</svg></td></tr>\n", out);
    }
    fprintf(out, "<tr><td>all</td><td>%" PRIu64 "</td><td></td><td></td></tr></table>\n", d->exits);
}

/* How opaque a field is: the more, the darker, by the number of bits, so that one touch can be
 * seen beside a million.  A count of 0 is not drawn at all. */
static double shade(uint32_t count, uint32_t most)
{
    double bits = 32 - __builtin_clz(count), all = 32 - __builtin_clz(most);
    return 0.25 + 0.75 * bits / all;
}

/* Memory from bottom to top, time from left to right, and a field for each part of both. */
static void put_heat_map(FILE *out, const struct report_data *d)
{
    uint32_t most = 1;
    double w = (double)PLOT / TIME_BINS;
    fputs("<h2>Guest-physical memory: faults and fills</h2>\n", out);
    if (!d->pages_touched) {
        fputs("<p class=\"note\">No second-level or shadow faults in this trace.</p>\n", out);
        return;
    }
    for (size_t p = 0; p < PAGE_BINS; p++)
        for (size_t t = 0; t < TIME_BINS; t++)
            most = d->page_at[p][t] > most ? d->page_at[p][t] : most;
    begin_svg(out, PAGE_BINS * 5 + 40, "page faults by address and time");
    for (size_t p = 0; p < PAGE_BINS; p++)
        for (size_t t = 0; t < TIME_BINS; t++)
            if (d->page_at[p][t])
                put_rect(out, MARGIN + (double)t * w, (double)(PAGE_BINS - 1 - p) * 5 + 15, w, 5,
                         "#d55e00", shade(d->page_at[p][t], most));
    fprintf(out, "\n<text x=\"%d\" y=\"25\" text-anchor=\"end\">%#" PRIx64 "</text>"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%#" PRIx64 "</text>", MARGIN - 5,
            d->last_page * PAGE_SIZE, MARGIN - 5, PAGE_BINS * 5 + 14, d->first_page * PAGE_SIZE);
    time_axis(out, d, PAGE_BINS * 5 + 34);
    fprintf(out, "\n</svg>\n<p class=\"note\">%" PRIu64
            " faults and fills; the darkest spot has %" PRIu32 ".</p>\n", d->pages_touched, most);
}

/* A row for each port over time, shaded by itself (a busy port beside a quiet one would leave
 * the quiet one invisible), and below it the table of ports. */
static void put_devices(FILE *out, const struct report_data *d, report_port_fn *port_name)
{
    double w = (double)PLOT / TIME_BINS;
    fputs("<h2>Devices</h2>\n", out);
    if (!d->n_ports) {
        fputs("<p class=\"note\">No port was accessed.</p>\n", out);
        return;
    }
    int height = (int)d->n_ports * 16 + 35;
    begin_svg(out, height, "device accesses over time");
    for (size_t i = 0; i < d->n_ports; i++) {
        uint32_t most = 1;
        double y = (double)i * 16 + 14;
        for (size_t t = 0; t < TIME_BINS; t++)
            most = d->port_at[i][t] > most ? d->port_at[i][t] : most;
        fprintf(out, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%#x</text>", MARGIN - 5, y + 10,
                d->port[i]);
        for (size_t t = 0; t < TIME_BINS; t++)
            if (d->port_at[i][t])
                put_rect(out, MARGIN + (double)t * w, y, w, 13, "#0072b2",
                         shade(d->port_at[i][t], most));
        fputc('\n', out);
    }
    time_axis(out, d, height - 6);
    fputs("</svg>\n<table><tr><th>port</th><th>accesses</th><th>what</th></tr>\n", out);
    size_t n;
    uint64_t others;
    const struct tally_row *row = histogram_rows(d->ports, &n, &others);
    for (size_t i = 0; i < n && i < TABLE_ROWS; i++) {
        const char *name = port_name && row[i].key <= UINT16_MAX
            ? port_name((uint16_t)row[i].key) : NULL;
        fprintf(out, "<tr><td>%#" PRIx64 "</td><td>%" PRIu64 "</td><td>", row[i].key, row[i].count);
        put_text(out, name ? name : "");
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

/* A column for each power of two that occurs, and those between. */
static void put_latency(FILE *out, const struct report_data *d)
{
    size_t first = LATENCY_BINS, last = 0;
    uint64_t most = 1;
    for (size_t i = 0; i < LATENCY_BINS; i++)
        if (d->latency[i]) {
            first = i < first ? i : first;
            last = i;
            most = d->latency[i] > most ? d->latency[i] : most;
        }
    fputs("<h2>How long exits last</h2>\n", out);
    if (first == LATENCY_BINS)
        return;
    begin_svg(out, 180, "distribution of exit durations");
    double w = (double)PLOT / (double)(last - first + 1);
    for (size_t i = first; i <= last; i++) {
        double h = (double)d->latency[i] / (double)most * 130, x = MARGIN + (double)(i - first) * w;
        put_rect(out, x + 1, 150 - h, w - 2, h, "#009e73", 1);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%" PRIu64 "</text>"
                "<text x=\"%.1f\" y=\"168\" text-anchor=\"middle\">", x + w / 2, 146 - h,
                d->latency[i], x + w / 2);
        put_time(out, i ? BIT(i - 1) : 0);
        fputs("</text>", out);
    }
    fprintf(out, "\n</svg>\n<p class=\"note\">Each column from the time below it to twice that. "
                 "%s</p>\n",
            d->is_timed ? "Host time in the monitor (--timing)."
                        : "Virtual time, which stands still while the monitor works: run with "
                          "--timing for the host's.");
}

/* The most frequent values of a field. */
static void put_histogram(FILE *out, const char *title, const char *column, struct histogram *h)
{
    size_t n;
    uint64_t others;
    char label[240];
    const struct tally_row *row = histogram_rows(h, &n, &others);
    if (!n)
        return;
    fprintf(out, "<h2>%s</h2>\n<table><tr><th>%s</th><th>count</th></tr>\n", title, column);
    for (size_t i = 0; i < n && i < TABLE_ROWS; i++) {
        fputs("<tr><td>", out);
        put_text(out, histogram_label(h, row[i].key, label, sizeof label));
        fprintf(out, "</td><td>%" PRIu64 "</td></tr>\n", row[i].count);
    }
    fputs("</table>\n", out);
}

static void put_mark_table(FILE *out, const struct report_data *d)
{
    if (!d->n_marks)
        return;
    fputs("<h2>MARKs</h2>\n<table><tr><th>n</th><th>time</th><th>event</th></tr>\n", out);
    for (size_t i = 0; i < d->n_marks; i++) {
        fprintf(out, "<tr><td>%" PRIu64 "</td><td>", d->mark[i].n);
        put_time(out, d->mark[i].vtime_ns);
        fprintf(out, "</td><td>%" PRIu64 "</td></tr>\n", d->mark[i].seq);
    }
    fputs("</table>\n", out);
    if (d->more_marks)
        fprintf(out, "<p class=\"note\">and %zu more</p>\n", d->more_marks);
}

/* What trace it is, and whether anything is missing in it.  The guest's name comes from the
 * trace. */
static void put_about(FILE *out, const struct report_data *d, const char *name)
{
    const char *guest = store_info(d->s, "guest"), *warning = store_warning(d->s);
    fputs("<h1>", out);
    put_text(out, guest ? guest : name);
    fputs("</h1>\n<p>Trace ", out);
    put_text(out, name);
    fprintf(out, ": %" PRIu64 " events, %" PRIu64 " exits, ", d->events, d->exits);
    put_time(out, d->last_ns - d->first_ns);
    fprintf(out, " of virtual time; %" PRIu64 " events lost.</p>\n", store_lost(d->s));
    if (warning[0] || d->damaged) {
        fprintf(out, "<p><b>%d damaged blocks.</b> ", d->damaged);
        put_text(out, warning);
        fputs("</p>\n", out);
    }
}

/* The first n bytes of s, as put_text() does it. */
static void put_part(FILE *out, const char *s, size_t n)
{
    char *copy = strndup(s, n);
    put_text(out, copy ? copy : "?");
    free(copy);
}

/* A word of a command line, quoted for a POSIX shell if it needs to be, and escaped for the
 * page: people will copy it, so a hostile file name must stay one word.  Within single quotes
 * everything is literal but the quote itself, which is written as '\''. */
static void put_word(FILE *out, const char *s)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789/._+-";
    bool plain = s[0] && strspn(s, harmless) == strlen(s);
    if (plain) {
        fputs(s, out);
        return;
    }
    fputs("&#39;", out);
    for (const char *quote; (quote = strchr(s, '\'')) != NULL; s = quote + 1) {
        put_part(out, s, (size_t)(quote - s));
        fputs("&#39;\\&#39;&#39;", out);
    }
    put_text(out, s);
    fputs("&#39;", out);
}

/* The command that would make this trace again, from what the trace's header says of the run. */
static void put_commands(FILE *out, const struct report_data *d, const char *name)
{
    static const struct { const char *option, *key; } options[] = {
        { "cpu", "engine" }, { "mmu", "mmu" }, { "mem", "mem" }, { "seed", "seed" },
    };
    const char *guest = store_info(d->s, "guest");
    fputs("<h2>To see it again</h2>\n<pre>vitrine run", out);
    for (size_t i = 0; i < NELEM(options); i++)
        if (store_info(d->s, options[i].key)) {
            fprintf(out, " --%s ", options[i].option);
            put_word(out, store_info(d->s, options[i].key));
        }
    fprintf(out, "%s --trace ", d->is_timed ? " --timing" : "");
    put_word(out, name);
    fputc(' ', out);
    put_word(out, guest ? guest : "GUEST");
    fputs("\nvitrine stat ", out);
    put_word(out, name);
    fputs("\nvitrine trace ", out);
    put_word(out, name);
    fputs(" | less\n</pre>\n", out);
}

int report_html(struct store *s, const char *name, report_port_fn *port_name, FILE *out)
{
    struct report_data *d = malloc(sizeof *d);
    if (!d)
        return -ENOMEM;
    int err = report_gather(s, d);
    if (!err) {
        fputs(head, out);
        put_about(out, d, name);
        put_timeline(out, d);
        put_reasons(out, d);
        put_heat_map(out, d);
        put_devices(out, d, port_name);
        put_latency(out, d);
        put_histogram(out, "Exits by place", "where", d->places);
        put_histogram(out, "Interrupts and exceptions delivered", "vector", d->vectors);
        put_mark_table(out, d);
        put_commands(out, d, name);
        fputs("</body></html>\n", out);
        err = ferror(out) ? -EIO : d->damaged;
    }
    report_forget(d);
    free(d);
    return err;
}
