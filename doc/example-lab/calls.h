/*
 * lab/90-debug-exit/calls.h -- the functions of io/debug_exit.h, as numbers on the wire.
 */
#ifndef LAB_90_CALLS_H
#define LAB_90_CALLS_H

enum lab90_call {
    LAB90_RESET = 1,
    LAB90_WRITE,        /* offset, value                                       */
    LAB90_EXIT,         /* told by the submission: end the run with this status */
};

#endif
