/*
 * debugger/tui/stat.c -- the pane that counts exits: the table of `perf kvm
 * stat`, rates, and a curve over the run; while a guest runs, how fast that is
 * now, in the host's time.
 *
 * Two sources that must not be mixed up:
 *
 *     the survey (survey.h)    all exits of the trace, counted so far; columns of times only
 *                              if the engine measured what each exit took (--timing)
 *     the state page           (link_get_status()) counters of a guest that runs, read four
 *                              times a second: "now 12345 exits/s", in the host's time
 *
 * Sorting a table with many rows takes a moment, so while the survey is counting the table
 * is sorted anew only a few times a second.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "debugger/link/link.h"
#include "debugger/tui/survey.h"
#include "debugger/tui/tui.h"

#define MAX_ROWS   512
#define AGAIN_NS   200000000    /* between two sortings */
#define SAMPLE_NS  250000000    /* between two looks at the state page */
#define MAX_SAMPLES 60          /* rates kept for the small curve */
#define TIMES_W    39           /* the width of the four columns of times, if there are times */
#define RATE_W     47           /* beside them, so much has a column with the rate of each row */

/* What the state page said at some moment (of the host's time) of a guest that runs. */
struct sample { uint64_t host_ns, exits, icount; };

struct stat_pane {
    /* How fast the guest runs now: the latest sample last, a rate for each two. */
    struct sample   sample[MAX_SAMPLES + 1];
    unsigned n_samples;                 /* 0 after each stop */
    uint64_t exits_at_stop, exits_before;       /* count at the latest stop and the one before */

    /* The table: n rows in the order in which they are drawn. */
    enum stat_by    by;                 /* which table */
    struct stat_row row[MAX_ROWS];
    size_t   n;
    long     top;                       /* first row shown */
    bool     sorted;                    /* there are rows, of this table, ... */
    uint64_t changed, sorted_ns;        /* ... as of survey.changed, made at this time */
};

/* Make the rows anew, unless they are those of all that has been counted, or it was done
 * only just before and the survey is still counting. */
static void sort_again(struct pane *p)
{
    struct stat_pane *s = p->state;
    const struct survey *v = p->tui->survey;
    uint64_t now = host_monotonic_ns();
    bool counting = v->done < tui_n_events(p->tui);
    if (s->sorted && (s->changed == v->changed || (counting && now - s->sorted_ns < AGAIN_NS)))
        return;
    s->n = stat_rows(v->stat, s->by, p->tui->o->symbols, s->row, MAX_ROWS);
    s->changed = v->changed;
    s->sorted_ns = host_monotonic_ns();
    s->sorted = true;
}

/*
 * How fast it is now
 */

/* Read the counters of the guest, if it is time.  The oldest sample makes room for a new
 * one. */
static void take_sample(struct pane *p)
{
    struct stat_pane *s = p->state;
    struct link_status now;
    uint64_t ns = host_monotonic_ns();
    if (s->n_samples && ns - s->sample[s->n_samples - 1].host_ns < SAMPLE_NS)
        return;
    if (s->n_samples == NELEM(s->sample))
        memmove(s->sample, s->sample + 1, --s->n_samples * sizeof s->sample[0]);
    link_get_status(p->tui->link, &now);
    s->sample[s->n_samples++] = (struct sample){ ns, now.n_exits, now.icount };
    p->tui->dirty = true;
}

/* The rates were those of the guest that ran until now; it will run at another speed. */
static void stat_stopped(struct pane *p)
{
    struct stat_pane *s = p->state;
    struct link_status now;
    link_get_status(p->tui->link, &now);
    s->exits_before = s->exits_at_stop;
    s->exits_at_stop = now.n_exits;
    s->n_samples = 0;
}

/* Exits, or instructions, per second of the host's time. */
static double rate_between(const struct sample *a, const struct sample *b, bool of_insns)
{
    uint64_t n = of_insns ? b->icount - a->icount : b->exits - a->exits;
    return b->host_ns > a->host_ns ? (double)n * 1e9 / (double)(b->host_ns - a->host_ns) : 0;
}

/* The line about a live guest: how many exits since the stop before; or while it runs, how
 * many a second, with a curve of the last rates as long as the line is. */
