/*
 * cmd/tui.c -- `vitrine tui GUEST` and `vitrine tui FILE.trace`: a machine, or what was
 * recorded of one, on the terminal.
 *
 * Here the command line is parsed and what the TUI shows is opened; the screen is
 * debugger/tui's, with tui_run() as its way in.  The TUI's own options are taken out of the
 * command line first; the others say which guest runs on which machine (options.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cmd/names.h"
#include "cmd/options.h"
#include "debugger/link/link.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/filter.h"
#include "debugger/tui/guard.h"
#include "debugger/tui/tui.h"
#include "vm/pc.h"

/* The options in between are printed from their table (help()). */
static const char usage[] =
    "usage: vitrine tui [options] GUEST\n"
    "       vitrine tui [options] FILE.trace\n"
    "       vitrine tui --keys\n"
    "\nRuns a guest under your eyes, or shows a trace made by `vitrine run --trace FILE GUEST`:\n"
    "every event, because of what it happened, what came of it, the code, the registers, the\n"
    "page tables, the devices.  `?` lists the keys.  A guest waits before its first\n"
    "instruction: F5 runs it, F7 steps, F8 goes to its next exit.\n"
    "\nwhat to show:\n"
    "  --symbols ELF  name addresses by these symbols (default: the guest's)\n"
    "  --filter EXPR  begin with this filter; see `vitrine trace --help`\n"
    "  --layout NAME  lecture (default), lab or debug\n"
    "\nthe terminal:\n"
    "  --mono         no colours, as if NO_COLOR were set\n"
    "  --colours N    8 or 256, if the terminal's description is wrong\n"
    "  --ascii        lines of - and |, also where the locale has better ones\n"
    "  --mouse        take the mouse: click, wheel (M switches)\n"
    "  --keys         print the table of keys, for the documentation\n";

static const char examples[] =
    "\nexit status: 0; 1 the trace cannot be read; 2 bad usage; 125 no terminal to draw on, or "
    "the\n"
    "guest cannot be loaded\n"
    "\nexamples:\n"
    "  vitrine tui build/guests/timer.elf\n"
    "  vitrine tui --mmu shadow --layout lab build/guests/ptchurn32.elf\n"
    "  vitrine run --trace t.trace build/guests/timer.elf\n"
    "  vitrine tui --filter 'exit==io && port==0x3f8' t.trace\n";

/* What the command line asked for. */
struct options {
    struct tui_options tui;
    struct run_options run;
    const char *symbols;
    bool keys, help;
};

/* 8 or 256; without the option the terminal's description says (terminfo). */
static bool parse_colours(const char *text, enum tui_colours *c)
{
    *c = strcmp(text, "8") == 0 ? COLOURS_8 : strcmp(text, "256") == 0 ? COLOURS_256 : COLOURS_AUTO;
    if (*c == COLOURS_AUTO)
        host_say("--colours is 8 or 256, not '%s'", text);
    return *c != COLOURS_AUTO;
}

/* The TUI's own options; all others say which guest runs on which machine. */
enum own { OWN_SYMBOLS, OWN_FILTER, OWN_LAYOUT, OWN_MONO, OWN_COLOURS, OWN_ASCII, OWN_MOUSE,
           OWN_KEYS,
           N_OWN };

/* They are looked for by hand and not by getopt_long(), which would complain about the
 * others, that options_parse() knows. */
static const struct { const char *name; bool argument; } own_options[N_OWN] = {
    [OWN_SYMBOLS] = { "--symbols", true }, [OWN_FILTER] = { "--filter", true },
    [OWN_LAYOUT] = { "--layout", true }, [OWN_COLOURS] = { "--colours", true },
    [OWN_MONO] = { "--mono", false }, [OWN_ASCII] = { "--ascii", false },
    [OWN_MOUSE] = { "--mouse", false }, [OWN_KEYS] = { "--keys", false },
};

/* What one of them means; arg is its argument, if it has one.  False after the user was
 * told. */
static bool parse_own(struct options *o, enum own which, const char *arg)
{
    switch (which) {
    case OWN_SYMBOLS: o->symbols = arg; return true;
    case OWN_FILTER:  o->tui.filter = arg; return true;
    case OWN_MONO:    o->tui.term.colours = COLOURS_NONE; return true;
    case OWN_COLOURS: return parse_colours(arg, &o->tui.term.colours);
    case OWN_ASCII:   o->tui.term.ascii = true; return true;
    case OWN_MOUSE:   o->tui.term.mouse = true; return true;
    case OWN_KEYS:    o->keys = true; return true;
    case OWN_LAYOUT:
        o->tui.layout = arg;
        if (!tui_layout_exists(arg))
            host_say("there is no layout '%s': lecture, lab, debug", arg);
        return tui_layout_exists(arg);
    case N_OWN:
        break;
    }
    return false;
}

/* Which of the TUI's own options this word is; N_OWN: none.  *value is what stands behind
 * "=" in the same word, or NULL. */
