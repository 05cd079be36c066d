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
#include "debugger/trace_format.h"

static bool is_trace(const char *path)
{
    char magic[sizeof TRACE_FILE_MAGIC - 1] = "";
    FILE *f = fopen(path, "rb");
    bool is = f && fread(magic, 1, sizeof magic, f) == sizeof magic
           && memcmp(magic, TRACE_FILE_MAGIC, sizeof magic) == 0;
    if (f)
        fclose(f);
    return is;
}

int cmd_stat(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: vitrine stat TRACE [--symbols ELF]\n"
              "       vitrine stat [options of run] GUEST\n", stderr);
        return 2;
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
