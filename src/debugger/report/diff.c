/*
 * debugger/report/diff.c -- two streams of guest events, compared as they go by.
 *
 * Neither trace is held in memory: of each there is a window of LOOKAHEAD events.  Where the
 * streams differ, the nearest place is looked for, within both windows, where AGREE events in
 * a row are the same again; what lies before it differs.  If there is none, both go on to
 * their next MARK, since the phases of a guest begin at MARKs.
 *
 *     a:  W1 W2 W3 W4 W5 W6          compared: W1, W2 the same; then -W3 in a,
 *     b:  W1 W2 X  W4 W5 W6          +X in b; then W4 W5 W6 the same again
 *
 * Begin reading with compare_streams().
 */
#include "debugger/report/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exit.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

#define LOOKAHEAD 256
#define AGREE     3

/* One trace as a stream of its guest's events, with a window of those that come next.  The
 * window is an array used in a circle. */
struct stream {
    struct store       *s;
    struct filter      *f;
    uint64_t            at;             /* index of the next event for the window */
    struct trace_event  window[LOOKAHEAD];
    size_t              first, n;       /* where in `window` the next one is, how many   */
    uint64_t            passed;         /* events that are behind us                     */
    uint64_t            kinds[64], exits[N_EXITS], end_ns;  /* of the whole trace */
    int                 damaged;        /* blocks that could not be read */
};

/* Read events until the window is full or the trace has no more. */
static void fill_window(struct stream *t)
{
    while (t->n < LOOKAHEAD && store_next(t->s, t->f, &t->at, 0) == STORE_FOUND) {
        const struct trace_event *e = store_at(t->s, t->at++);
        if (e)
            t->window[(t->first + t->n++) % LOOKAHEAD] = *e;
    }
}

/* The i-th event that comes next, or NULL. */
static const struct trace_event *peek(const struct stream *t, size_t i)
{
    return i < t->n ? &t->window[(t->first + i) % LOOKAHEAD] : NULL;
}

/* Take the next n events out of the window. */
static void go_past(struct stream *t, size_t n)
{
    t->first = (t->first + n) % LOOKAHEAD;
    t->n -= n;
    t->passed += n;
    fill_window(t);
}

/* The same kind with the same arguments; when and where in the code is not compared. */
static bool is_same_event(const struct trace_event *a, const struct trace_event *b)
{
    return a->kind == b->kind && memcmp(a->arg, b->arg, sizeof a->arg) == 0;
}

/* Are the next AGREE events of a, from its i-th on, the same as those of b from its j-th on?
 * If both end before that, what is left must be the same, at least one event. */
static bool agree_from(const struct stream *a, size_t i, const struct stream *b, size_t j)
{
    for (size_t k = 0; k < AGREE; k++) {
        const struct trace_event *x = peek(a, i + k), *y = peek(b, j + k);
        if (!x && !y && k)
            return true;
        if (!x || !y || !is_same_event(x, y))
            return false;
    }
    return true;
}

/* How far must each go until they agree again?  Tried in the order of i + j, so that the
 * fewest events count as different. */
static bool find_agreement(const struct stream *a, const struct stream *b, size_t *i, size_t *j)
{
    for (size_t sum = 1; sum < 2 * LOOKAHEAD; sum++)
        for (size_t k = sum < LOOKAHEAD ? 0 : sum - LOOKAHEAD + 1; k <= sum && k < LOOKAHEAD; k++)
            if (agree_from(a, k, b, sum - k)) {
                *i = k;
                *j = sum - k;
                return true;
            }
    return false;
}

/* Where differences go, how many may still be printed, and how many there were. */
struct report { FILE *out; unsigned left; uint64_t differences; };

/* The next n events of t differ. */
static void print_events(struct report *r, char sign, const struct stream *t, size_t n)
{
    for (size_t i = 0; i < n && r->left; i++, r->left--) {
        fputc(sign, r->out);
        trace_text_line(store_text(t->s), peek(t, i), r->out);
    }
    r->differences += n;
}

/* Go on to the next MARK behind the next event; how many events were passed. */
static uint64_t skip_to_mark(struct stream *t)
{
    uint64_t n = 0;
    for (const struct trace_event *e; (e = peek(t, 0)) && (n == 0 || e->kind != TRACE_MARK); n++)
        go_past(t, 1);
    return n;
}

/* The two have nothing in common within their windows.  Show how each goes on, and leave out
 * the rest of the phase.  The next MARK need not have the same number in both: then
 * compare_streams() finds that they differ there. */
static void skip_phase(struct stream *a, struct stream *b, struct report *r)
{
    print_events(r, '-', a, a->n < 3 ? a->n : 3);
    print_events(r, '+', b, b->n < 3 ? b->n : 3);
    uint64_t x = skip_to_mark(a), y = skip_to_mark(b);
    r->differences += x + y;
    fprintf(r->out, " ... nothing in common near here: %" PRIu64 " and %" PRIu64
            " guest events passed over, up to the next MARK or the end\n", x, y);
}

