/*
 * cmd/report.c -- `vitrine report FILE.trace -o out.html`: a trace as a web page.
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
    "\nMakes one self-contained web page of a trace: exits by reason and over time, page\n"
    "faults, devices, how long exits last, the MARKs, and the commands to see it again.\n"
    "\noptions:\n"
    "  -o, --output OUT   write the page there; without it to standard output\n"
    "  --symbols FILE     name addresses by these symbols, FILE or FILE@OFFSET, instead of\n"
    "                     those of the guest that the trace was recorded with\n"
    "  --help             this help\n"
    "\nexit status: 0; 1 the file cannot be read or is damaged, or the page not written; 2 bad "
    "usage\n"
    "\nexamples:\n"
    "  vitrine run --trace t.trace build/guests/ptchurn64.elf\n"
    "  vitrine report t.trace -o t.html\n";

/* To a file, or to standard output.  fclose() and fflush() are asked too: a full disk shows
 * only there.  The exit status: 1 if the page could not be written, or blocks of the trace
 * are damaged. */
static int write_page(struct store *s, const char *name, const char *path)
{
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out) {
        host_say("cannot write %s: %s", path, strerror(errno));
        return 1;
    }
    int err = report_html(s, name, pc_port_name, out);
    if ((path ? fclose(out) : fflush(stdout)) != 0 && !err)
        err = -errno;
    if (err < 0)
        host_say("cannot write the report: %s", strerror(-err));
    if (err > 0)
        host_say("%d damaged block%s left out of the report", err, err == 1 ? " is" : "s are");
    return err != 0;
}

/* Open the trace, and the symbols that name its addresses; write the page; close both.  The
 * exit status. */
static int make_report(const char *file, const char *symbols_of, const char *path)
{
    char why[300];
    struct names names;
    struct store *s = store_open(file, why, sizeof why);
    if (!s) {
        host_say("cannot read trace %s: %s", file, why);
        return 1;
    }
    int status = 1;
    if (names_open_trace(&names, symbols_of, s, file)) {
        store_set_symbols(s, names.symbols);
        status = write_page(s, file, path);
    }
    names_close(&names);
    store_close(s);
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
    if (argc - optind != 1) {
        host_say("which trace file? one, please; `vitrine report --help` shows examples");
        return 2;
    }
    return make_report(argv[optind], symbols, path);
}
