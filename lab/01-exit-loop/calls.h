/*
 * lab/01-exit-loop/calls.h -- the run loop's view of the machine, as numbers on the wire.
 *
 * Here the submission leads: the monitor asks it once to run the machine, and until it answers it
 * calls back for everything that a loop does.  The exit record itself crosses the wire as bytes;
 * the monitor keeps its own copy, and takes nothing of the record from the submission.
 */
#ifndef LAB_01_CALLS_H
#define LAB_01_CALLS_H

#include "cpu/exit.h"

enum lab1_call {
    LAB1_RUN = 1,       /* to the submission: run until the machine stops; data: struct lab1_limits */
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

/* What a loop is told of its machine at the beginning. */
struct lab1_limits { uint64_t insns, exits; };

/* And after each call: what it may look at. */
struct lab1_view {
    uint64_t icount;
    uint32_t stop, interrupted;
    uint8_t  reset_wanted, halted, unfinished, irq_ready;
    struct vmexit exit;
};

#endif
