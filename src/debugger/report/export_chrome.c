/*
 * debugger/report/export_chrome.c -- the Trace Event Format, in its form as a JSON object.
 *
 * An exit is a slice from EXIT to RESUME.  What happens meanwhile, and on its own, are
 * instants on a track for each layer.  Times are virtual; only the length of a slice is the
 * host's if the run had --timing, so that slices may then overlap a little.
 *
 * Begin reading with trace_export_chrome().
 */
#include "debugger/report/export.h"

#include <errno.h>
#include <inttypes.h>

#include "cpu/exit.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

/* Tracks are "threads" in the format: one for each layer, and behind them one for exits. */
#define EXITS_TRACK N_LAYERS

struct chrome {
    const struct store *s;
    FILE               *out;
    const char         *comma;      /* "" before the first event, then "," */
    struct trace_event  exit;       /* the EXIT of the exit we are in */
    bool                in_exit;
};

/* A text as the inside of a JSON string.  Our own texts are ASCII, but names from a trace may
 * hold anything. */
static void put_text(FILE *out, const char *s)
{
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else
            fputc(*s >= ' ' && *s < 127 ? *s : '?', out);
}

/* An event: "ph" is its sort (X a slice with a duration, i an instant, M a name of a track),
 * "ts" its time in microseconds; `more` are fields that only some have. */
static void put_event(struct chrome *c, const char *phase, const char *name, unsigned track,
                      const struct trace_event *e, const char *more)
{
    char text[300];
    fprintf(c->out, "%s\n{\"ph\":\"%s\",\"pid\":1,\"tid\":%u,\"ts\":%" PRIu64 ".%03u,\"name\":\"",
            c->comma, phase, track, e->vtime_ns / 1000, (unsigned)(e->vtime_ns % 1000));
    c->comma = ",";
    put_text(c->out, name);
    fprintf(c->out, "\"%s,\"args\":{\"seq\":%" PRIu64 ",\"rip\":\"0x%" PRIx64 "\",\"what\":\"",
            more, e->seq, e->rip);
    put_text(c->out, trace_text_args(store_text(c->s), e, text, sizeof text));
    fputc('"', c->out);
    if (e->cause_back)
        fprintf(c->out, ",\"cause\":%" PRIu64, e->seq - e->cause_back);
    fputs("}}", c->out);
}

/* The exit that just ended, from its EXIT on. */
static void put_slice(struct chrome *c, const struct trace_event *resume)
{
    char duration[60];
    uint64_t ns = resume->arg[2] ? resume->arg[2] : resume->vtime_ns - c->exit.vtime_ns;
    snprintf(duration, sizeof duration, ",\"dur\":%" PRIu64 ".%03u", ns / 1000,
             (unsigned)(ns % 1000));
    put_event(c, "X", exit_name((unsigned)c->exit.arg[0]), EXITS_TRACK, &c->exit, duration);
    c->in_exit = false;
}

/* A RESUME ends the slice of its exit and is not shown itself.  MARKs are drawn over all
 * tracks ("s":"g", global). */
static bool export_event(void *arg, uint64_t index, const struct trace_event *e)
{
    struct chrome *c = arg;
    (void)index;
    if (e->kind == TRACE_EXIT) {
        c->exit = *e;
        c->in_exit = true;
    } else if (e->kind == TRACE_RESUME && c->in_exit) {
        put_slice(c, e);
    } else if (e->kind == TRACE_MARK) {
        put_event(c, "i", "MARK", EXITS_TRACK, e, ",\"s\":\"g\"");
    } else {
        put_event(c, "i", e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?", e->layer, e,
                  ",\"s\":\"t\"");
    }
    return !ferror(c->out);
}

static void name_track(struct chrome *c, unsigned track, const char *name)
{
    fprintf(c->out, "%s\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,"
            "\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}",
            c->comma, track, name);
    c->comma = ",";
}

int trace_export_chrome(struct store *s, const struct filter *f, FILE *out)
{
    struct chrome c = { .s = s, .out = out, .comma = "" };
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    for (unsigned i = 0; i < N_LAYERS; i++)
        name_track(&c, i, layer_names[i]);
    name_track(&c, EXITS_TRACK, "exits");
    int damaged = store_each(s, f, 0, UINT64_MAX, export_event, &c);
    fputs("\n]}\n", out);
    return ferror(out) ? -EIO : damaged;
}
