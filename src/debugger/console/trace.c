/*
 * debugger/console/trace.c -- the console looks at what was recorded: log, why, count, histogram,
 * info trace, info marks, info exits.
 *
 * These commands work on a recorded trace without a machine too.  The language of filters is
 * described in trace/filter.h.
 *
 *     log 5 exit==io && port==0x3f8      the last five that match
 *     count FAULT_TRUE                   how many
 *     why 121                            from event 121 back to its first cause
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exit.h"
#include "debugger/console/private.h"
#include "debugger/report/histogram.h"
#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/text.h"
#include "debugger/trace/why.h"

/* The filter that the text says; an empty text matches everything.  NULL after fail(). The
 * caller frees it. */
static struct filter *compile(struct console *c, const char *text)
{
    struct filter_error e;
    struct filter *f = *text ? filter_compile(text, console_text(c), &e) : filter_both(NULL, NULL);
    if (!f)
        fail(c, *text ? "%s (at character %zu)" : "out of memory", *text ? e.text : "",
             *text ? e.column + 1 : 0);
    return f;
}

static void put_event(struct console *c, const struct trace_event *e)
{
    if (c->o.json)
        trace_text_json(console_text(c), e, c->out);
    else
        trace_text_line(console_text(c), e, c->out);
}

/* The last n events that match, oldest first: go back from the end until n are found, then
 * print forwards from there.  The store skips whole blocks that cannot match, in both
 * directions.
 *
 *        seq      virtual s        place  because  by   kind         what
 *       8836    0.002962693       100cf1     8835  vm   MARK         n 2  <main+0x161>
 */
static enum console_result log_last(struct console *c, const struct filter *f, uint64_t n)
{
    uint64_t total = store_n_events(c->o.store), at = total ? total - 1 : 0, first = total,
             found = 0;
    while (found < n && total && store_prev(c->o.store, f, &at, 0) == STORE_FOUND) {
        first = at;
        found++;
        if (!at--)
            break;
    }
    if (!found)
        return c->o.json ? CONSOLE_OK
                         : fail(c, total ? "no event is so" : "nothing has happened yet");
    if (!c->o.json)
        trace_text_head(c->out);
    for (at = first; at < total && found && store_next(c->o.store, f, &at, 0) == STORE_FOUND;
         at++, found--)
        put_event(c, store_at(c->o.store, at));
    return CONSOLE_OK;
}

/* A first argument that begins with a digit is the number of events, the rest a filter. */
enum console_result cmd_log(struct console *c, const char *args)
{
    uint64_t n = 20;
    if (isdigit((unsigned char)*args)) {
        char *end;
        errno = 0;
        n = strtoull(args, &end, 0);
        if (errno || (*end && !isspace((unsigned char)*end)) || !n)
            return fail(c, "'%.20s' is no number of events", args);
        args = skip_blanks(end);
    }
    struct filter *f = compile(c, args);
    if (!f)
        return CONSOLE_ERROR;
    enum console_result result = log_last(c, f, n);
    filter_free(f);
    return result;
}

/* How many events match, in the whole trace. */
enum console_result cmd_count(struct console *c, const char *args)
{
    struct filter *f = compile(c, args);
    if (!f)
        return CONSOLE_ERROR;
    fprintf(c->out, c->o.json ? "{\"count\":%" PRIu64 "}\n" : "%" PRIu64 "\n",
            store_count(c->o.store, f, 0, UINT64_MAX));
    filter_free(f);
    return CONSOLE_OK;
}

/* Call fn for every event that matches, and tell the user of blocks that cannot be read. */
static void each(struct console *c, const struct filter *f, store_each_fn *fn, void *arg)
{
    int damaged = store_each(c->o.store, f, 0, UINT64_MAX, fn, arg);
    if (damaged > 0)
        fprintf(c->out, c->o.json ? "{\"damaged_blocks\":%d}\n" : "(damaged blocks left out: %d)\n",
                damaged);
}

static bool count_in(void *histogram, uint64_t index, const struct trace_event *e)
{
    (void)index;
    histogram_add(histogram, e);
    return true;
}

/* `histogram FIELD [FILTER]`: 40 rows at most. */
enum console_result cmd_histogram(struct console *c, const char *args)
{
    size_t len = word_length(args);
    const struct trace_field *field = trace_field_find(args, len);
    if (!field)
        return fail(c, len ? "there is no field '%.*s'; `vitrine trace --fields` lists them"
                           : "of which field? for example `histogram port`%.*s", (int)len, args);
    struct filter *f = compile(c, skip_blanks(args + len));
    if (!f)
        return CONSOLE_ERROR;
    struct histogram *h = histogram_new(field, console_text(c));
    if (h) {
        each(c, f, count_in, h);
        histogram_print(h, 40, c->out);
    }
    histogram_free(h);
    filter_free(f);
    return h ? CONSOLE_OK : fail(c, "out of memory");
}

/* The last event that had happened where the guest stands: of one that was taken back there are
 * later events in the trace, which are its future. */
static uint64_t event_here(struct console *c)
{
    struct link_status st;
    uint64_t n = store_n_events(c->o.store);
    const struct trace_event *last = n ? store_at(c->o.store, n - 1) : NULL;
    if (!c->o.link)
        return last ? last->seq : 0;
    link_get_status(c->o.link, &st);
    return link_stopped(c->o.link)->seq ? link_stopped(c->o.link)->seq
         : st.past.inside ? st.past.seq : last ? last->seq : 0;
}

/* Why the guest has crashed, or ended otherwise than it wanted; false: it has not.  A recorded
 * trace has kept the words of then. */
