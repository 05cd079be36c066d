/*
 * cmd/trace.c -- `vitrine trace FILE`: look into a trace on disk.
 *
 * Which events is a filter (debugger/trace/filter.h): EXPR, --kind and --exit all become parts
 * of one.  What is done with them is an action: a line, JSON, counting, a story, an export.
 * Most actions are one pass over the events that pass the filter, do_each(), in which
 * do_event() hands each to what gathers it.
 *
 *     look_into()  opens --> do_action() --> do_each() --> do_event(), again and again
 *                                        `-> do_why(), do_info(), do_count(), do_export()
 *
 * No machine is made here: everything is in the file.  `vitrine trace diff` is trace_diff.c.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/paginate.h"
#include "cmd/names.h"
#include "cpu/exit.h"
#include "debugger/report/export.h"
#include "debugger/report/histogram.h"
#include "debugger/report/stat.h"
#include "debugger/report/story.h"
#include "debugger/trace/field.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/futures.h"
#include "debugger/trace/repeats.h"
#include "debugger/trace/store.h"
#include "debugger/trace/text.h"
#include "debugger/trace/why.h"
#include "vm/pc.h"

/* What is done with the events: one of these. */
enum action {
    /* each event as it comes */
    AS_TEXT, AS_FOLDED, AS_JSON,
    /* all events, and then what came of them */
    AS_STAT, AS_STORY, AS_HISTOGRAM,
    /* without a pass of ours: one event, none, or how many */
    AS_WHY, AS_INFO, AS_COUNT,
    /* into files that other programs read */
    AS_CHROME, AS_CTF
};

/* What the command line asked for; NULL: not given. */
struct options {
    enum action action;
    uint64_t from, to, why;
    bool     kinds_table, fields_table, markdown;
    const char *kinds, *exit, *expr;    /* which events; NULL: all */
    const char *histogram, *symbols, *file, *output, *timing;
};

static const char usage[] =
    "usage: vitrine trace [options] FILE [EXPR]\n"
    "       vitrine trace --kinds [--markdown]\n"
    "       vitrine trace --fields\n"
    "       vitrine trace diff [options] A.trace B.trace\n"
    "\nPrints, filters and explains a trace made by `vitrine run --trace FILE GUEST`.\n"
    "\nwhat to do with it:\n"
    "  --text         one aligned line per event (the default)\n"
    "  --fold         the same, and rounds of events that come again are counted\n"
    "  --json         one JSON object per line\n"
    "  --stat         the table of exits: count, share, times\n"
    "  --why SEQ      the chain of causes that led to event SEQ\n"
    "  --story        phase by phase what the guest did, without addresses and times\n"
    "  --count        how many events\n"
    "  --histogram F  how often field F has which value\n"
    "  --export FORM  chrome: JSON for Perfetto; ctf: a directory for babeltrace2\n"
    "  --output OUT   where --export writes; chrome: else to standard output\n"
    "  --info         what the file says about the run, and its blocks\n"
    "\nwhich events:\n"
    "  EXPR           those that it is true of: exit==io && port in 0x3f8..0x3ff\n"
    "  --kind K,...   only events of these kinds\n"
    "  --exit REASON  only EXIT events of this reason, by name (IO) or number (0x1e)\n"
    "  --from SEQ, --to SEQ  only events of these numbers\n"
    "\nothers:\n"
    "  --timing TRACE take exits' host times from there: a run of the same with --timing\n"
    "  --symbols FILE name addresses by these symbols, FILE or FILE@OFFSET, instead of\n"
    "                 those of the guest that the trace was recorded with\n"
    "  --kinds        list the kinds of events; with --markdown as a table\n"
    "  --fields       list the fields that EXPR and --histogram can name\n"
    "  --help         this help\n"
    "\nexit status: 0; 1 the file cannot be read or is damaged; 2 bad usage\n"
    "\nexamples:\n"
    "  vitrine run --trace t.trace build/guests/timer.elf\n"
    "  vitrine trace t.trace | less\n"
    "  vitrine trace --kind INJECT,DELIVER t.trace\n"
    "  vitrine trace --why 121 t.trace            because of what?\n"
    "  vitrine trace t.trace 'port==0x3f8 && rip in uart_put'\n"
    "  vitrine trace t.trace 'time in 1ms..2ms' --histogram port\n"
    "  vitrine trace t.trace --export chrome --output t.json     for ui.perfetto.dev\n"
    "  vitrine trace --exit HLT --json t.trace | jq .\n";

