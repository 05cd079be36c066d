/*
 * cmd/session.h -- one guest run for a user: machine, terminal, trace, signals.
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "cmd/options.h"

/* Run what the options say; the exit status of the process.  Everything the
 * user should know has been printed. */
int session_run(const struct run_options *o);

/* The same with the machine in a process of its own, and a socket for gdb (o->gdb):
 * the guest waits before its first instruction. */
int session_run_gdb(const struct run_options *o);

#endif
