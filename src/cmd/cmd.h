/*
 * cmd/cmd.h -- the subcommands of `vitrine`, one file each; main.c has the table.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);      /* argv[0] is the subcommand; returns the exit status */
    const char *synopsis, *about;
};

bool is_trace(const char *path);        /* a trace file, and no guest (stat.c) */

int cmd_compare(int argc, char **argv);
int cmd_debug(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_engines(int argc, char **argv);
int cmd_gdb(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_trace_diff(int argc, char **argv);      /* a subcommand of trace */
int cmd_tui(int argc, char **argv);

#endif
