/*
 * vm/time_source.h -- how virtual time comes about; private to vm/.
 *
 * There are two ways, and a machine keeps to one of them for good:
 *
 *   counted    the engine counts instructions, and one of them takes one nanosecond.  A run
 *              is then a function of the guest and its input.
 *   measured   the engine cannot count (KVM).  Time is the host's, and the engine is taken
 *              out of the guest by an alarm.
 *
 * Each is a struct of functions.  vm_new() chooses; nobody asks again which it was.
 */
#ifndef VM_TIME_SOURCE_H
#define VM_TIME_SOURCE_H

#include "base/types.h"
#include "cpu/exit.h"

struct vcpu;
struct vm;

struct timekeeping {
    uint64_t poll_ns;           /* virtual time between two looks for input                     */
    bool     turns_resume;      /* a turn that a debugger has interrupted goes on where it was:
                                 * no time passes and nothing is injected in between            */
    bool     tsc_repeats;       /* the guest's time-stamp counter is part of the machine's state:
                                 * two machines that have done the same have the same there     */

    /* A new CPU is told what it needs in order to stamp its own events: v->time_base_ns. */
    void     (*attach)(struct vm *vm, struct vcpu *v);

    uint64_t (*now)(struct vm *vm);                     /* virtual ns since power-on            */
    void     (*skip)(struct vm *vm, uint64_t ns);       /* the CPU slept for so long            */
    void     (*charge_port)(struct vm *vm);             /* the guest has accessed an I/O port   */
    void     (*rebase)(struct vm *vm);                  /* go on from here, see vm_rebase_time() */

    /* How many instructions the engine may run, if the monitor has something to do at virtual
     * time `until` (VCLOCK_NEVER: nothing).  Sets v->turn.ends_for. */
    uint64_t (*budget)(struct vm *vm, struct vcpu *v, uint64_t until);

    /* How far the machine has come: see vm_progress(). */
    uint64_t (*progress)(const struct vm *vm);

    /* Can a clock that shows `now` belong to this base and count of instructions?  Asked of a state
     * that was loaded from a file, where anything may stand. */
    bool     (*fits)(const struct vm *vm, uint64_t now);

    /* Surely nothing has been retired since the last exit was concluded. */
    bool     (*stands_still)(const struct vcpu *v);
};

extern const struct timekeeping time_counted, time_measured;

/* The virtual clock is set to what it is now; due timers have not run yet. */
void time_passes(struct vm *vm);

/* The same with the events that follow still stamped as before: for looks of a debugger, which
 * are to leave no mark in the trace. */
void time_passes_unseen(struct vm *vm);

/* Look for input, and whether the guest is stuck, if that is due. */
void time_poll(struct vm *vm);

/* What to give the engine's run(): until the next timer, look for input, or claim. */
uint64_t time_budget(struct vm *vm, struct vcpu *v);

#endif
