/*
 * cmd/report.c -- `vitrine report A.trace [B.trace] -o out.html`: a trace as a web page, or two
 * beside each other.
 *
 * Only the command line, and the opening and closing of files; the page is made by
 * debugger/report/report.c.  A trace with damaged blocks gives a page of the rest, and status 1.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cmd/names.h"
#include "debugger/report/report.h"
#include "debugger/trace/store.h"
#include "vm/pc.h"

static const char usage[] =
    "usage: vitrine report [options] FILE\n"
    "       vitrine report [options] A B\n"
    "\nMakes one self-contained web page of a trace: how the run ended and why, exits over\n"
    "time and by reason, causes, page tables, devices, how long exits last, the MARKs, and\n"
    "the commands to see it again.  Of two traces (nested and shadow paging, two builds) it\n"
    "shows everything side by side.\n"
    "\noptions:\n"
    "  -o, --output OUT   write the page there; without it to standard output\n"
    "  --symbols FILE     name addresses by these symbols, FILE or FILE@OFFSET, instead of\n"
    "                     those of the guest that the trace was recorded with\n"
    "  --help             this help\n"
    "\nexit status: 0; 1 the file cannot be read or is damaged, or the page not written; 2 bad "
    "usage\n"
    "\nexamples:\n"
    "  vitrine run --trace t.trace build/guests/ptchurn64.elf\n"
    "  vitrine report t.trace -o t.html\n"
    "  vitrine run --mmu shadow --trace s.trace build/guests/ptchurn64.elf\n"
    "  vitrine report t.trace s.trace -o both.html\n";

/* To a file, or to standard output.  fclose() and fflush() are asked too: a full disk shows
 * only there.  The exit status: 1 if the page could not be written, or blocks of a trace
 * are damaged. */
static int write_page(const struct report_run *run, size_t n, const char *path)
{
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out) {
        host_say("cannot write %s: %s", path, strerror(errno));
        return 1;
    }
    int err = report_html(run, n, pc_port_name, out);
    if ((path ? fclose(out) : fflush(stdout)) != 0 && !err)
        err = -errno;
    if (err < 0)
        host_say("cannot write the report: %s", strerror(-err));
    if (err > 0)
        host_say("%d damaged block%s left out of the report", err, err == 1 ? " is" : "s are");
    return err != 0;
}

/* Open the traces, and the symbols that name their addresses; write the page; close them all.
 * The exit status. */
static int make_report(char *const *file, size_t n, const char *symbols_of, const char *path)
{
    char why[300];
    struct names names[REPORT_MAX_RUNS] = { { .symbols = NULL } };
    struct report_run run[REPORT_MAX_RUNS] = { { .s = NULL } };
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        run[i] = (struct report_run){ store_open(file[i], why, sizeof why), file[i] };
        ok = run[i].s;
        if (!ok)
            host_say("cannot read trace %s: %s", file[i], why);
        ok = ok && names_open_trace(&names[i], symbols_of, run[i].s, file[i]);
        if (ok)
            store_set_symbols(run[i].s, names[i].symbols);
    }
    int status = ok ? write_page(run, n, path) : 1;
    for (size_t i = 0; i < n; i++) {
        names_close(&names[i]);
        store_close(run[i].s);
    }
    return status;
}

/* The page goes to standard output unless -o names a file, so that the trace can be the
 * only argument. */
int cmd_report(int argc, char **argv)
{
    static const struct option options[] = {
        { "output",  required_argument, NULL, 'o' },
        { "symbols", required_argument, NULL, 's' },
        { "help",    no_argument,       NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *path = NULL, *symbols = NULL;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1; )
        switch (c) {
        case 'o': path = optarg; break;
        case 's': symbols = optarg; break;
        case 'h': fputs(usage, stdout); return 0;
        default:  return 2;
        }
    if (argc - optind < 1 || argc - optind > REPORT_MAX_RUNS) {
        host_say("of which trace file? one or two, please; `vitrine report --help` shows examples");
        return 2;
    }
    return make_report(argv + optind, (size_t)(argc - optind), symbols, path);
}