/* The comparison: same, different for a while, or hopeless; then what one of them has left. */
static void compare_streams(struct stream *a, struct stream *b, struct report *r)
{
    size_t i, j;
    while (peek(a, 0) && peek(b, 0)) {
        if (is_same_event(peek(a, 0), peek(b, 0))) {
            go_past(a, 1);
            go_past(b, 1);
        } else if (find_agreement(a, b, &i, &j)) {
            print_events(r, '-', a, i);
            print_events(r, '+', b, j);
            go_past(a, i);
            go_past(b, j);
        } else {
            skip_phase(a, b, r);
        }
    }
    for (; peek(a, 0); go_past(a, 1))
        print_events(r, '-', a, 1);
    for (; peek(b, 0); go_past(b, 1))
        print_events(r, '+', b, 1);
}

/* For the table at the end: how often each kind and each exit came. */
static bool count_event(void *arg, uint64_t index, const struct trace_event *e)
{
    struct stream *t = arg;
    (void)index;
    t->kinds[e->kind & 63]++;
    t->end_ns = e->vtime_ns;
    int i = e->kind == TRACE_EXIT && e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
    if (i >= 0)
        t->exits[i]++;
    return true;
}

/* A row of the table, with a * in front if the two differ. */
static void count_row(FILE *out, const char *what, const char *name, uint64_t a, uint64_t b)
{
    if (a || b)
        fprintf(out, "%c %-6s %-14s %12" PRIu64 " %12" PRIu64 " %+13" PRId64 "\n",
                a == b ? ' ' : '*', what, name, a, b, (int64_t)(b - a));
}

/* How the monitor came to it in both runs: exits by reason, other events by kind, the time. */
static void print_counts(const struct stream *a, const struct stream *b, FILE *out)
{
    fprintf(out, "\n  %-21s %12s %12s %13s\n", "", "A", "B", "B - A");
    for (unsigned i = 0; i < N_EXITS; i++)
        count_row(out, "exit", exit_infos[i].name, a->exits[i], b->exits[i]);
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        if (k != TRACE_EXIT)
            count_row(out, "event", trace_kinds[k].name, a->kinds[k], b->kinds[k]);
    count_row(out, "time", "virtual ns", a->end_ns, b->end_ns);
}

/* Count the whole trace.  (Its filter lets everything through.)  False: no memory. */
static bool begin_stream(struct stream *t, struct store *s)
{
    struct filter_error err;
    struct filter *all = filter_compile("", NULL, &err);
    *t = (struct stream){ .s = s };
    if (all)
        t->damaged = store_each(s, all, 0, UINT64_MAX, count_event, t);
    filter_free(all);
    return all;
}

/* Only what both traces can show is compared: an engine that cannot see deliveries of
 * interrupts, for example, logs none. */
static uint64_t kinds_of_both(const struct stream *a, const struct stream *b, uint64_t kinds,
                              FILE *out)
{
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        if (kinds & BIT(k) && !a->kinds[k] != !b->kinds[k]) {
            fprintf(out, "%s: only %s has them; not compared\n", trace_kinds[k].name,
                    a->kinds[k] ? "A" : "B");
            kinds &= ~BIT(k);
        }
    return kinds;
}

/* A filter for these kinds, "kind in (MARK,IO_WRITE)"; for no kinds, one that nothing passes.
 * NULL: no memory. */
static struct filter *filter_of_kinds(uint64_t kinds)
{
    char text[1000] = "kind in (";
    struct filter_error err;
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        if (kinds & BIT(k))
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
                     strchr(text, '(')[1] ? "," : "", trace_kinds[k].name);
    strncat(text, ")", sizeof text - strlen(text) - 1);
    return filter_compile(kinds ? text : "kind == 62", NULL, &err);
}

static void tell_damage(const struct stream *t, char name, FILE *out)
{
    if (t->damaged > 0)
        fprintf(out, "%c is damaged: what %d of its blocks held is not compared\n", name,
                t->damaged);
}

int64_t trace_diff(struct store *sa, struct store *sb, uint64_t kinds, unsigned max_shown,
                   FILE *out)
{
    struct report r = { .out = out, .left = max_shown };
    struct stream *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    struct filter *f = NULL;
    if (a && b && begin_stream(a, sa) && begin_stream(b, sb))
        f = filter_of_kinds(kinds_of_both(a, b, kinds, out));
    if (f) {
        a->f = b->f = f;
        fill_window(a);
        fill_window(b);
        compare_streams(a, b, &r);
        fprintf(out, "%" PRIu64 " and %" PRIu64 " guest events, %" PRIu64 " differ%s\n", a->passed,
                b->passed, r.differences, r.left || !max_shown ? "" : "; the first are shown");
        print_counts(a, b, out);
        tell_damage(a, 'A', out);
        tell_damage(b, 'B', out);
    }
    int64_t n = !f ? -ENOMEM : a->damaged || b->damaged ? -EIO : (int64_t)r.differences;
    free(a);
    free(b);
    filter_free(f);
    return n;
}
