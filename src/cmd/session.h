/*
 * cmd/session.h -- one guest run for a user: machine, terminal, trace, signals.
 *
 * Two ways to run, and one rule for both: `vitrine run` does not need a debugger, so without
 * --gdb none of its processes and sockets exist (session.c).  With --gdb the machine moves into
 * a process of its own, as under `vitrine debug` (session_gdb.c).
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "cmd/options.h"

/* Run what the options say, with the machine in this process.  The exit status of the
 * process: the guest's, or 125 if the host or a file was in the way.  Everything the user
 * should know has been printed.  Signals SIGINT and SIGTERM end the run in order. */
int session_run(const struct run_options *o);

/* The same with the machine in a process of its own, and a socket for gdb (o->gdb): the
 * guest waits before its first instruction until somebody lets it run. */
int session_run_gdb(const struct run_options *o);

#endif