static bool tell_crash(struct console *c)
{
    char *text = c->o.link ? link_explain(c->o.link, c->o.symbols) : NULL;
    const char *words = c->o.link ? text : store_words(c->o.store);
    fputs(words ? words : "", c->out);
    free(text);
    return words;
}

/* `info crash`: as `why`, but it says so if there was no crash. */
enum console_result info_crash(struct console *c, const char *args)
{
    struct link_status st;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (tell_crash(c))
        return CONSOLE_OK;
    if (!c->o.link) {
        fputs("this trace tells of no crash\n", c->out);
        return CONSOLE_OK;
    }
    link_get_status(c->o.link, &st);
    if (link_state(c->o.link) == LINK_ENDED)
        fprintf(c->out, "the guest has not crashed: %s\n", link_stopped(c->o.link)->text);
    else
        fprintf(c->out, "the guest has not crashed%s\n",
                st.past.inside ? " by here; what came later, `back now` and then `info crash` tell"
                               : "");
    return CONSOLE_OK;
}

/* The chain of causes that ends in event `seq`.  Without a number: why the guest has crashed, if
 * it has, else the event that a breakpoint has stopped at, or the last one that has happened.
 *
 *     because event 8834: EXIT, IO out 0xe0 size 4 value 0x2 (the guest stopped ...)
 */
enum console_result cmd_why(struct console *c, const char *args)
{
    struct trace_event e;
    uint64_t n = store_n_events(c->o.store), seq;
    if (!*args && tell_crash(c))
        return CONSOLE_OK;
    if (!n)
        return fail(c, "nothing has happened yet");
    const struct trace_event *at_end = store_at(c->o.store, n - 1);
    uint64_t last = at_end ? at_end->seq : 0;
    if (!arg_count(c, args, event_here(c), &seq))
        return CONSOLE_ERROR;
    if (store_find_seq(c->o.store, seq, &e))
        return last && seq > last
            ? fail(c, "event %" PRIu64 " is not in this trace; the last is %" PRIu64, seq, last)
            : fail(c, "event %" PRIu64 " is in no part of this trace that can be read", seq);
    trace_why(console_text(c), &e, store_find_seq, c->o.store, c->out);
    return CONSOLE_OK;
}

/* Events that were lost (the ring was full and nobody waited) are counted: silence about
 * them would look like a complete trace. */
enum console_result info_trace(struct console *c, const char *args)
{
    uint64_t n = store_n_events(c->o.store), lost = store_lost(c->o.store);
    struct trace_event a = { .seq = 0 }, b = { .seq = 0 };
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (n && store_at(c->o.store, 0))
        a = *store_at(c->o.store, 0);
    if (n && store_at(c->o.store, n - 1))
        b = *store_at(c->o.store, n - 1);
    if (c->o.json)
        fprintf(c->out, "{\"events\":%" PRIu64 ",\"lost\":%" PRIu64
                ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}\n",
                n, lost, a.seq, b.seq, a.vtime_ns, b.vtime_ns);
    else
        fprintf(c->out, "%" PRIu64 " events, %" PRIu64 " to %" PRIu64
                ", from %" PRIu64 " ns to %" PRIu64 " ns; %" PRIu64 " lost\n",
                n, a.seq, b.seq, a.vtime_ns, b.vtime_ns, lost);
    return CONSOLE_OK;
}

static bool put_one(void *console, uint64_t index, const struct trace_event *e)
{
    struct console *c = console;
    (void)index;
    put_event(c, e);
    return true;
}

/* A MARK is a number that the guest writes to a port to name a phase of its run. */
enum console_result info_marks(struct console *c, const char *args)
{
    struct filter *f = nothing_more(c, args) ? NULL : compile(c, "MARK");
    if (!f)
        return CONSOLE_ERROR;
    if (!c->o.json)
        trace_text_head(c->out);
    each(c, f, put_one, c);
    filter_free(f);
    return CONSOLE_OK;
}

/* Exits by reason. */
struct counts { uint64_t of[N_EXITS], all; };

/* A reason that this program does not know is counted in the sum only. */
static bool count_exit(void *arg, uint64_t index, const struct trace_event *e)
{
    struct counts *n = arg;
    int i = exit_index((unsigned)e->arg[0]);
    (void)index;
    n->all++;
    if (i >= 0)
        n->of[i]++;
    return true;
}

/* Of a machine its own counts, which include exits that the trace does not record; of a
 * recorded trace the number of its EXIT events.
 *
 *     2910  99.2 %  IO             IN or OUT, one element
 *       22   0.8 %  EPT_VIOLATION  a guest-physical address not mapped so
 */
enum console_result info_exits(struct console *c, const char *args)
{
    struct counts n = { .all = 0 };
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (c->o.link) {
        struct link_status s;
        link_get_status(c->o.link, &s);
        memcpy(n.of, s.exits_by, sizeof n.of);
        n.all = s.n_exits;
    } else {
        struct filter *f = compile(c, "EXIT");
        if (!f)
            return CONSOLE_ERROR;
        each(c, f, count_exit, &n);
        filter_free(f);
    }
    if (c->o.json)
        fprintf(c->out, "{\"exits\":%" PRIu64, n.all);
    for (unsigned i = 0; i < N_EXITS; i++) {
        if (n.of[i] && c->o.json)
            fprintf(c->out, ",\"%s\":%" PRIu64, exit_infos[i].name, n.of[i]);
        else if (n.of[i])
            fprintf(c->out, "%12" PRIu64 " %5.1f %%  %-14s %s\n", n.of[i],
                    100.0 * (double)n.of[i] / (double)(n.all ? n.all : 1), exit_infos[i].name,
                    exit_infos[i].about);
    }
    if (c->o.json)
        fputs("}\n", c->out);
    else
        fprintf(c->out, "%12" PRIu64 " exits\n", n.all);
    return CONSOLE_OK;
}
