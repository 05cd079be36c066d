/*
 * cmd/options.h -- the options that say which guest runs on which machine.
 *
 * Shared by every subcommand that runs one: run, stat, replay, compare, debug, gdb, tui.  Each
 * takes those that mean something to it and refuses the others, so that no option is silently
 * without effect.  The options themselves are in option_list.h.
 *
 * What goes wrong is told to the user here, on stderr; callers only pass the exit status on.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <sys/types.h>
#include "vm/vm.h"

struct recording;
struct snapshot_head;

/* Who parses: a bit for each command, so that a row of the table can name several.  32 is
 * free. */
enum option_user {
    FOR_RUN = 1, FOR_COMPARE = 2, FOR_DEBUG = 4, FOR_TUI = 8, FOR_GDB = 16, FOR_REPLAY = 64
};

#define MAX_COMMANDS 64
/* One -ex COMMAND (text is the command) or -x FILE (is_file; text is its name). */
struct debug_command { bool is_file; const char *text; };

/* What the command line asked for.  Strings are argv's, NULL if the option was not given. */
struct run_options {
    struct vm_config   machine;         /* engine, mmu, sizes, limits */
    struct load_request guest;
    unsigned    n_disks;                /* --disk: of machine.disk[] so many are filled in  */

    /* Files to read and write. */
    const char *trace_path;             /* NULL: none; "-": text on stdout */
    const char *symbols;                /* debug, tui: NULL, or FILE[@OFFSET] */
    const char *record;                 /* --record FILE: for vitrine replay */
    const char *from;                   /* --from SNAPSHOT: begin there */
    struct recording *replay;           /* vitrine replay: what to do again */
    const char *screen_dump;            /* NULL, a file, or "-" */

    /* A debugger on a socket. */
    const char *gdb;                    /* a socket's address (gdb/server.h); NULL: none   */
    const char *gdb_arch;               /* its one description; NULL: as the CPU's mode   */
    const char *gdb_ready;              /* vitrine gdb: write the monitor's pid into this file,
                                           and end the run when the first connection ends */
    pid_t       tracer;                 /* this process may debug the monitor; 0: as the host
                                           allows (debugger/vmm/protocol.h)               */

    /* What is logged, and how often two engines are compared. */
    uint64_t    kinds;                  /* --trace-kinds LIST: BIT(kind)    */
    uint64_t    every;                  /* compare: instructions between comparisons */
    bool        insns;                  /* --trace-insns: every instruction too */

    /* Options without an argument, by their names. */
    bool        stat, keyboard, quiet, check_shadow, log_faults, gdb_cs_ip;
    bool        batch, json, no_sandbox;

    /* Was this asked for by name?  Then a snapshot of another machine is refused. */
    bool        cpu_given, mmu_given, mem_given;

    /* debug: what -ex and -x asked for, in order. */
    unsigned    n_commands;
    struct debug_command command[MAX_COMMANDS];
};

/* Parse argv[1..argc-1]: options, and exactly one guest (with --from, none is fine). *o is
 * filled in whole; its strings point into argv.  0; or the exit status of the process,
 * after the user was told what is wrong.  --help: 0 and *done is set, and the caller prints
 * its help. */
int options_parse(enum option_user user, int argc, char **argv, struct run_options *o, bool *done);

/* --from: take the machine from the snapshot's head, and its guest if none was named on the
 * command line.  *h is filled in and must live as long as o, which points into it.  False
 * after telling the user. */
bool options_from(struct run_options *o, struct snapshot_head *h);

/* Can its engine exit for what --exit-on asks for?  False after telling the user. */
bool options_exit_on_ok(const struct vm_config *c);

#define OPTIONS_TRACE_INFO 9000         /* room for two long paths among them */

/* The lines "key=value" that a trace of this run carries in its head: guest, engine, mmu,
 * mem, seed, and whether times were measured. */
void options_trace_info(const struct run_options *o, char info[OPTIONS_TRACE_INFO]);

/* Print the options of this command with a line about each, then `more`: lines about options that
 * are not in the table, or an empty string. */
void options_help(enum option_user user, const char *more, FILE *out);

/* "EXIT,MARK" to BIT(kind)s.  False, after telling the user, if a name is none. */
bool parse_kinds(const char *list, uint64_t *mask);

#endif
