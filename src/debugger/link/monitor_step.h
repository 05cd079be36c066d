/*
 * debugger/link/monitor_step.h -- the monitor stepped beside the guest: stop it in the
 * handler that answers an exit, look at its source and variables, go on line by line.
 *
 * The monitor runs in a process of its own (link.h), so its debugger's process can
 * trace it: ptrace(), with the CPU's debug registers for breakpoints, so that not a
 * byte of the monitor is changed.  Both are the same program: what is at an address
 * here is there too, and the debug information is our own.
 *
 *     m = stepper_attach(link, why, sizeof why);
 *     stepper_follow(m, true);                  stop in the handler of every exit
 *     link_run(link, LINK_STEP, 1);
 *     while (link_state(link) == LINK_RUNNING && stepper_poll(m) == STEPPER_RUNS)
 *         ...                                   a guest that exits ends in STEPPER_STANDS
 *     stepper_where(m, 0, &place);              "on_cpuid", src/vm/exits.c:120
 *     stepper_go(m, STEPPER_NEXT);              and poll again
 *     stepper_go(m, STEPPER_CONTINUE);          answer the exit, back to the guest
 *     stepper_detach(m);
 *
 * While the monitor stands it answers no request: link calls that need an answer
 * give -EAGAIN at once (link_hold()); memory, registers and trace can be read as
 * always.  Nothing here blocks but stepper_wait(), and that for timeout_ms at most.
 * All calls must come from the thread that attached, as ptrace(2) demands.
 */
#ifndef DEBUGGER_LINK_MONITOR_STEP_H
#define DEBUGGER_LINK_MONITOR_STEP_H

#include <stdio.h>
#include "debugger/link/link.h"
#include "debugger/symbols/line_table.h"

struct stepper;

/* Begin to trace the VMM's process.  NULL, with a sentence in `why`: the host does not
 * permit it, another debugger does so already, or this program has no debug information. */
struct stepper *stepper_attach(struct link *l, char *why, size_t n);
void stepper_detach(struct stepper *s);         /* the monitor runs on; s may be NULL */

/* Stop in the handler of each exit from now on (on), or let exits pass.  0, -ESRCH or
 * -ETIMEDOUT. */
int stepper_follow(struct stepper *s, bool on);
bool stepper_follows(const struct stepper *s);

enum stepper_state {
    STEPPER_RUNS,                       /* it runs, or waits for requests, undisturbed   */
    STEPPER_STANDS,
    STEPPER_GONE,                       /* it has ended; detach                          */
};

/* Look what has become of the monitor, and do what steps are under way; takes some
 * milliseconds at most. */
enum stepper_state stepper_poll(struct stepper *s);
/* Poll until it does not run any more, at most timeout_ms. */
enum stepper_state stepper_wait(struct stepper *s, int timeout_ms);

enum stepper_go {
    STEPPER_STEP,                       /* to another source line, into our own functions too */
    STEPPER_NEXT,                       /* to another source line of this function            */
    STEPPER_FINISH,                     /* until this function has returned; in the handler
                                           itself: continue                                  */
    STEPPER_CONTINUE,                   /* answer the exit, and back to the guest             */
};
/* Begin one of these; then poll until it stands.  -EBUSY: it runs already; -ESRCH: it is
 * gone. */
int stepper_go(struct stepper *s, enum stepper_go how);

/* The source line where it stands: level 0 is the innermost function, 1 its caller, and so
 * on; false: there is no such level, or it does not stand. */
bool stepper_where(struct stepper *s, unsigned level, struct source_place *p);
/* The monitor's line table and source files; they belong to the stepper. */
struct source *stepper_source(struct stepper *s);
/* The name of the exit that is being answered ("CPUID"), or "" if it does not stand in one. */
const char *stepper_exit(const struct stepper *s);

/* Evaluate a C expression over the monitor's variables and print it with its type, or as
 * JSON. false: a sentence about what is wrong was printed instead (null in JSON). */
bool stepper_print(struct stepper *s, const char *expr, bool json, FILE *out);
/* Print the variables and parameters of the innermost function, one on each line. */
void stepper_locals(struct stepper *s, FILE *out);

#endif