/* Tell the user; -1, for callers that return it. */
static int complain(const char *fmt, const char *what)
{
    host_say(fmt, what);
    return -1;
}

/* The number of an event.  It is never negative, but strtoull() would take a minus sign. */
static int parse_number(const char *text, uint64_t *n)
{
    char *end;
    errno = 0;
    *n = strtoull(text, &end, 0);
    if (errno || end == text || *end || text[0] == '-')
        return complain("\"%s\" is not the number of an event", text);
    return 0;
}

/* Numbers of the long options, above all characters. */
enum { OPT_TEXT = 256, OPT_FOLD, OPT_JSON, OPT_STAT, OPT_STORY, OPT_WHY, OPT_INFO, OPT_KIND,
       OPT_EXIT, OPT_FROM, OPT_TO, OPT_SYMBOLS, OPT_KINDS, OPT_MARKDOWN, OPT_COUNT, OPT_HISTOGRAM,
       OPT_FIELDS, OPT_EXPORT, OPT_OUTPUT, OPT_TIMING,
       OPT_HELP };

/* There are no short options.  parse_option() has a case for each row.  [getopt_long(3)] */
static const struct option long_options[] = {
    { "text",    no_argument,       NULL, OPT_TEXT },
    { "fold",    no_argument,       NULL, OPT_FOLD },
    { "json",    no_argument,       NULL, OPT_JSON },
    { "stat",    no_argument,       NULL, OPT_STAT },
    { "why",     required_argument, NULL, OPT_WHY },
    { "story",   no_argument,       NULL, OPT_STORY },
    { "info",    no_argument,       NULL, OPT_INFO },
    { "kind",    required_argument, NULL, OPT_KIND },
    { "exit",    required_argument, NULL, OPT_EXIT },
    { "from",    required_argument, NULL, OPT_FROM },
    { "to",      required_argument, NULL, OPT_TO },
    { "symbols", required_argument, NULL, OPT_SYMBOLS },
    { "kinds",   no_argument,       NULL, OPT_KINDS },
    { "markdown",no_argument,       NULL, OPT_MARKDOWN },
    { "count",   no_argument,       NULL, OPT_COUNT },
    { "histogram", required_argument, NULL, OPT_HISTOGRAM },
    { "export",  required_argument, NULL, OPT_EXPORT },
    { "output",  required_argument, NULL, OPT_OUTPUT },
    { "timing",  required_argument, NULL, OPT_TIMING },
    { "fields",  no_argument,       NULL, OPT_FIELDS },
    { "help",    no_argument,       NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* chrome: the JSON that ui.perfetto.dev reads; ctf: a trace that babeltrace2 reads. */
static int parse_export(struct options *o, const char *form)
{
    o->action = strcmp(form, "ctf") == 0 ? AS_CTF : AS_CHROME;
    if (o->action == AS_CHROME && strcmp(form, "chrome") != 0)
        return complain("--export is chrome or ctf, not '%s'", form);
    return 0;
}

/* One option that getopt_long() has found, with its argument in optarg.  0, or -1 after
 * saying what is wrong; 1: help was asked for.  Of several actions the last one counts. */
static int parse_option(struct options *o, int c)
{
    switch (c) {
    case OPT_TEXT:     o->action = AS_TEXT; return 0;
    case OPT_FOLD:     o->action = AS_FOLDED; return 0;
    case OPT_JSON:     o->action = AS_JSON; return 0;
    case OPT_STAT:     o->action = AS_STAT; return 0;
    case OPT_STORY:    o->action = AS_STORY; return 0;
    case OPT_INFO:     o->action = AS_INFO; return 0;
    case OPT_WHY:      o->action = AS_WHY; return parse_number(optarg, &o->why);
    case OPT_KIND:     o->kinds = optarg; return 0;
    case OPT_EXIT:     o->exit = optarg; return 0;
    case OPT_COUNT:    o->action = AS_COUNT; return 0;
    case OPT_HISTOGRAM: o->action = AS_HISTOGRAM; o->histogram = optarg; return 0;
    case OPT_OUTPUT:   o->output = optarg; return 0;
    case OPT_TIMING:   o->timing = optarg; return 0;
    case OPT_EXPORT:   return parse_export(o, optarg);
    case OPT_FIELDS:   o->fields_table = true; return 0;
    case OPT_FROM:     return parse_number(optarg, &o->from);
    case OPT_TO:       return parse_number(optarg, &o->to);
    case OPT_SYMBOLS:  o->symbols = optarg; return 0;
    case OPT_KINDS:    o->kinds_table = true; return 0;
    case OPT_MARKDOWN: o->markdown = true; return 0;
    case OPT_HELP:     return 1;
    }
    return complain("%s", "`vitrine trace --help` lists the options");
}

/* 0, 1 if help was asked for, -1 after a complaint. */
static int parse_options(struct options *o, int argc, char **argv)
{
    int c, err = 0;
    *o = (struct options){ .to = UINT64_MAX };
    optind = 0;                 /* getopt may have been used before */
    argv[0] = "vitrine trace";  /* what it calls us */
    while (err == 0 && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        err = parse_option(o, c);
    if (err || o->kinds_table || o->fields_table)
        return err;
    if (optind == argc || argc - optind > 2) {
        return complain("%s `vitrine trace --help` shows examples",
                        optind == argc
                            ? "which trace file?"
                            : "one trace file and one expression, quoted: 'port==0x3f8 && read';");
    }
    o->file = argv[optind];
    o->expr = argv[optind + 1];         /* or the NULL at the end */
    return 0;
}

/* --kinds and --fields need no trace: both lists are tables of the program. */
static void list_kinds(void)
{
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        printf("%-12s %s\n", trace_kinds[k].name, trace_kinds[k].about);
}

static void list_fields(void)
{
    for (size_t i = 0; i < trace_fields_count(); i++)
        printf("%-12s %s\n", trace_field_at(i)->name, trace_field_at(i)->about);
}

/* One look into one trace: what each event is handed to.  Of the pointers from `stat` on only
 * those that the action needs are made; the others are NULL. */
struct job {
    const struct options *o;
    struct store         *store, *timing;
    uint64_t              not_same;     /* RESUMEs that `timing` does not have so */
    struct filter        *filter;
    struct exit_stat     *stat;
    struct story         *story;
    struct histogram     *histogram;
    struct trace_repeats  repeats;      /* --fold */
    struct futures       *futures;      /* only events of the story are looked at; NULL: all */
};

/* An exit's host time is measured only with --timing, and measuring makes a run slower.  So
 * the events may come from one run and the times from another of the same guest: on an
 * engine that counts, the two are the same event by event.  A RESUME gets the time that the
 * other run took for it; those that do not match are counted, and the user is told. */
static struct trace_event timed(struct job *j, const struct trace_event *e)
{
    struct trace_event own = *e, other;
    if (!j->timing || e->kind != TRACE_RESUME)
        return own;
    if (store_find_seq(j->timing, e->seq, &other) == 0 && other.kind == TRACE_RESUME &&
        other.arg[0] == e->arg[0] && other.arg[1] == e->arg[1])
        own.arg[2] = other.arg[2];
    else
        j->not_same++;
    return own;
}

/* One event that passed the filter.  False ends the pass early: nobody reads our output any
 * more (head(1) has seen enough), so there is no use in going on. */
static bool do_event(void *arg, uint64_t index, const struct trace_event *found)
{
    struct job *j = arg;
    struct trace_event event = timed(j, found);
    const struct trace_event *e = &event;
    (void)index;
    if (j->futures && !futures_in_story(j->futures, e->seq))
        return true;
    switch (j->o->action) {
    case AS_STAT:      stat_add(j->stat, e); break;
    case AS_STORY:     story_add(j->story, e); break;
    case AS_HISTOGRAM: histogram_add(j->histogram, e); break;
    case AS_FOLDED:    trace_repeats_line(&j->repeats, store_text(j->store), e, stdout); break;
    case AS_JSON:      trace_text_json(store_text(j->store), e, stdout); break;
    default:           trace_text_line(store_text(j->store), e, stdout); break;
    }
    return !ferror(stdout);     /* a reader like head(1) that went away */
}

/* --why: the chain of causes of one event, from it back to the first.  The exit status. */
static int do_why(struct job *j)
{
    struct trace_event e;
    const struct trace_event *first = store_at(j->store, 0);
    if (store_find_seq(j->store, j->o->why, &e) == 0) {
        trace_why(store_text(j->store), &e, store_find_seq, j->store, stdout);
        return 0;
    }
    if (first) {
        uint64_t from = first->seq;
        const struct trace_event *last = store_at(j->store, store_n_events(j->store) - 1);
        host_say("event %" PRIu64 " is not in this trace, which holds %" PRIu64 " to %" PRIu64,
                 j->o->why, from, last ? last->seq : from);
    } else {
        host_say("event %" PRIu64 " is not in this trace, which holds none", j->o->why);
    }
    return 1;
}

/* --info: what the head says, and a row for each block.  Nothing is unpacked for this. */
static int do_info(const struct store *s)
{
    static const char *const keys[] = { "writer", "guest", "engine", "engines", "mmu", "mem",
                                        "seed",
                                        "timing", "command", "host", "kinds" };
    const struct trace_file *f = store_file(s);
    for (size_t i = 0; i < NELEM(keys); i++)
        if (store_info(s, keys[i]))
            printf("%-8s %s\n", keys[i], store_info(s, keys[i]));
    printf("%10s %10s %10s %14s %14s %8s\n", "events", "first", "last", "from ns", "to ns",
           "bytes");
    for (size_t i = 0; i < trace_file_blocks(f); i++) {
        const struct trace_block *b = trace_file_block(f, i);
        printf("%10u %10" PRIu64 " %10" PRIu64 " %14" PRIu64 " %14" PRIu64 " %8u\n", b->n_events,
               b->first_seq, b->last_seq, b->min_ns, b->max_ns, b->packed_bytes);
    }
    return 0;
}

/* --from and --to are numbers of events, but the store counts places from 0. A trace need
 * not begin with event 1, and where events were lost their numbers are missing. */
static void range_of(const struct job *j, uint64_t *from, uint64_t *to)
{
    *from = store_seek_seq(j->store, j->o->from);
    *to = j->o->to == UINT64_MAX ? UINT64_MAX : store_seek_seq(j->store, j->o->to + 1);
}

/* Damaged blocks were left out, or reading failed: status 1. */
static int tell_damage(int damaged)
{
    if (damaged > 0)
        host_say("%d damaged block%s left out", damaged, damaged == 1 ? " was" : "s were");
    if (damaged < 0)
        host_say("cannot read it: %s", strerror(-damaged));
    return damaged != 0;
}

/* What is added up and told as one run must be one: where a debugger took the guest back and
 * changed it, what came of it before is left out, and the user is told.  False: no memory. */
static bool keep_to_story(struct job *j)
{
    j->futures = futures_find(j->store);
    if (j->futures && futures_count(j->futures) > 1)
        printf("the last of %zu futures: the guest was taken back and changed, or a state was "
               "loaded\n", futures_count(j->futures));
    return j->futures;
}

/* What an action needs before the first event; false: no memory. */
static bool prepare(struct job *j)
{
    if ((j->o->action == AS_STAT || j->o->action == AS_STORY) && !keep_to_story(j))
        return false;
    switch (j->o->action) {
    case AS_STAT:
        j->stat = stat_new();
        if (j->stat)
            stat_name_ports(j->stat, pc_port_name);
        return j->stat;
    case AS_STORY:
        return (j->story = story_new(stdout));
    case AS_HISTOGRAM:
        j->histogram = histogram_new(trace_field_find(j->o->histogram, strlen(j->o->histogram)),
                                     store_text(j->store));
        return j->histogram;
    case AS_TEXT:
    case AS_FOLDED:
        trace_text_head(stdout);
        return true;
    default:
        return true;
    }
}

/* The actions that look at every event: make what gathers them, hand it each event, print
 * what came of it.  The exit status. */
static int do_each(struct job *j)
{
    uint64_t from, to;
    if (!prepare(j)) {
        host_say("there is not enough memory");
        return 1;
    }
    range_of(j, &from, &to);
    int damaged = store_each(j->store, j->filter, from, to, do_event, j);
    trace_repeats_end(&j->repeats, store_text(j->store), stdout);
    if (j->stat)
        stat_print(stdout, j->stat, store_text(j->store)->symbols);
    if (j->histogram)
        histogram_print(j->histogram, 40, stdout);
    if (j->not_same)
        host_say("%" PRIu64 " exits are not in %s: it is not the same run", j->not_same,
                 j->o->timing);
    futures_free(j->futures);
    stat_free(j->stat);
    histogram_free(j->histogram);
    story_end(j->story);
    return tell_damage(damaged);
}

/* --count needs no event, only how many.  Counting alone is something the store does with
 * several blocks at once. */
static int do_count(const struct job *j)
{
    uint64_t from, to;
    range_of(j, &from, &to);
    printf("%" PRIu64 "\n", store_count(j->store, j->filter, from, to));
    return 0;
}

/* --export: for Perfetto one file (or standard output), for babeltrace2 a directory of
 * files, which must be named.  The exit status: 2 bad usage, 1 if it cannot be written or
 * blocks are damaged. */
static int do_export(const struct job *j)
{
    const char *path = j->o->output;
    if (j->o->action == AS_CTF && !path) {
        host_say("--export ctf wants --output DIRECTORY");
        return 2;
    }
    FILE *out = j->o->action == AS_CTF ? NULL : path ? fopen(path, "w") : stdout;
    int err = j->o->action == AS_CTF ? trace_export_ctf(j->store, j->filter, path)
            : out ? trace_export_chrome(j->store, j->filter, out) : -errno;
    if (out && path && fclose(out) != 0 && err >= 0)
        err = -errno;
    if (err >= 0)
        return tell_damage(err);
    host_say("cannot write %s: %s", path ? path : "it", strerror(-err));
    return 1;
}

/* What the reader should know before believing the trace: damage in the file; a writer that
 * was killed, or is still at work; events for which the ring had no room. */
static void warn_about(const struct store *s, const char *name)
{
    if (store_warning(s)[0])
        host_say("%s: %s", name, store_warning(s));
    else if (!store_is_complete(s))
        host_say("%s: nobody has closed it: its writer was killed, or is still at it", name);
    if (store_lost(s))
        host_say("%s: %" PRIu64 " events were lost for want of room in the ring", name,
                 store_lost(s));
}

/* f && expr, where `expr` is made by the format; f is freed. */
__attribute__((format(printf, 3, 4)))
/* f && expr, where `expr` is made by the format like printf's.  f is freed in any case.
 * NULL after a complaint; a mistake in the expression is shown with a mark below it. */
static struct filter *narrow(struct filter *f, const struct trace_text *x, const char *fmt, ...)
{
    struct filter_error err;
    char *expr = NULL, complaint[1000];
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&expr, fmt, ap);
    va_end(ap);
    struct filter *more = n < 0 ? NULL : filter_compile(expr, x, &err);
    struct filter *both = f && more ? filter_both(f, more) : NULL;
    if (n >= 0 && !more) {
        filter_complain(expr, &err, complaint, sizeof complaint);
        host_say("%s", complaint);
    } else if (f && !both) {
        host_say("there is not enough memory, or this is too long");
    }
    if (n >= 0)
        free(expr);
    filter_free(f);
    filter_free(more);
    return both;
}

/* All options that say which events are turned into expressions of the filter language, so
 * that there is one way to choose events.  NULL after a complaint. */
static struct filter *make_filter(const struct options *o, const struct trace_text *x)
{
    struct filter *f = filter_both(NULL, NULL);
    if (o->kinds)
        f = narrow(f, x, "kind in (%s)", o->kinds);
    /* One reason's statistics need the RESUMEs too. */
    if (f && o->exit)
        f = narrow(f, x, o->action == AS_STAT ? "exit==%s || kind != EXIT" : "exit==%s", o->exit);
    if (f && o->expr)
        f = narrow(f, x, "%s", o->expr);
    return f;
}

/* The exit status.  A reader that went away (EPIPE) is no failure of ours.  [write(2)] */
static int do_action(struct job *j)
{
    if (j->o->histogram && !trace_field_find(j->o->histogram, strlen(j->o->histogram))) {
        host_say("there is no field '%s'; vitrine trace --fields lists them", j->o->histogram);
        return 2;
    }
    j->filter = make_filter(j->o, store_text(j->store));
    if (!j->filter)
        return 2;
    int status = j->o->action == AS_WHY ? do_why(j) : j->o->action == AS_INFO ? do_info(j->store)
               : j->o->action == AS_COUNT ? do_count(j)
               : j->o->action == AS_CHROME || j->o->action == AS_CTF ? do_export(j) : do_each(j);
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
        host_say("cannot write: %s", strerror(errno));
        status = 1;
    }
    filter_free(j->filter);
    return status;
}

/* Open the trace, and what names its addresses and times; do what was asked for; close
 * everything.  The exit status. */
static int look_into(const struct options *o)
{
    char why[300];
    int status = 1;
    struct names names;
    struct store *timing = NULL, *s = store_open(o->file, why, sizeof why);
    if (!s) {
        host_say("cannot read trace %s: %s", o->file, why);
        return 1;
    }
    if (!names_open_trace(&names, o->symbols, s, o->file))
        goto out;
    store_set_symbols(s, names.symbols);
    warn_about(s, o->file);
    if (o->timing && !(timing = store_open(o->timing, why, sizeof why)))
        host_say("cannot read trace %s: %s", o->timing, why);
    else
        status = do_action(&(struct job){ .o = o, .store = s, .timing = timing });
    store_close(timing);
out:
    names_close(&names);
    store_close(s);
    return status;
}

/* argv[0] is "trace". Whatever is written goes to standard output, complaints to stderr. */
int cmd_trace(int argc, char **argv)
{
    struct options o;
    if (argc > 1 && strcmp(argv[1], "diff") == 0)
        return cmd_trace_diff(argc - 1, argv + 1);
    int err = parse_options(&o, argc, argv);
    if (err < 0)
        return 2;
    if (err > 0)
        fputs(usage, stdout);
    else if (o.kinds_table && o.markdown)
        trace_text_kinds_markdown(stdout);
    else if (o.kinds_table)
        list_kinds();
    else if (o.fields_table)
        list_fields();
    else {
        pid_t pager = paginate_start();
        err = look_into(&o);
        paginate_wait(pager);
        return err;
    }
    return 0;
}