static void draw_now(struct pane *p, const struct area *a, int y)
{
    const struct stat_pane *s = p->state;
    double most = 0;
    if (!live_running(p->tui)) {
        draw_format(a, y, 1, ROLE_TEXT, "%" PRIu64 " exits since the stop before",
                    s->exits_at_stop - s->exits_before);
        return;
    }
    if (s->n_samples < 2) {
        draw_text(a, y, 1, ROLE_DIM, "it runs");
        return;
    }
    const struct sample *last = &s->sample[s->n_samples - 1];
    int x = draw_format(a, y, 1, ROLE_STRONG, "now %.0f exits/s",
                        rate_between(last - 1, last, false));
    x = draw_format(a, y, x, ROLE_TEXT, ", %.1f M instructions/s of the host's time ",
                    rate_between(last - 1, last, true) / 1e6);
    unsigned room = x + 3 < a->w ? (unsigned)(a->w - x - 2) : 0;
    unsigned from = s->n_samples > room ? s->n_samples - room : 1;
    for (unsigned i = from; room && i < s->n_samples; i++) {
        double now = rate_between(&s->sample[i - 1], &s->sample[i], false);
        most = now > most ? now : most;
    }
    for (unsigned i = from; room && i < s->n_samples; i++) {
        double now = rate_between(&s->sample[i - 1], &s->sample[i], false);
        x = draw_text(a, y, x, ROLE_IO, draw_spark((uint64_t)now, (uint64_t)most));
    }
}

/*
 * The table
 */

/* Nothing to be done in slices here: sorting is done at once, sampling when it is time.
 * Before the pane is first drawn there are no rows to keep up to date. */
static bool stat_work(struct pane *p, uint64_t budget_ns)
{
    struct stat_pane *s = p->state;
    (void)budget_ns;
    uint64_t before = s->changed;
    if (live_running(p->tui))
        take_sample(p);
    if (s->sorted)
        sort_again(p);
    p->tui->dirty |= s->changed != before;
    return false;
}

/* Exits over the run, as many columns as there is room for. */
static void draw_curve(const struct survey *v, const struct area *a, int y, int x, int w)
{
    uint64_t used = v->last_ns > v->first_ns ? (v->last_ns - v->first_ns) / v->bucket_ns + 1 : 1;
    uint32_t sum[SURVEY_BUCKETS] = { 0 }, most = 0;
    if (w > (int)used)
        w = (int)used;
    for (uint64_t i = 0; i < used && i < SURVEY_BUCKETS && w > 0; i++)
        sum[i * (uint64_t)w / used] += v->bucket[i].exits;
    for (int i = 0; i < w; i++)
        most = sum[i] > most ? sum[i] : most;
    for (int i = 0; i < w; i++)
        draw_text(a, y, x + i, ROLE_IO, draw_spark(sum[i], most));
}

/* All exits, and per second, over the whole trace; then the line about now.  Returns the
 * line below. */
