/*
 * cmd/options.h -- the options that say which guest runs on which machine.
 *
 * Shared by every subcommand that runs one: run, stat, compare.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "vm/vm.h"

struct run_options {
    struct vm_config   machine;         /* engine, mmu, sizes, limits */
    struct load_request guest;
    const char *trace_path;             /* NULL: none; "-": text on stdout */
    const char *screen_dump;            /* NULL, a file, or "-" */
    const char *kinds;                  /* --trace-kinds LIST, or NULL: all */
    uint64_t    every;                  /* compare: instructions between comparisons */
    bool        stat, keyboard, quiet, check_shadow;
};

/* Parse argv[1..]; exactly one guest unless n_guests says otherwise.  0, or an
 * exit status after telling the user what is wrong (or --help: *done is set). */
int options_parse(int argc, char **argv, struct run_options *o, bool *done);

void options_help(const char *command, const char *synopsis, FILE *out);

/* "64M", "1G", "4096K" in bytes; false if it is not a size. */
bool parse_size(const char *text, uint64_t *bytes);

#endif
