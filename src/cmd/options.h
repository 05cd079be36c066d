/*
 * cmd/options.h -- the options that say which guest runs on which machine.
 *
 * Shared by every subcommand that runs one: run, stat, compare, debug, gdb, tui.  Each takes
 * those that mean something to it and refuses the others.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <sys/types.h>
#include "vm/vm.h"

struct recording;
struct snapshot_head;

enum option_user {
    FOR_RUN = 1, FOR_COMPARE = 2, FOR_DEBUG = 4, FOR_TUI = 8, FOR_GDB = 16, FOR_REPLAY = 64
};

/* debug: what -x and -ex asked for, in order. */
#define MAX_COMMANDS 64
struct debug_command { bool is_file; const char *text; };

struct run_options {
    struct vm_config   machine;         /* engine, mmu, sizes, limits */
    struct load_request guest;
    const char *trace_path;             /* NULL: none; "-": text on stdout */
    const char *symbols;                /* debug: NULL, or FILE[@OFFSET]    */
    const char *record;                 /* --record FILE: for vitrine replay */
    const char *from;                   /* --from SNAPSHOT: begin there */
    struct recording *replay;           /* vitrine replay: what to do again */
    const char *screen_dump;            /* NULL, a file, or "-" */
    const char *gdb;                    /* where a debugger connects: gdb/server.h; NULL: none */
    const char *gdb_arch;               /* its one description; NULL: as the CPU's mode    */
    const char *gdb_ready;              /* vitrine gdb: this file tells the monitor's pid, and the
                                           first connection's end is the run's    */
    pid_t       tracer;                 /* who may debug the monitor (debugger/link/link.h); 0 */
    uint64_t    kinds;                  /* --trace-kinds LIST: BIT(kind)    */
    uint64_t    every;                  /* compare: instructions between comparisons */
    bool        insns;                  /* --trace-insns: every instruction too */
    bool        stat, keyboard, quiet, check_shadow;
    bool        batch, json, no_sandbox;
    bool        cpu_given;              /* --cpu was, by name */
    bool        mmu_given, mem_given;
    unsigned    n_commands;
    struct debug_command command[MAX_COMMANDS];
};

/* Parse argv[1..], options and exactly one guest.  0, or an exit status after
 * telling the user what is wrong (or --help: *done is set). */
int options_parse(enum option_user user, int argc, char **argv, struct run_options *o, bool *done);

/* --from: the machine and, if none was named, the guest of the snapshot; the head must live as
 * long as o.  False after telling the user. */
bool options_from(struct run_options *o, struct snapshot_head *h);

/* Can its engine exit for what --exit-on asks for?  False after telling the user. */
bool options_exit_on_ok(const struct vm_config *c);

/* The lines that a trace of this run carries in its head: guest, engine, mmu, mem, seed. */
#define OPTIONS_TRACE_INFO 4600
void options_trace_info(const struct run_options *o, char info[OPTIONS_TRACE_INFO]);

/* What --help says of the options. */
void options_help(enum option_user user, FILE *out);

/* "EXIT,MARK" in BIT(kind)s; false, after telling the user, if one is none. */
bool parse_kinds(const char *list, uint64_t *mask);

#endif
