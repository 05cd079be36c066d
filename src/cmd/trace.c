/*
 * cmd/trace.c -- `vitrine trace FILE`: look into a trace on disk.
 *
 * One pass over the file with a filter; what is done with each event that
 * passes (a line, JSON, counting) is one function.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cpu/exit.h"
#include "debugger/stat.h"
#include "debugger/story.h"
#include "debugger/symbols.h"
#include "debugger/trace_file.h"
#include "debugger/trace_text.h"
#include "vm/pc.h"

enum action { AS_TEXT, AS_JSON, AS_STAT, AS_WHY, AS_INFO, AS_STORY };

struct options {
    enum action action;
    uint64_t kinds, from, to, why;
    bool     only_exit;             /* of one reason */
    unsigned exit_reason;
    bool     kinds_table, markdown;
    const char *symbols, *file;
};

static const char usage[] =
    "usage: vitrine trace [options] FILE\n"
    "       vitrine trace --kinds [--markdown]\n"
    "\nPrints, filters and explains a trace made by `vitrine run --trace FILE GUEST`.\n"
    "\nwhat to do with it:\n"
    "  --text         one aligned line per event (the default)\n"
    "  --json         one JSON object per line\n"
    "  --stat         the table of exits: count, share, times\n"
    "  --why SEQ      the chain of causes that led to event SEQ\n"
    "  --story        phase by phase what the guest did, without addresses and times\n"
    "  --info         what the file says about the run, and its blocks\n"
    "\nwhich events:\n"
    "  --kind K,...   only events of these kinds\n"
    "  --exit REASON  only EXIT events of this reason, by name (IO) or number (0x1e)\n"
    "  --from SEQ, --to SEQ  only events of these numbers\n"
    "\nothers:\n"
    "  --symbols ELF  name addresses by the symbols of the guest\n"
    "  --kinds        list the kinds of events; with --markdown as a table\n"
    "  --help         this help\n"
    "\nexit status: 0; 1 the file cannot be read or is damaged; 2 bad usage\n"
    "\nexamples:\n"
    "  vitrine run --trace t.trace build/guests/timer.elf\n"
    "  vitrine trace t.trace | less\n"
    "  vitrine trace --kind INJECT,DELIVER t.trace\n"
    "  vitrine trace --why 121 t.trace            because of what?\n"
    "  vitrine trace --exit HLT --json t.trace | jq .\n";

static int complain(const char *fmt, const char *what)
{
    host_say(fmt, what);
    return -1;
}

/* "EXIT,IO_READ" to a mask. */
static int parse_number(const char *text, uint64_t *n)
{
    char *end;
    errno = 0;
    *n = strtoull(text, &end, 0);
    if (errno || end == text || *end || text[0] == '-')
        return complain("\"%s\" is not the number of an event", text);
    return 0;
}

static int parse_exit(const char *text, unsigned *reason)
{
    char *end;
    unsigned long n = strtoul(text, &end, 0);
    for (unsigned i = 0; i < N_EXITS; i++)
        if (strcasecmp(text, exit_infos[i].name) == 0) {
            *reason = exit_infos[i].reason;
            return 0;
        }
    if (end == text || *end || n > UINT16_MAX || exit_index((unsigned)n) < 0)
        return complain("there is no exit reason \"%s\"", text);
    *reason = (unsigned)n;
    return 0;
}

enum { OPT_TEXT = 256, OPT_JSON, OPT_STAT, OPT_STORY, OPT_WHY, OPT_INFO, OPT_KIND, OPT_EXIT, OPT_FROM,
       OPT_TO, OPT_SYMBOLS, OPT_KINDS, OPT_MARKDOWN, OPT_HELP };

