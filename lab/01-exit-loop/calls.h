/*
 * lab/01-exit-loop/calls.h -- the run loop's view of the machine, as numbers on the wire.
 *
 * The monitor asks for one step after the other, as the real vm_run() does, or for its two halves,
 * as a debugger does.  While the submission is at it, it calls back for everything that a loop
 * needs of the machine.  The exit record itself crosses the wire as bytes; the monitor keeps its
 * own copy, and takes nothing of the record from the submission.
 */
#ifndef LAB_01_CALLS_H
#define LAB_01_CALLS_H

#include "cpu/exit.h"
#include "mem/invariant.h"

/*    LAB1_STEP, _PREPARE, _TURN are asked of the submission: data is struct lab1_view; the reply is
 *                  what the function returns, and enum lab1_left
 *    all others are asked of the monitor, whose every reply has struct lab1_view in its data:
 *    LAB1_BUDGET                  -> how many instructions
 *    LAB1_ENGINE   budget         -> 1: there is an exit, in the view
 *    LAB1_ANSWER   1: the record is as vcpu_run() left it
 *                                 -> verdict; the record in the view is filled in
 *    LAB1_CONCLUDE verdict; 1: the record is as vm_answer() left it
 *    LAB1_STOP     enum vm_stop */
enum lab1_call {
    LAB1_NO_CALL,
#define X(name, text) LAB1_##name,
    LOOP_CALL_LIST(X)
#undef X
    N_LAB1_CALLS
};

/* How the loop leaves what others read. */
enum lab1_left {
    LAB1_LEFT_UNFINISHED = 1,   /* turn.unfinished is set                            */
    LAB1_LEFT_EXIT = 2,         /* *x is the exit that was concluded                 */
};

/* What a loop may look at: told at the beginning of each step and after each call. */
struct lab1_view {
    uint64_t icount;
    uint64_t limit_insns, limit_exits;
    uint32_t stop, interrupted;
    uint8_t  reset_wanted, halted, unfinished, irq_ready, pause_wanted;
    uint8_t  anew;                  /* turn.unfinished is to be cleared before the function runs */
    struct vmexit exit;
};

/* By OUT to PORT_MARK a guest tells what the monitor is to try with the loop from there on. */
enum lab1_mark { LAB1_MARK_LOOK = 0x100, LAB1_MARK_EXAM, LAB1_MARK_REST };

#endif
