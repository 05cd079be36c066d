/*
 * debugger/report/export_chrome.c -- the Trace Event Format, in its form as a JSON object, as
 * Perfetto and chrome://tracing read it.
 *
 * What is drawn: a process for each future of the trace (trace/futures.h), in it a track
 * ("thread") for the exits, each a slice from EXIT to RESUME, and one for each layer with
 * the other events.  Arrows ("flows") lead from each event's cause to it.  Counters show how
 * many exits there are in a second, and how many table entries were filled.
 *
 * The time axis is virtual time, with two additions.  The format cannot draw two things of one
 * track at the same moment, but virtual time stands still while the monitor works: so an
 * event is shown at least a nanosecond after the one before it, and virtual time catches up as
 * soon as the guest runs on.  And with --timing an exit is as long as it took the host, which
 * moves everything behind it; else two exits could overlap.  Exact virtual time is in each
 * event's arguments.
 *
 * Readers sort by time, and keep the order of the file where times are equal.  An arrow's end
 * is at the slice that is open on the track at its time, so it is written behind that slice.
 *
 * Begin reading with trace_export_chrome().
 */
#include "debugger/report/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cpu/exit.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/futures.h"
#include "debugger/trace/store.h"

/* Tracks are "threads" in the format: one for each layer, and behind them one for exits. */
#define EXITS_TRACK N_LAYERS

#define COUNTER_BINS 256        /* samples of a counter over the whole trace */

static const char *const track_names[EXITS_TRACK + 1] = {
    [LAYER_BASE] = "base: timers",      [LAYER_MEM] = "mem: page tables",
    [LAYER_CPU]  = "cpu: the processor", [LAYER_IO] = "io: devices",
    [LAYER_VM]   = "vm: the monitor",   [EXITS_TRACK] = "exits",
};

/* Where an event is drawn: arrows begin there. */
struct place { uint64_t at_ns; uint32_t future; uint8_t track; bool is_drawn; };

/* The axis: its first place that is free, and how far it is ahead of virtual time. */
struct axis { uint64_t free_ns, ahead_ns; };

/* Counters, sampled for each stretch of bin_ns of the axis. */
struct counters { uint64_t bin, bin_ns, exits, nested, shadow; };

struct chrome {
    struct store         *s;
    FILE                 *out;
    const char           *comma;    /* "" before the first event, then "," */
    const struct futures *futures;
    size_t                future;
    struct axis           axis;
    struct counters       counters;
    struct place         *place;    /* by index in the trace */
    struct trace_event    exit;     /* the EXIT of the exit we are in ... */
    uint64_t              exit_index;
    bool                  in_exit;
};

/* A text as the inside of a JSON string.  Names from a trace may hold anything. */
static void put_text(FILE *out, const char *s)
{
    for (size_t n; *s; s += n ? n : 1) {
        n = utf8_length(s);
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (utf8_is_shown(s, n))
            fwrite(s, 1, n, out);
        else
            fputs("\\ufffd", out);      /* the "replacement character" */
    }
}

