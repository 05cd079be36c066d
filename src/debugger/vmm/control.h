/*
 * debugger/vmm/control.h -- run control, in the VMM's process: go, and stop where asked.
 *
 * It drives the two halves of the loop's turn (vm_prepare, vm_turn) itself, so that it can look
 * in between.  When it makes an engine leave the guest for the debugger's sake, the guest and
 * the trace notice nothing: there is no event, no count, and no virtual time passes (vm.h,
 * `debug_exit`).
 *
 * Breakpoints of protocol.h become
 *     BREAK_CODE, BREAK_DATA   the engine's own hidden stops (engine.h, set_debug),
 *                              or, if it has none, the monitor trap flag and a
 *                              look after each instruction
 *     BREAK_EVENT              a filter over the events of each half turn
 *
 * It knows nothing of sockets and requests (serve.c), and only runs forwards: going back is
 * reverse.h's.
 */
#ifndef DEBUGGER_VMM_CONTROL_H
#define DEBUGGER_VMM_CONTROL_H

#include "debugger/vmm/protocol.h"

struct control;
struct stops;

/* `vm` stays the caller's and must live as long.  `symbols` and `info` give names to the
 * conditions of breakpoints and to filters; each may be NULL. NULL: out of memory.  There
 * is no function to free it: it lives as long as its process. */
struct control *control_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info);

/* Its breakpoints (debugger/vmm/stops.h). */
struct stops *control_stops(struct control *c);

/* Begin to run as link_run() and link_run_range() say.  Then call control_turns() until it returns
 * true. */
void control_go(struct control *c, enum link_run how, uint64_t n, gla_t lo, gla_t hi);

/* Run for about 20 ms of host time at most.  True: the guest has stopped, and *why says for
 * what reason.  False: time is up, or it is halted, or at its horizon; call again.
 * *attention is set by the hook that finds a request waiting, and ends the slice after the
 * current turn. */
bool control_turns(struct control *c, const bool *attention, struct link_stop *why);

/* Run no farther than to where icount instructions are retired (0: no limit), or where reached(arg)
 * is true (NULL: nowhere).  There control_turns() returns false without running, until the machine
 * was put elsewhere. */
void control_horizon(struct control *c, uint64_t icount, bool (*reached)(const void *arg),
                     const void *arg);
/* Does it stand there? */
bool control_at_horizon(const struct control *c);
/* Is the guest being stepped with its interrupts held back, on an engine that counts?  Then
 * what it does depends on the user's steps, and the past cannot be replayed (reverse.h). */
bool control_holds_irqs(const struct control *c);

/* Going back executes turns of its own.  Call this before: the guest is then no longer
 * stepped, nor are its interrupts held back, whatever the last control_go() said. */
void control_steps_no_more(struct control *c);

/* Does a guest that is stepped take interrupts?  If not, they are held back until it runs
 * freely, and steps stay in the code that the user looks at. */
void control_step_irqs(struct control *c, bool on);

/* The user changed registers or memory.  A watchpoint for changes must not report what the
 * user wrote, so the remembered bytes are read anew. */
void control_touched(struct control *c);

#endif
