/*
 * debugger/vmm/control.h -- run control, in the VMM's process: go, and stop where asked.
 *
 * Drives the two halves of the loop's turn (vm_prepare, vm_turn) itself, so
 * that it can look in between.  Everything it makes an engine do besides is
 * unseen: no event, no count, no virtual time (vm.h, `debug_exit`).
 *
 * Breakpoints of link.h become
 *     BREAK_CODE, BREAK_DATA   the engine's own hidden stops (engine.h, set_debug),
 *                              or, if it has none, the monitor trap flag and a
 *                              look after each instruction
 *     BREAK_EVENT              a filter over the events of each half turn
 */
#ifndef DEBUGGER_VMM_CONTROL_H
#define DEBUGGER_VMM_CONTROL_H

#include "debugger/vmm/protocol.h"

struct control;
struct stops;

/* symbols and info, for conditions and filters, may be NULL.  NULL: out of memory. */
struct control *control_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info);

/* Its breakpoints (debugger/vmm/stops.h). */
struct stops *control_stops(struct control *c);

/* Begin to run as link_run() and link_run_range() say.  Then call control_turns() until it returns
 * true. */
void control_go(struct control *c, enum link_run how, uint64_t n, gla_t lo, gla_t hi);

/* Some turns, a few milliseconds' worth at most: true if the guest has stopped, and
 * why.  *attention set (by the machine's poll hook) ends it sooner. */
bool control_turns(struct control *c, const bool *attention, struct link_stop *why);

/* Run no farther than to where icount instructions are retired (0: no limit), or where reached(arg)
 * is true (NULL: nowhere).  There control_turns() returns false without running, until the machine
 * was put elsewhere. */
void control_horizon(struct control *c, uint64_t icount, bool (*reached)(const void *arg),
                     const void *arg);
bool control_at_horizon(const struct control *c);
bool control_holds_irqs(const struct control *c);

/* Whatever it was told before, nobody steps the guest now. */
void control_steps_no_more(struct control *c);

/* Does a stepped guest take interrupts? */
void control_step_irqs(struct control *c, bool on);

/* The user's registers or memory changed: what was remembered of them is void. */
void control_touched(struct control *c);

#endif
