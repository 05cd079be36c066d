/*
 * cmd/stat.c -- `vitrine stat TRACE` or `vitrine stat GUEST...`: the table of
 * exits, from a trace or by running a guest now.
 *
 * Both are other commands in disguise: `trace --stat` and `run --stat`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "debugger/trace/format.h"

/* By its first bytes, the magic number of trace files (debugger/trace/format.h). */
bool is_trace(const char *path)
{
    char magic[sizeof TRACE_FILE_MAGIC - 1] = "";
    FILE *f = fopen(path, "rb");
    bool is = f && fread(magic, 1, sizeof magic, f) == sizeof magic
           && memcmp(magic, TRACE_FILE_MAGIC, sizeof magic) == 0;
    if (f)
        fclose(f);
    return is;
}

/* The options are those of the other command; the examples show both uses. */
static const char usage[] =
    "usage: vitrine stat [options] TRACE        as vitrine trace --stat\n"
    "       vitrine stat [options] GUEST        as vitrine run --stat\n"
    "\nCounts exits by reason, port, page of device memory, address and function: how\n"
    "often, what share.  How long each took on the host is told if the run had --timing,\n"
    "and of a guest that is run now with the table on a terminal and no --trace.\n"
    "\nexamples:\n"
    "  vitrine stat build/guests/hello.elf\n"
    "  vitrine stat --mmu shadow --timing build/guests/ptchurn32.elf\n"
    "  vitrine run --trace t.trace build/guests/echo.elf </dev/null\n"
    "  vitrine stat t.trace\n";

/* The options are left to the other command to parse, which also complains about them. */
int cmd_stat(int argc, char **argv)
{
    if (argc < 2) {
        host_say("of which trace, or which guest? `vitrine stat --help` shows examples");
        return 2;
    }
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        return 0;
    }
    /* The file is the first or the last word; in between are options' values. */
    bool trace = is_trace(argv[1]) || is_trace(argv[argc - 1]);
    char **args = calloc((size_t)argc + 2, sizeof *args);
    if (!args) {
        host_say("there is not enough memory");
        return 1;
    }
    args[0] = trace ? "trace" : "run";
    args[1] = "--stat";
    memcpy(args + 2, argv + 1, ((size_t)argc - 1) * sizeof *args);
    int status = trace ? cmd_trace(argc + 1, args) : cmd_run(argc + 1, args);
    free(args);
    return status;
}