static enum own own_option(const char *word, const char **value)
{
    size_t len = strcspn(word, "=");
    enum own i = 0;
    while (i < N_OWN &&
           (strlen(own_options[i].name) != len || strncmp(own_options[i].name, word, len)))
        i++;
    *value = word[len] ? word + len + 1 : NULL;
    return i;
}

/* Take them out of argv, so that options_parse() sees only the others.  The new argc, or -1
 * after a complaint. */
static int take_own(struct options *o, int argc, char **argv)
{
    int left = 1;
    for (int i = 1; i < argc; i++) {
        const char *value;
        enum own which = own_option(argv[i], &value);
        if (which == N_OWN) {
            argv[left++] = argv[i];
            continue;
        }
        if (own_options[which].argument && !value && ++i < argc)
            value = argv[i];
        if (own_options[which].argument != (value != NULL)) {
            host_say("%s %s", own_options[which].name,
                     value ? "takes no argument" : "wants an argument; see `vitrine tui --help`");
            return -1;
        }
        if (!parse_own(o, which, value))
            return -1;
    }
    argv[left] = NULL;
    return left;
}

/* A mistake in --filter is told before the screen is taken, where it would be lost. */
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

/* The TUI itself, on a trace or on the growing trace of a guest.  The exit status. */
static int show_store(struct options *o, struct store *s, struct symbols *symbols)
{
    store_set_symbols(s, symbols);
    o->tui.store = s;
    o->tui.symbols = symbols;
    o->tui.port_name = pc_port_name;
    return filter_is_good(o, s) ? tui_run(&o->tui) : 2;
}

/* A recorded trace.  The exit status. */
static int show_trace(struct options *o, const char *path)
{
    char why[300];
    struct names names;
    struct store *s = store_open(path, why, sizeof why);
    if (!s) {
        host_say("cannot read trace %s: %s", path, why);
        return 1;
    }
    int status = 1;
    if (names_open_trace(&names, o->symbols, s, path)) {
        o->tui.name = path;
        o->tui.elf_path = names_debuginfo(&names);
        o->tui.info = debuginfo_open(o->tui.elf_path);
        status = show_store(o, s, names.symbols);
        debuginfo_close(o->tui.info);
    }
    names_close(&names);
    store_close(s);
    return status;
}

/* A guest in a process of its own, before its first instruction.  Time is paced: somebody
 * watches.  The exit status. */
static int show_guest(struct options *o)
{
    char why[400], info[OPTIONS_TRACE_INFO];
    const struct run_options *r = &o->run;
    struct names names;
    if (!names_open(&names, o->symbols, r->guest.path)) {
        names_close(&names);
        return 1;
    }
    const char *elf = names_debuginfo(&names);
    options_trace_info(r, info);
    o->tui.info = debuginfo_open(elf);
    struct link *l = link_start(&(struct link_options){
        .machine = r->machine, .guest = r->guest,
        .kinds = r->kinds | (r->insns ? TRACE_INSN_KINDS : 0),
        .trace_path = r->trace_path,
        .trace_info = info, .paced = true, .symbols = names.symbols, .info = o->tui.info }, why,
            sizeof why);
    int status = 125;
    if (l) {
        o->tui.name = r->guest.path;
        o->tui.elf_path = elf;
        o->tui.link = l;
        status = show_store(o, link_store(l), names.symbols);
    } else if (why[0]) {
        host_say("%s", why);
    }
    link_end(l);
    debuginfo_close(o->tui.info);
    names_close(&names);
    return status;
}

/* The options of all commands that run a guest come in between, from their table. */
static int help(void)
{
    fputs(usage, stdout);
    options_help(FOR_TUI, "", stdout);
    fputs(examples, stdout);
    return 0;
}

/* By its name.  A missing or damaged file of this name is to be complained about as a
 * trace, and not as a guest that cannot be loaded. */
static bool is_called_trace(const char *path)
{
    size_t n = strlen(path), tail = strlen(".trace");
    return n > tail && strcmp(path + n - tail, ".trace") == 0;
}

/* tui_guard() forks: the TUI runs in the child, and the parent puts the terminal back if
 * that dies (debugger/tui/guard.h). */
int cmd_tui(int argc, char **argv)
{
    struct options o = { 0 };
    int status;
    bool done;
    argc = take_own(&o, argc, argv);
    if (argc < 0)
        return 2;
    if (o.keys) {
        tui_print_keys(stdout);
        return 0;
    }
    if (argc == 2 && (is_trace(argv[1]) || is_called_trace(argv[1])))
        return tui_guard(&status) ? show_trace(&o, argv[1]) : status;
    int err = options_parse(FOR_TUI, argc, argv, &o.run, &done);
    o.run.symbols = o.symbols;
    if (err || done)
        return done ? help() : err;
    if (o.run.trace_path && strcmp(o.run.trace_path, "-") == 0) {
        host_say("--trace - prints, and the screen is taken; name a file");
        return 2;
    }
    return tui_guard(&status) ? show_guest(&o) : status;
}