static int draw_headline(struct pane *p, const struct area *a)
{
    const struct survey *v = p->tui->survey;
    uint64_t exits = stat_exits(v->stat), ns = v->last_ns - v->first_ns;
    int x = draw_format(a, 0, 1, ROLE_STRONG, "%" PRIu64 " exits", exits);
    x = draw_format(a, 0, x, ROLE_TEXT, " in %.6f s", (double)ns / 1e9);
    if (ns)
        x = draw_format(a, 0, x, ROLE_TEXT, ", %.0f/s", (double)exits / ((double)ns / 1e9));
    if (stat_is_timed(v->stat))
        x = draw_text(a, 0, x, ROLE_DIM, ", times of the host ");
    if (a->w - x > 12)
        draw_curve(v, a, 0, x + 1, a->w - x - 2);
    if (!p->tui->link || a->h < 8)
        return 1;
    draw_now(p, a, 1);
    return 2;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static int name_width(const struct area *a)
{
    return a->w < 70 ? 16 : a->w < 100 ? 18 : 24;
}

/* Is the pane wide enough for a column with the rate of each row? */
static bool has_rate(const struct pane *p, const struct area *a)
{
    return a->w >= RATE_W + (stat_is_timed(p->tui->survey->stat) ? TIMES_W : 0);
}

/* Widths are those of draw_head(); times are in microseconds. */
static void draw_row(struct pane *p, const struct area *a, int y, const struct stat_row *r)
{
    const struct survey *v = p->tui->survey;
    const struct exit_stat *st = v->stat;
    int name = name_width(a);
    draw_format(a, y, 1, ROLE_EXIT, "%-*.*s", name, name, r->name);
    int x = draw_format(a, y, 1 + name, ROLE_TEXT, "%9" PRIu64 " %6.2f%%", r->count,
                        percent(r->count, stat_exits(st)));
    if (stat_is_timed(st))
        x = draw_format(a, y, x, ROLE_TEXT, " %6.2f%% %9.2f %9.2f %10.2f",
                        percent(r->sum_ns, stat_sum_ns(st)), (double)r->min_ns / 1e3,
                        (double)r->sum_ns / (double)r->count / 1e3, (double)r->max_ns / 1e3);
    uint64_t ns = v->last_ns - v->first_ns;
    if (has_rate(p, a))
        x = draw_format(a, y, x, ROLE_TEXT, " %9.0f", ns ? (double)r->count * 1e9 / (double)ns : 0);
    if (x + 12 < a->w)
        draw_text(a, y, x + 2, ROLE_DIM, r->about);
}

static void draw_head(struct pane *p, const struct area *a, int y)
{
    const struct stat_pane *s = p->state;
    draw_rest(a, y, 0, ROLE_HEAD);
    int x = draw_format(a, y, 1, ROLE_HEAD, "%-*s%9s %7s", name_width(a), stat_by_names[s->by],
                        "count", "count");
    if (stat_is_timed(p->tui->survey->stat))
        x = draw_format(a, y, x, ROLE_HEAD, " %7s %9s %9s %10s", "time", "min us", "avg us",
                        "max us");
    if (has_rate(p, a))
        draw_format(a, y, x, ROLE_HEAD, " %9s", "per s");
}

static void stat_draw(struct pane *p, const struct area *a)
{
    struct stat_pane *s = p->state;
    draw_clear(a);
    if (a->h < 1)
        return;
    sort_again(p);
    int y = a->h > 4 ? draw_headline(p, a) : 0;
    if (a->h > 2)
        draw_head(p, a, y++);
    pane_scroll(&s->top, (long)s->n, a->h - y);
    for (int i = 0; y + i < a->h && s->top + i < (long)s->n; i++)
        draw_row(p, a, y + i, &s->row[s->top + i]);
    if (!s->n)
        draw_wrapped(a, y, ROLE_DIM, s->by == STAT_BY_REASON ? "no exit yet" : "none of these");
}

static void stat_title(struct pane *p, char *buf, size_t n)
{
    const struct stat_pane *s = p->state;
    uint64_t all = tui_n_events(p->tui), done = p->tui->survey->done;
    int at = snprintf(buf, n, "by %s", stat_by_names[s->by]);
    if (done < all)
        snprintf(buf + at, n - (size_t)at, ", counted %.0f%% so far", percent(done, all));
}

static void next_table(struct tui *t, struct pane *p, int arg)
{
    struct stat_pane *s = p->state;
    (void)t, (void)arg;
    s->by = (s->by + 1) % N_STAT_BY;
    s->sorted = false;
    s->top = 0;
}

static void scroll_rows(struct tui *t, struct pane *p, int by)
{
    (void)t;
    ((struct stat_pane *)p->state)->top += by;
}

static const struct key stat_keys[] = {
    { 'b', KEY_RIGHT, NULL, "the next table: by reason, port, device memory, place", next_table, 0,
      ALWAYS },
    { 'j', KEY_DOWN, NULL, "scroll down", scroll_rows, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "scroll up", scroll_rows, -1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_stat = {
    .name = "stat", .about = "where the exits come from and what they cost",
    .state_bytes = sizeof(struct stat_pane), .keys = stat_keys,
    .title = stat_title, .draw = stat_draw, .work = stat_work, .guest_stopped = stat_stopped,
};
