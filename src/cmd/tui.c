/*
 * cmd/tui.c -- `vitrine tui FILE.trace`: the events on the terminal.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "debugger/filter.h"
#include "debugger/symbols.h"
#include "debugger/tui.h"
#include "vm/pc.h"

static const char usage[] =
    "usage: vitrine tui [options] FILE.trace\n"
    "       vitrine tui --keys\n"
    "\nShows a trace made by `vitrine run --trace FILE GUEST`: every event, because of what\n"
    "it happened, what came of it, and where the exits come from.  `?` lists the keys.\n"
    "\noptions:\n"
    "  --symbols ELF  name addresses by these symbols (default: the guest's, if it is there)\n"
    "  --filter EXPR  begin with this filter; see `vitrine trace --help`\n"
    "  --layout NAME  lecture (default), lab or debug\n"
    "  --mono         no colours, as if NO_COLOR were set\n"
    "  --colours N    8 or 256, if the terminal's description is wrong\n"
    "  --ascii        lines of - and |, also where the locale has better ones\n"
    "  --mouse        take the mouse: click, wheel (M switches)\n"
    "  --keys         print the table of keys, for the documentation\n"
    "  --help         this help\n"
    "\nexit status: 0; 1 the file cannot be read; 2 bad usage; 125 no terminal to draw on\n"
    "\nexamples:\n"
    "  vitrine run --trace t.trace build/guests/timer.elf\n"
    "  vitrine tui t.trace\n"
    "  vitrine tui --layout lab --filter 'exit==io && port==0x3f8' t.trace\n";

enum { OPT_SYMBOLS = 256, OPT_FILTER, OPT_LAYOUT, OPT_MONO, OPT_COLOURS, OPT_ASCII, OPT_MOUSE, OPT_KEYS,
       OPT_HELP };

static const struct option long_options[] = {
    { "symbols", required_argument, NULL, OPT_SYMBOLS },
    { "filter",  required_argument, NULL, OPT_FILTER },
    { "layout",  required_argument, NULL, OPT_LAYOUT },
    { "mono",    no_argument,       NULL, OPT_MONO },
    { "colours", required_argument, NULL, OPT_COLOURS },
    { "ascii",   no_argument,       NULL, OPT_ASCII },
    { "mouse",   no_argument,       NULL, OPT_MOUSE },
    { "keys",    no_argument,       NULL, OPT_KEYS },
    { "help",    no_argument,       NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

struct options {
    struct tui_options tui;
    const char *symbols;
    bool keys, help;
};

static bool parse_colours(const char *text, enum tui_colours *c)
{
    *c = strcmp(text, "8") == 0 ? COLOURS_8 : strcmp(text, "256") == 0 ? COLOURS_256 : COLOURS_AUTO;
    if (*c == COLOURS_AUTO)
        host_say("--colours is 8 or 256, not '%s'", text);
    return *c != COLOURS_AUTO;
}

static bool parse_option(struct options *o, int c)
{
    switch (c) {
    case OPT_SYMBOLS: o->symbols = optarg; return true;
    case OPT_FILTER:  o->tui.filter = optarg; return true;
    case OPT_MONO:    o->tui.term.colours = COLOURS_NONE; return true;
    case OPT_COLOURS: return parse_colours(optarg, &o->tui.term.colours);
    case OPT_ASCII:   o->tui.term.ascii = true; return true;
    case OPT_MOUSE:   o->tui.term.mouse = true; return true;
    case OPT_KEYS:    o->keys = true; return true;
    case OPT_HELP:    o->help = true; return true;
    case OPT_LAYOUT:
        o->tui.layout = optarg;
        if (!tui_layout_exists(optarg))
            host_say("there is no layout '%s': lecture, lab, debug", optarg);
        return tui_layout_exists(optarg);
    }
    host_say("`vitrine tui --help` lists the options");
    return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
    optind = 0;                     /* getopt may have been used before */
    argv[0] = "vitrine tui";        /* what it calls us */
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1; )
        if (!parse_option(o, c == 'h' ? OPT_HELP : c))
            return false;
    if (o->keys || o->help)
        return true;
    if (optind + 1 != argc) {
        host_say(optind == argc ? "which trace file? `vitrine tui --help` shows examples"
                                : "one file at a time, please; see `vitrine tui --help`");
        return false;
    }
    o->tui.name = argv[optind];
    return true;
}

/* The guest's own, if the file says which that was and it is still there. */
static struct symbols *find_symbols(const struct options *o, const struct store *s, bool *ok)
{
    char why[300];
    const char *guest = store_info(s, "guest");
    *ok = true;
    if (!o->symbols)
        return guest ? symbols_open(guest, why, sizeof why) : NULL;
    struct symbols *symbols = symbols_open(o->symbols, why, sizeof why);
    if (!symbols)
        host_say("cannot read symbols of %s: %s", o->symbols, why);
    *ok = symbols;
    return symbols;
}

/* A mistake is told before the screen is taken. */
static bool filter_is_good(const struct options *o, const struct store *s)
{
    struct filter_error err;
    char complaint[1000];
    struct filter *f = o->tui.filter ? filter_compile(o->tui.filter, store_text(s), &err) : NULL;
    bool good = !o->tui.filter || f;
    if (!good) {
        filter_complain(o->tui.filter, &err, complaint, sizeof complaint);
        host_say("%s", complaint);
    }
    filter_free(f);
    return good;
}

static int show(struct options *o)
{
    char why[300];
    bool ok;
    struct store *s = store_open(o->tui.name, why, sizeof why);
    if (!s) {
        host_say("cannot read trace %s: %s", o->tui.name, why);
        return 1;
    }
    struct symbols *symbols = find_symbols(o, s, &ok);
    store_set_symbols(s, symbols);
    o->tui.store = s;
    o->tui.symbols = symbols;
    o->tui.port_name = pc_port_name;
    int status = !ok ? 1 : !filter_is_good(o, s) ? 2 : tui_run(&o->tui);
    symbols_close(symbols);
    store_close(s);
    return status;
}

int cmd_tui(int argc, char **argv)
{
    struct options o = { 0 };
    if (!parse(&o, argc, argv))
        return 2;
    if (o.help)
        fputs(usage, stdout);
    else if (o.keys)
        tui_print_keys(stdout);
    else
        return show(&o);
    return 0;
}
