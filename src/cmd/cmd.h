/*
 * cmd/cmd.h -- the subcommands of `vitrine`, one file each; main.c has the table.
 *
 * This is the outermost room: it may use every other one, and none uses it.  A subcommand
 * parses its options, calls what does the work, and turns results into sentences and an exit
 * status (0 good, 2 bad usage, 125 the host or a file was in the way; of `run` the guest's own
 * else).  Anything that two of them need belongs further inside.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

/* A row of main.c's table. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *synopsis, *about;           /* for `vitrine help` */
};

/* Does this file begin as a trace does?  A guest's file does not.  False too if it cannot
 * be read.  (stat.c) */
bool is_trace(const char *path);

/* Each parses its own command line, with its name in argv[0], prints what it has to say,
 * and returns the exit status of the process. */
int cmd_compare(int argc, char **argv);
int cmd_debug(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_engines(int argc, char **argv);
int cmd_exercise(int argc, char **argv);
int cmd_gdb(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_trace_diff(int argc, char **argv);      /* a subcommand of trace */
int cmd_tui(int argc, char **argv);

#endif
