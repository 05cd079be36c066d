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

enum lab1_call {
    /* to the submission; data: struct lab1_view.  -> what the function returns */
    LAB1_STEP = 1, LAB1_PREPARE, LAB1_TURN,
    /* back to the monitor; every reply has struct lab1_view in its data */
    LAB1_TIME_PASSES, LAB1_RUN_DUE, LAB1_POLL, LAB1_RESET, LAB1_WAIT, LAB1_OFFER,
    LAB1_BUDGET,        /*                -> how many instructions                   */
    LAB1_ENGINE,        /* budget         -> 1: there is an exit, in the view         */
    LAB1_ANSWER,        /*                -> verdict; the view has the record, filled in */
    LAB1_CHARGE,        /* a port was accessed                                       */
    LAB1_CONCLUDE,      /* verdict                                                   */
    LAB1_STOP,          /* enum vm_stop                                              */
    N_LAB1_CALLS
};

/* What a loop may look at: told at the beginning of each step and after each call. */
struct lab1_view {
    uint64_t icount;
    uint64_t limit_insns, limit_exits;
    uint32_t stop, interrupted;
    uint8_t  reset_wanted, halted, unfinished, irq_ready, pause_wanted;
    struct vmexit exit;
};

/* By OUT to PORT_MARK a guest tells what the monitor is to try with the loop from there on. */
enum lab1_mark { LAB1_MARK_LOOK = 0x100, LAB1_MARK_EXAM, LAB1_MARK_REST };

#endif
