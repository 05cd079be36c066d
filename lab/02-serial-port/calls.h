/*
 * lab/02-serial-port/calls.h -- the functions of io/uart.h, as numbers on the wire.
 *
 * Every call says what time it is, in arg[5]; every reply, when the UART next wants to be called
 * because of the time, there too (VCLOCK_NEVER: not).
 */
#ifndef LAB_02_CALLS_H
#define LAB_02_CALLS_H

enum lab2_call {
    LAB2_RESET = 1,
    LAB2_READ,      /* offset                 -> value                        */
    LAB2_WRITE,     /* offset, value                                          */
    LAB2_PEEK,      /* offset                 -> value                        */
    LAB2_RECEIVE,   /* byte                   -> 0, or 1: there is no room    */
    LAB2_FORCED,    /* byte                                                   */
    LAB2_BREAK,
    LAB2_FLUSH,
    LAB2_CHAR_NS,   /* nanoseconds a character takes, 0: by the divisor       */
    LAB2_TIME,      /* timers may be due                                      */
    /* told by the submission: */
    LAB2_IRQ,       /* the level of the interrupt pin                         */
    LAB2_SENT,      /* a byte has left                                        */
    LAB2_ROOM,      /* there is room for the next byte                        */
};

#endif
