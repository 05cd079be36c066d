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
 * always.  Nothing here blocks but stepper_wait(), and that as long as it is told.
 * All calls come from one thread.
 */
#ifndef DEBUGGER_LINK_MONITOR_STEP_H
#define DEBUGGER_LINK_MONITOR_STEP_H

#include <stdio.h>
#include "debugger/link/link.h"
#include "debugger/symbols/line_table.h"

struct stepper;

/* NULL, and in why a sentence: the system does not permit it, no debug information. */
struct stepper *stepper_attach(struct link *l, char *why, size_t n);
void stepper_detach(struct stepper *s);         /* the monitor runs on; s may be NULL */

/* Stop in the handler of each exit from now on, or let them pass. */
int stepper_follow(struct stepper *s, bool on);
bool stepper_follows(const struct stepper *s);

enum stepper_state {
    STEPPER_RUNS,                       /* or waits for requests: as if nobody traced it */
    STEPPER_STANDS,
    STEPPER_GONE,                       /* it has ended; detach                          */
};

/* What is new?  Takes some milliseconds at most, for steps under way. */
enum stepper_state stepper_poll(struct stepper *s);
/* The same until it does not run, at most timeout_ms. */
enum stepper_state stepper_wait(struct stepper *s, int timeout_ms);

enum stepper_go {
    STEPPER_STEP,                       /* to another source line, into our own functions too */
    STEPPER_NEXT,                       /* to another source line of this function            */
    /* until this function has returned; of the handler: continue */
    STEPPER_FINISH,
    STEPPER_CONTINUE,                   /* answer the exit, back to the guest                 */
};
/* Begin; then poll.  -EBUSY: it runs already; -ESRCH: it is gone. */
int stepper_go(struct stepper *s, enum stepper_go how);

/* Where it stands: level 0 is the innermost function, 1 its caller, ...; false: none. */
bool stepper_where(struct stepper *s, unsigned level, struct source_place *p);
/* Lines of its source; valid as long as s. */
struct source *stepper_source(struct stepper *s);
/* The exit that is being answered ("CPUID"), or "". */
const char *stepper_exit(const struct stepper *s);

/* A C expression over the monitor's variables, printed with its type.  false: a
 * sentence was printed instead. */
bool stepper_print(struct stepper *s, const char *expr, bool json, FILE *out);
/* The variables and parameters of the innermost function, one on each line. */
void stepper_locals(struct stepper *s, FILE *out);

#endif
