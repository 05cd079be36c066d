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
 *   prepared   Between an exit's conclusion and the guest's next run these calls are made:
 *              vm_reset(), if vm->reset_wanted says so, before all others; then time_passes(),
 *              vclock_run_due() and time_poll(), in this order; then wait_for_interrupt(), if
 *              v->halted, and only then; and last, once, offer_interrupt().
 *   may run    The guest runs only while v->halted is clear and vm->stop is VM_RUNNING, and an
 *              interrupt is offered only then: what is offered is taken from the interrupt
 *              controller.  Each call before the offer can stop the machine.
 *              wait_for_interrupt() can leave the CPU halted, because a debugger wants the
 *              machine (vm->pause_wanted): do not wait once more then; give the machine back.
 *   limits     When one is reached, vm_stop(vm, ..., NULL) is called before the guest runs again.
 *              If several are reached, the first vm_stop() must be for the first of these: a
 *              signal (vm->interrupted is its number: SIGINT is VM_INTERRUPTED, all others are
 *              VM_TERMINATED), cfg.limit_insns instructions (v->icount; VM_LIMIT_INSNS),
 *              cfg.limit_exits exits (vm->n_exits; VM_LIMIT_EXITS).  vm_stop() keeps the reason
 *              that it was given first, so a second call does nothing.  Reached is: as many, or
 *              more.  A limit of 0 is none.  A signal may come while wait_for_interrupt() waits,
 *              which then returns with v->halted clear: so look at limits behind it.
 *   budget     vcpu_run() is given the number that time_budget() says: with more a timer would be
 *              late, with less the guest would exit for nothing.  It is asked right before each
 *              vcpu_run(), for every other call may change it.
 *   answered   An exit that vcpu_run() tells (true) is answered by vm_answer(), then charged by
 *              vm->time->charge_port() if its reason is EXIT_IO and only then, and then concluded
 *              by vcpu_conclude(); each once, also of the exit that ends the run.  vm_answer() gets
 *              the record as vcpu_run() left it; vcpu_conclude() gets it as vm_answer() left it,
 *              with the verdict that vm_answer() returned.  The exit also counts: vm->n_exits
 *              grows by one.  If vcpu_run() is false, there was no exit:
 *              nothing of this is done.
 *   unfinished vm_prepare() sets v->turn.unfinished when it returns true: the turn is prepared.
 *              vcpu_run() then says whether it still is: set, if a debugger has only interrupted
 *              the guest, and clear otherwise.  A turn that is prepared is not prepared
 *              again: none of the calls under `prepared` is made, for the guest could notice.
 *
 * Free to choose:
 *   - where between an exit's conclusion and the guest's next run limits are looked at, and whether
 *     they are looked at in a turn that is prepared already;
 *   - where between vcpu_run() and the next look at limits n_exits grows;
 *   - in which of the functions something is done, as long as vm_prepare() leaves nothing of
 *     `prepared` undone, whoever calls it;
 *   - whether time_passes(), vclock_run_due() and time_poll() are called more often before the
 *     offer, and time_passes() before the reset, too;
 *   - whether the calls but the offer are made on a machine that has stopped: they do no harm;
 *   - whether vm->stop is looked at behind the offer, which can stop the machine only for a fault
 *     of the monitor's own;
 *   - what is remembered beside struct vm, in addition to what the contract names.
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

/* Turns, until one exit is concluded; *x is that exit as vm_answer() left it.  Also back, without
 * one, when the machine has stopped or vm_prepare() says that the CPU stays halted. */
void vm_step(struct vm *vm, struct vmexit *x);

/* Everything before the guest runs.  False: it must not run now, because the machine has stopped or
 * the CPU stays halted. */
bool vm_prepare(struct vm *vm);

/* The guest runs, once; call it only when vm_prepare() has returned true.  True: it has exited,
 * which *x describes as vm_answer() left it, and the exit is concluded.  False: vcpu_run() was
 * false; that is told at once, for a debugger may want the machine.  Go on with vm_prepare(). */
bool vm_turn(struct vm *vm, struct vmexit *x);

#endif