/* Times of the format are microseconds, and may have a fraction. */
static void put_us(FILE *out, const char *key, uint64_t ns)
{
    fprintf(out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

/* What all have: "ph" is the sort (X a slice with a duration, i an instant, s and f the ends of
 * an arrow, C a counter, M a name), "pid" the future. */
static void begin(struct chrome *c, const char *phase, size_t future, unsigned track)
{
    fprintf(c->out, "%s\n{\"ph\":\"%s\",\"pid\":%zu,\"tid\":%u", c->comma, phase, future + 1,
            track);
    c->comma = ",";
}

static const char *name_of(const struct trace_event *e)
{
    return e->kind == TRACE_EXIT ? exit_name((unsigned)e->arg[0]) : trace_text_kind(e);
}

/* An event as a slice, with all that is known of it as arguments. */
static void put_slice(struct chrome *c, const struct trace_event *e, const struct place *p,
                      uint64_t ns)
{
    const struct trace_text *x = store_text(c->s);
    char text[300];
    begin(c, "X", p->future, p->track);
    put_us(c->out, "ts", p->at_ns);
    put_us(c->out, "dur", ns);
    fputs(",\"name\":\"", c->out);
    put_text(c->out, name_of(e));
    fprintf(c->out, "\",\"args\":{\"seq\":%" PRIu64 ",\"vtime_ns\":%" PRIu64
            ",\"rip\":\"0x%" PRIx64 "\",\"what\":\"", e->seq, e->vtime_ns, trace_linear(e));
    put_text(c->out, trace_text_args(x, e, text, sizeof text));
    fputc('"', c->out);
    if (symbols_format(x->symbols, trace_linear(e), text, sizeof text)[0]) {
        fputs(",\"symbol\":\"", c->out);
        put_text(c->out, text);
        fputc('"', c->out);
    }
    if (e->cause_back)
        fprintf(c->out, ",\"cause\":%" PRIu64, e->seq - e->cause_back);
    fputs("}}", c->out);
}

/* One end of the arrow that ends at event `seq`.  "bp":"e": it leads to the slice around it. */
static void put_end(struct chrome *c, const char *phase, const struct place *p, uint64_t at_ns,
                    uint64_t seq)
{
    begin(c, phase, p->future, p->track);
    put_us(c->out, "ts", at_ns);
    fprintf(c->out, ",\"id\":%" PRIu64 ",\"cat\":\"cause\",\"name\":\"because\"%s}", seq,
            phase[0] == 'f' ? ",\"bp\":\"e\"" : "");
}

/* The arrow from e's cause to e, if both are drawn.  An exit that is not over has no slice yet in
 * the file, and will get one that begins before now: its end of the arrow is put inside of that. */
static void put_arrow(struct chrome *c, const struct trace_event *e, const struct place *to)
{
    uint64_t seq = e->seq - e->cause_back;
    uint64_t at = e->cause_back ? store_seek_seq(c->s, seq) : UINT64_MAX;
    if (at >= store_n_events(c->s) || !c->place[at].is_drawn)
        return;
    const struct place *from = &c->place[at];
    bool open = c->in_exit && from == &c->place[c->exit_index];
    put_end(c, "s", from, open ? to->at_ns : from->at_ns, e->seq);
    put_end(c, "f", to, to->at_ns, e->seq);
}

/* The exit that we are in is over at this place of the axis; 0: it is not known where, as its
 * RESUME is missing. */
static void end_exit(struct chrome *c, uint64_t now_ns)
{
    const struct place *p = &c->place[c->exit_index];
    if (!c->in_exit)
        return;
    c->in_exit = false;
    put_slice(c, &c->exit, p, now_ns > p->at_ns ? now_ns - p->at_ns : 1);
    put_arrow(c, &c->exit, p);
}

/* Where to draw an event.  What the host spent on an exit (ns, with --timing) comes before the
 * RESUME that tells it, and moves all later ones. */
static uint64_t advance(struct axis *a, uint64_t vtime_ns, uint64_t host_ns, uint64_t entered_ns)
{
    uint64_t at = vtime_ns + a->ahead_ns;
    if (host_ns && at < entered_ns + host_ns) {
        a->ahead_ns += entered_ns + host_ns - at;
        at = entered_ns + host_ns;
    }
    if (at < a->free_ns)
        at = a->free_ns;
    a->free_ns = at + 1;
    return at;
}

/*
 * Counters
 */

static void put_counter(struct chrome *c, const char *name, uint64_t at_ns, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void put_counter(struct chrome *c, const char *name, uint64_t at_ns, const char *fmt, ...)
{
    va_list ap;
    begin(c, "C", c->future, 0);
    put_us(c->out, "ts", at_ns);
    fprintf(c->out, ",\"name\":\"%s\",\"args\":{", name);
    va_start(ap, fmt);
    vfprintf(c->out, fmt, ap);
    va_end(ap);
    fputs("}}", c->out);
}

/* The stretch of the axis that was counted is over: its samples are drawn at its beginning. */
static void put_counters(struct chrome *c)
{
    const struct counters *n = &c->counters;
    put_counter(c, "exits/s", n->bin * n->bin_ns, "\"exits/s\":%.0f",
                (double)n->exits * 1e9 / (double)n->bin_ns);
    put_counter(c, "table entries filled", n->bin * n->bin_ns,
                "\"nested\":%" PRIu64 ",\"shadow\":%" PRIu64, n->nested, n->shadow);
}

/* After a stretch without events the rate is 0 until the next one. */
static void count(struct chrome *c, const struct trace_event *e, uint64_t at_ns)
{
    struct counters *n = &c->counters;
    uint64_t bin = at_ns / n->bin_ns;
    if (bin != n->bin) {
        put_counters(c);
        n->exits = 0;
        if (bin > n->bin + 1) {
            n->bin++;
            put_counters(c);
        }
        n->bin = bin;
    }
    n->exits += e->kind == TRACE_EXIT;
    n->nested += e->kind == TRACE_NESTED_FILL;
    n->shadow += e->kind == TRACE_SHADOW_FILL;
}

/*
 * Events
 */

static void name_track(struct chrome *c, unsigned track, const char *name)
{
    begin(c, "M", c->future, track);
    fprintf(c->out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}", name);
    begin(c, "M", c->future, track);        /* exits above the layers */
    fprintf(c->out, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}",
            track == EXITS_TRACK ? 0 : track + 1);
}

/* Names of a future: the guest, its engine, and where it begins. */
static void name_future(struct chrome *c)
{
    const char *guest = store_info(c->s, "guest"), *engine = store_info(c->s, "engine");
    const char *mmu = store_info(c->s, "mmu");
    uint64_t back_to = futures_back_to(c->futures, c->future);
    begin(c, "M", c->future, 0);
    fputs(",\"name\":\"process_name\",\"args\":{\"name\":\"", c->out);
    put_text(c->out, guest ? guest : "guest");
    fputs(" on ", c->out);
    put_text(c->out, engine ? engine : "?");
    fputc('/', c->out);
    put_text(c->out, mmu ? mmu : "?");
    if (c->future && back_to)
        fprintf(c->out, ", future %zu: changed behind event %" PRIu64, c->future + 1, back_to);
    else if (c->future)
        fprintf(c->out, ", future %zu: a state was loaded", c->future + 1);
    fputs("\"}}", c->out);
    begin(c, "M", c->future, 0);
    fprintf(c->out, ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%zu}}", c->future);
    for (unsigned i = 0; i < NELEM(track_names); i++)
        name_track(c, i, track_names[i]);
}

/* A future begins on the axis where the event is that it was taken back to. */
static void begin_future(struct chrome *c, size_t future)
{
    uint64_t back_to = futures_back_to(c->futures, future);
    uint64_t at = back_to ? store_seek_seq(c->s, back_to) : UINT64_MAX;
    const struct trace_event *e = at < store_n_events(c->s) ? store_at(c->s, at) : NULL;
    uint64_t was_ns = e && c->place[at].is_drawn ? c->place[at].at_ns : 0;
    end_exit(c, 0);
    put_counters(c);
    c->future = future;
    c->axis = (struct axis){ .free_ns = was_ns,
                             .ahead_ns = e && was_ns > e->vtime_ns ? was_ns - e->vtime_ns : 0 };
    c->counters = (struct counters){ .bin = was_ns / c->counters.bin_ns,
                                     .bin_ns = c->counters.bin_ns };
    name_future(c);
}

/* A RESUME ends the slice of its exit and is not shown itself: what it causes begins at the exit.
 * MARKs get a line over all tracks besides ("s":"g", global). */
static bool export_event(void *arg, uint64_t index, const struct trace_event *event)
{
    struct chrome *c = arg;
    struct trace_event e = *event;      /* what begin_future() looks up may take its place */
    size_t future = futures_of(c->futures, e.seq);
    if (future != c->future)
        begin_future(c, future);
    bool resumes = e.kind == TRACE_RESUME && c->in_exit;
    uint64_t at = advance(&c->axis, e.vtime_ns, resumes ? e.arg[2] : 0,
                          c->place[c->exit_index].at_ns);
    count(c, &e, at);
    if (e.kind == TRACE_EXIT || e.kind == TRACE_STOP || resumes)
        end_exit(c, resumes ? at : 0);
    if (resumes) {
        c->place[index] = c->place[c->exit_index];
        return !ferror(c->out);
    }
    unsigned track = e.kind < N_TRACE_KINDS ? trace_layer(e.kind) : LAYER_BASE;
    struct place *p = &c->place[index];
    *p = (struct place){ at, (uint32_t)future,
                         e.kind == TRACE_EXIT ? EXITS_TRACK : (uint8_t)track, true };
    if (e.kind == TRACE_EXIT) {
        c->exit = e;
        c->exit_index = index;
        c->in_exit = true;
        return !ferror(c->out);
    }
    put_slice(c, &e, p, 1);
    put_arrow(c, &e, p);
    if (e.kind == TRACE_MARK) {
        begin(c, "i", future, EXITS_TRACK);
        put_us(c->out, "ts", at);
        fprintf(c->out, ",\"s\":\"g\",\"name\":\"MARK %" PRIu64 "\"}", e.arg[0]);
    }
    return !ferror(c->out);
}

/* How much of the axis a counter's sample stands for; of the whole trace there are about
 * COUNTER_BINS. */
static uint64_t bin_width(const struct store *s)
{
    const struct trace_file *f = store_file(s);
    uint64_t last = 0;
    for (size_t i = 0; f && i < trace_file_blocks(f); i++)
        last = trace_file_block(f, i)->max_ns > last ? trace_file_block(f, i)->max_ns : last;
    return last / COUNTER_BINS > 1000 ? last / COUNTER_BINS : 1000;
}

int trace_export_chrome(struct store *s, const struct filter *f, FILE *out)
{
    struct chrome c = { .s = s, .out = out, .comma = "", .counters = { .bin_ns = bin_width(s) } };
    struct futures *futures = futures_find(s);
    int damaged = -ENOMEM;
    c.futures = futures;
    c.place = calloc(store_n_events(s) + 1, sizeof *c.place);
    if (futures && c.place) {
        fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
        name_future(&c);
        damaged = store_each(s, f, 0, UINT64_MAX, export_event, &c);
        end_exit(&c, 0);
        put_counters(&c);
        fputs("\n]}\n", out);
    }
    free(c.place);
    futures_free(futures);
    return ferror(out) ? -EIO : damaged;
}
