/*
 * debugger/vmm/reverse.h -- going back, in the VMM's process: checkpoints, what came from
 * outside, and execution again of what was executed.
 *
 * On an engine that counts instructions a run is a function of the guest and of
 * what came from outside: bytes typed, and how long a halted guest really slept.
 * That is logged, with the place where it went in.  To go back is to return to a
 * checkpoint and run on from there to the place that is wanted, the log playing
 * the outside's part.
 *
 * Some places of the past cannot be reached by running on, because the user changed something
 * there, or because nobody counts where something entered.  A checkpoint stands at each of
 * them and is called a *wall*: running ends in front of it, and the machine is put behind it.
 *
 * A guest that was taken back is *inside* its past.  What it does there has been
 * done before: its events have their numbers already, so they go into a ring of
 * our own for the breakpoints to look at, and what it prints has been printed.
 * When it has come to the newest point again it goes on as if it had never left.
 * If the user changes something inside (memory, registers, types something), what
 * was to come after that is cut off: a CUT event says so in the trace.
 *
 * Where instructions are not counted (kvm) the past is a sequence of exits, and one
 * goes back to those: reverse_exits.c.
 *
 * Requests come between the turns of the loop (vmm.c); going back is done in
 * slices, reverse_turns(), so that a pause is answered at any time.
 */
#ifndef DEBUGGER_VMM_REVERSE_H
#define DEBUGGER_VMM_REVERSE_H

#include "debugger/vmm/control.h"
#include "vm/input_log.h"

struct reverse;

/* `max_bytes` is the memory that checkpoints may take; they are thinned out to keep within
 * it.  NULL: out of memory.  On an engine whose vCPU cannot be saved everything below is
 * harmless, and reverse_go() refuses with -ENOTSUP. */
struct reverse *reverse_new(struct vm *vm, struct control *c, uint64_t max_bytes);

/* Call before the guest runs forwards: takes the first checkpoint of all, and those that the
 * user's changes call for. */
void reverse_before_run(struct reverse *r);

/* Begin to carry out a request to go back (`n` as its comment in protocol.h says).  0, and
 * reverse_turns() does it; else -errno and a sentence in why[size], and nothing has changed. */
int  reverse_go(struct reverse *r, enum link_run how, uint64_t n, char *why, size_t size);

/* Is a way back under way?  Then call reverse_turns(), and change neither the machine nor
 * its breakpoints. */
bool reverse_busy(const struct reverse *r);
/* Some 15 ms of it: true if the guest has arrived or cannot, and *why says which.
 * *attention set ends the slice early. */
bool reverse_turns(struct reverse *r, const bool *attention, struct link_stop *why);
/* End the way back before it has arrived.  The guest stands where it was when the request
 * came, or at the present if it cannot be put there; *why says which. */
void reverse_give_up(struct reverse *r, struct link_stop *why);

/* Call after each slice of running forwards; `stopped` says whether run control has stopped
 * the guest, for *why.  Takes a checkpoint if one is due.  Inside the past, a guest that
 * has come to a wall is put to the checkpoint behind it.  True: the guest is to stop here,
 * and *why says why. */
bool reverse_forwards(struct reverse *r, bool stopped, struct link_stop *why);
/* Is it time for a checkpoint?  The hooks then end the slice early. */
bool reverse_due(const struct reverse *r);
/* The guest has ended at the present, for this reason: it is told again when somebody goes
 * back from there and returns. */
void reverse_ended(struct reverse *r, const struct link_stop *why);

/* The user has changed memory or registers, or typed.  Inside the past that cuts off what
 * came after; at the present the next checkpoint becomes a wall. */
void reverse_changed(struct reverse *r);
/* The mask of the trace was changed: other kinds of events are logged from now on. */
void reverse_kinds_changed(struct reverse *r);
/* What the guest does now it would not do again if the past were replayed (a snapshot was loaded):
 * the recording begins anew. */
void reverse_unfaithful(struct reverse *r);

/* What an engine that does not count has to tell.  measured: virtual time is read (vm.h,
 * `measured`).  note_exit, exit_answered: before and after the monitor's answer to an exit.
 * takes_input: may what was typed go in now?  If not, ask again at the next hook. */
uint64_t reverse_measured(struct reverse *r, uint64_t now);
void reverse_note_exit(struct reverse *r, const struct vmexit *x);
void reverse_exit_answered(struct reverse *r);
bool reverse_takes_input(struct reverse *r, enum input_hook hook);

/* What came from outside, for vm/host_io.h: inside the past it is played from this log, and the
 * outside is silent; else it is noted. */
struct input_log *reverse_log(struct reverse *r);
/* Is the guest inside its past?  (r may be NULL: then it is not.) */
bool reverse_inside(const struct reverse *r);
void reverse_note_byte(struct reverse *r, enum input_hook hook, enum input_kind kind, uint8_t byte);
void reverse_note_sleep(struct reverse *r, uint64_t ns, uint64_t passed);
/* Inside the past the guest has halted, its next timer being due in ns: how many ns did it
 * sleep then?  Where the log ends it also asks the loop to pause. */
uint64_t reverse_play_sleep(struct reverse *r, uint64_t ns);

/* For the state page: how far back and forward one can go, what that costs, how far a way
 * back has come. */
void reverse_status(const struct reverse *r, struct link_past *p);

#endif
