/*
 * lab/07-interrupts/calls.h -- the functions of io/pic.h, as numbers on the wire.
 *
 * Of arguments and results only numbers pass.  The INT output is told whenever it moves.
 */
#ifndef LAB_07_CALLS_H
#define LAB_07_CALLS_H

enum lab7_call {
    LAB7_RESET = 1,
    LAB7_LINE,      /* an input: line, level                                     */
    LAB7_READ,      /* offset                            -> value                */
    LAB7_WRITE,     /* offset, value                                             */
    LAB7_PEEK,      /* offset                            -> value                */
    LAB7_DEAF,      /*                                   -> pic_is_deaf()        */
    LAB7_ACK,       /*                                   -> vector, line, spurious */
    LAB7_INT,       /* told by the submission: the level of the output           */
};

#endif
