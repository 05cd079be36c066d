/*
 * vm/loop.h -- the run loop: time, timers and interrupts, then the guest, then its exit.
 *
 *     vm_run()                  until the machine has stopped
 *       vm_step()               until one exit is concluded
 *         vm_prepare()          all that is to be done before the guest runs
 *         vm_turn()             the guest runs; its exit is answered and concluded
 *
 * vm_run() is for a machine that runs by itself.  Two machines in lockstep go by vm_step(), a
 * debugger by vm_prepare() and vm_turn(), so that it can look in between.  All of them must find
 * the machine the same, so each function has the whole contract to keep, whoever calls it.
 *
 * The contract:
 *
 *   prepared   Before the guest runs, and behind the exit before: vm_reset(), if vm->reset_wanted
 *              says so, before anything else; then time_passes(), vclock_run_due() and
 *              time_poll(), so that the clock shows the time at which the guest goes on; then
 *              wait_for_interrupt(), if v->halted, and only then; and last offer_interrupt(),
 *              which must see what the timers and the input have done.
 *   may run    Not while v->halted is set, and not once vm->stop is other than VM_RUNNING.  Each
 *              of these calls can stop the machine, and wait_for_interrupt() can leave the CPU
 *              halted, because a debugger wants the machine (vm->pause_wanted): look at both
 *              behind it.  Do not wait once more then; give the machine back.
 *   limits     vm_stop(vm, ..., NULL) once one is reached, and no further instruction of the
 *              guest's runs: in this order, if there are several, a signal (vm->interrupted is its
 *              number: SIGINT is VM_INTERRUPTED, all others are VM_TERMINATED), then
 *              cfg.limit_insns instructions (v->icount; VM_LIMIT_INSNS), then cfg.limit_exits
 *              exits (vm->n_exits; VM_LIMIT_EXITS).  Reached is: as many, or more.  A limit of 0
 *              is none.  A signal may come at any time, in wait_for_interrupt(), too, which
 *              returns then with v->halted cleared: so look behind it, before the guest runs.
 *   budget     vcpu_run() is given what time_budget() says, asked anew each time behind all of
 *              `prepared`.  More would make timers late; much less would cost exits.
 *   answered   Of each exit that vcpu_run() tells (true), once each and in this order:
 *              vm->n_exits grows by one, vm_answer(), vm->time->charge_port() if the reason is
 *              EXIT_IO and only then, vcpu_conclude() with the verdict as vm_answer() gave it.
 *              If vcpu_run() is false there was no exit: nothing of this is done.
 *   unfinished A turn that is prepared has v->turn.unfinished set, by vm_prepare().  vcpu_run()
 *              clears it when the guest has exited, and leaves it set when a debugger has only
 *              interrupted the guest.  vm_prepare() that finds it set does nothing at all: what is
 *              to be done before the guest runs has been done, and a second time could be noticed.
 *
 * Free to choose: where between the conclusion of an exit and the next vcpu_run() limits are looked
 * at and n_exits grows, in which of the functions, and what is remembered beside struct vm.
 *
 * Of struct vm and struct vcpu the loop reads what is named above, writes n_exits and
 * turn.unfinished, and calls these functions and no others.  The hooks cfg.before_answer and
 * cfg.after_exit, where they are set, are called right before vm_answer() and right behind
 * vcpu_conclude(); nobody sets them in a lab.
 *
 * [SDM 3C "Virtual-Machine Monitor Programming Considerations"]
 */
#ifndef VM_LOOP_H
#define VM_LOOP_H

#include <stdbool.h>

struct vm;
struct vmexit;

/* Run until something stops the machine, from vm_begin() to vm_finish(); the exit status for the
 * process. */
int vm_run(struct vm *vm);

/* Turns, until one exit is concluded; *x is that exit.  Also back, without one, when the machine
 * has stopped or vm_prepare() says that the CPU stays halted. */
void vm_step(struct vm *vm, struct vmexit *x);

/* Everything before the guest runs.  False: it must not run now, because the machine has stopped or
 * the CPU stays halted. */
bool vm_prepare(struct vm *vm);

/* The guest runs; call it only when vm_prepare() has returned true.  True: it has exited, which *x
 * describes, and the exit is concluded.  False: the CPU came back with no exit of the guest's; go
 * on with vm_prepare(). */
bool vm_turn(struct vm *vm, struct vmexit *x);

#endif
