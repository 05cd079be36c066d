/*
 * cmd/trace_diff.c -- `vitrine trace diff A B`: what did the guest do differently?
 *
 * Two runs of one guest, for example with --mmu nested and with --mmu shadow, have very
 * different exits, but the guest should do the same in both.  debugger/report/diff.c compares
 * what the guest did; this file parses the options, opens both traces and turns the result into
 * an exit status like that of diff(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "debugger/report/diff.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/store.h"

static const char usage[] =
    "usage: vitrine trace diff [options] A.trace B.trace\n"
    "\nCompares two runs of one guest by what the guest did: MARKs, device accesses,\n"
    "hypercalls, interrupts and exceptions taken. How the monitor came to it is counted beside.\n"
    "\noptions:\n"
    "  --kind K,...   compare events of these kinds\n"
    "  --lines N      show at most N differing events (default 40)\n"
    "  --symbols ELF  name addresses by the symbols of the guest\n"
    "  --help         this help\n"
    "\nexit status: 0 no difference; 1 some; 2 trouble\n"
    "\nexamples:\n"
    "  vitrine run --trace a.trace build/guests/ptchurn64.elf\n"
    "  vitrine run --trace b.trace --mmu shadow build/guests/ptchurn64.elf\n"
    "  vitrine trace diff a.trace b.trace\n";

/* kinds: BIT(kind) of those to compare; lines: how many differing events to show at most. */
struct diff_options { uint64_t kinds; unsigned lines; const char *symbols; };

/* Print the heads of both traces and what differs, marked - and + as diff(1) does:
 *
 *   - a.trace: soft, nested
 *   + b.trace: soft, shadow
 *
 * The exit status is diff's, too: 0 the same, 1 different, 2 trouble. */
static int compare(const struct diff_options *o, char **file)
{
    char why[300];
    struct symbols *symbols = NULL;
    struct store *s[2] = { NULL, NULL };
    int64_t n = -1;
    for (unsigned i = 0; i < 2; i++)
        if (!(s[i] = store_open(file[i], why, sizeof why))) {
            host_say("cannot read trace %s: %s", file[i], why);
            goto out;
        }
    if (o->symbols && !(symbols = symbols_open(o->symbols, why, sizeof why))) {
        host_say("cannot read symbols of %s: %s", o->symbols, why);
        goto out;
    }
    for (unsigned i = 0; i < 2; i++) {
        const char *engine = store_info(s[i], "engine"), *mmu = store_info(s[i], "mmu");
        store_set_symbols(s[i], symbols);
        printf("%c %s: %s, %s\n", "-+"[i], file[i], engine ? engine : "?", mmu ? mmu : "?");
        if (store_warning(s[i])[0])
            host_say("%s: %s", file[i], store_warning(s[i]));
    }
    n = trace_diff(s[0], s[1], o->kinds, o->lines, stdout);
out:
    symbols_close(symbols);
    store_close(s[0]);
    store_close(s[1]);
    return n < 0 ? 2 : n > 0;
}

/* argv[0] is "diff". optind is set back because cmd_trace() may have used getopt before. */
int cmd_trace_diff(int argc, char **argv)
{
    static const struct option options[] = {
        { "kind",    required_argument, NULL, 'k' },
        { "lines",   required_argument, NULL, 'n' },
        { "symbols", required_argument, NULL, 's' },
        { "help",    no_argument,       NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct diff_options o = { TRACE_DIFF_KINDS, 40, NULL };
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; )
        switch (c) {
        case 'k':
            if (!parse_kinds(optarg, &o.kinds))
                return 2;
            break;
        case 'n': o.lines = (unsigned)strtoul(optarg, NULL, 0); break;
        case 's': o.symbols = optarg; break;
        case 'h': fputs(usage, stdout); return 0;
        default:  return 2;
        }
    if (argc - optind != 2) {
        host_say("which two trace files? `vitrine trace diff --help` shows examples");
        return 2;
    }
    return compare(&o, argv + optind);
}