static const struct option long_options[] = {
    { "text",    no_argument,       NULL, OPT_TEXT },
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
    { "help",    no_argument,       NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* 0, or -1 after saying what is wrong; 1: help was asked for. */
static int parse_option(struct options *o, int c)
{
    switch (c) {
    case OPT_TEXT:     o->action = AS_TEXT; return 0;
    case OPT_JSON:     o->action = AS_JSON; return 0;
    case OPT_STAT:     o->action = AS_STAT; return 0;
    case OPT_STORY:    o->action = AS_STORY; return 0;
    case OPT_INFO:     o->action = AS_INFO; return 0;
    case OPT_WHY:      o->action = AS_WHY; return parse_number(optarg, &o->why);
    case OPT_KIND:     return parse_kinds(optarg, &o->kinds) ? 0 : -1;
    case OPT_EXIT:     o->only_exit = true; return parse_exit(optarg, &o->exit_reason);
    case OPT_FROM:     return parse_number(optarg, &o->from);
    case OPT_TO:       return parse_number(optarg, &o->to);
    case OPT_SYMBOLS:  o->symbols = optarg; return 0;
    case OPT_KINDS:    o->kinds_table = true; return 0;
    case OPT_MARKDOWN: o->markdown = true; return 0;
    case OPT_HELP:     return 1;
    }
    return complain("%s", "`vitrine trace --help` lists the options");
}

static int parse_options(struct options *o, int argc, char **argv)
{
    int c, err = 0;
    *o = (struct options){ .kinds = ~UINT64_C(0), .to = UINT64_MAX };
    optind = 0;                 /* getopt may have been used before */
    argv[0] = "vitrine trace";  /* what it calls us */
    while (err == 0 && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        err = parse_option(o, c);
    if (err || o->kinds_table)
        return err;
    if (argc - optind != 1) {
        return complain("%s; `vitrine trace --help` shows examples",
                        optind == argc ? "which trace file?" : "one trace file at a time");
    }
    o->file = argv[optind];
    if (o->only_exit)
        o->kinds = BIT(TRACE_EXIT);
    return 0;
}

static void list_kinds(void)
{
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        printf("%-12s %s\n", trace_kinds[k].name, trace_kinds[k].about);
}

/* What each event is handed to. */
struct job {
    const struct options *o;
    struct trace_text     text;
    struct exit_stat     *stat;
    struct story         *story;
    const struct trace_file *file;
};

static const char *engine_of(const void *file, unsigned engine)
{
    return trace_file_engine(file, engine);
}

static bool do_event(void *arg, const struct trace_event *e)
{
    struct job *j = arg;
    if (j->o->only_exit && e->kind == TRACE_EXIT && e->arg[0] != j->o->exit_reason)
        return true;
    if (j->o->action == AS_STAT)
        stat_add(j->stat, e);
    else if (j->o->action == AS_STORY)
        story_add(j->story, e);
    else if (j->o->action == AS_JSON)
        trace_text_json(&j->text, e, stdout);
    else
        trace_text_line(&j->text, e, stdout);
    return !ferror(stdout);     /* a reader like head(1) that went away */
}

static int find_event(const void *file, uint64_t seq, struct trace_event *e)
{
    return trace_file_find(file, seq, e);
}

static int do_why(struct job *j)
{
    struct trace_event e;
    int err = trace_file_find(j->file, j->o->why, &e);
    if (err) {
        size_t n = trace_file_blocks(j->file);
        host_say("event %" PRIu64 " is not in this trace%s", j->o->why,
                 err == -EINVAL ? " (the block it was in is damaged)" : "");
        if (n)
            host_say("it holds events %" PRIu64 " to %" PRIu64, trace_file_block(j->file, 0)->first_seq,
                     trace_file_block(j->file, n - 1)->last_seq);
        return 1;
    }
    trace_text_why(&j->text, &e, find_event, j->file, stdout);
    return 0;
}

static int do_info(const struct trace_file *f)
{
    static const char *const keys[] = { "writer", "guest", "engine", "engines", "mmu", "mem", "seed",
                                        "timing", "command", "host", "kinds" };
    for (size_t i = 0; i < NELEM(keys); i++)
        if (trace_file_info(f, keys[i]))
            printf("%-8s %s\n", keys[i], trace_file_info(f, keys[i]));
    printf("%10s %10s %10s %14s %14s %8s\n", "events", "first", "last", "from ns", "to ns", "bytes");
    for (size_t i = 0; i < trace_file_blocks(f); i++) {
        const struct trace_block *b = trace_file_block(f, i);
        printf("%10u %10" PRIu64 " %10" PRIu64 " %14" PRIu64 " %14" PRIu64 " %8u\n", b->n_events,
               b->first_seq, b->last_seq, b->first_ns, b->last_ns, b->packed_bytes);
    }
    return 0;
}

static int do_each(struct job *j)
{
    const struct options *o = j->o;
    if ((o->action == AS_STAT && !(j->stat = stat_new())) ||
        (o->action == AS_STORY && !(j->story = story_new(stdout)))) {
        host_say("there is not enough memory");
        return 1;
    }
    if (j->stat)
        stat_name_ports(j->stat, pc_port_name);
    if (o->action == AS_TEXT)
        trace_text_head(stdout);
    /* One reason's statistics need the RESUMEs too. */
    uint64_t kinds = o->action == AS_STAT && o->only_exit ? ~UINT64_C(0) : o->kinds;
    int damaged = trace_file_each(j->file, o->from, o->to, kinds, do_event, j);
    if (o->action == AS_STAT)
        stat_print(stdout, j->stat, j->text.symbols);
    stat_free(j->stat);
    story_end(j->story);
    if (damaged > 0)
        host_say("%d damaged block%s left out", damaged, damaged == 1 ? " was" : "s were");
    if (damaged < 0)
        host_say("cannot read it: %s", strerror(-damaged));
    return damaged != 0;
}

static void warn_about(const struct trace_file *f, const char *name)
{
    size_t n = trace_file_blocks(f);
    if (trace_file_warning(f)[0])
        host_say("%s: %s", name, trace_file_warning(f));
    if (n && trace_file_block(f, n - 1)->lost)
        host_say("%s: %" PRIu64 " events were lost for want of room in the ring", name,
                 trace_file_block(f, n - 1)->lost);
}

static int look_into(const struct options *o)
{
    char why[300];
    int status = 1;
    struct symbols *symbols = NULL;
    struct trace_file *f = trace_file_open(o->file, why, sizeof why);
    if (!f) {
        host_say("cannot read trace %s: %s", o->file, why);
        return 1;
    }
    if (o->symbols && !(symbols = symbols_open(o->symbols, why, sizeof why))) {
        host_say("cannot read symbols of %s: %s", o->symbols, why);
        goto out;
    }
    struct job j = { .o = o, .file = f, .text = { symbols, engine_of, f } };
    warn_about(f, o->file);
    status = o->action == AS_WHY ? do_why(&j) : o->action == AS_INFO ? do_info(f) : do_each(&j);
    if (fflush(stdout) != 0 && errno != EPIPE) {
        host_say("cannot write: %s", strerror(errno));
        status = 1;
    }
out:
    symbols_close(symbols);
    trace_file_close(f);
    return status;
}

int cmd_trace(int argc, char **argv)
{
    struct options o;
    int err = parse_options(&o, argc, argv);
    if (err < 0)
        return 2;
    if (err > 0)
        fputs(usage, stdout);
    else if (o.kinds_table && o.markdown)
        trace_text_kinds_markdown(stdout);
    else if (o.kinds_table)
        list_kinds();
    else
        return look_into(&o);
    return 0;
}
