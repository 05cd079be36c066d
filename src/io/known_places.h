/*
 * io/known_places.h -- what a PC usually has at a port or address, whether or not this machine
 * has it: for messages about guests that reach for something in vain, or wait for it.
 *
 * Which devices this machine has, and where, is another table, in vm/pc.c.  To add a place: a
 * row in known_places.c.
 */
#ifndef IO_KNOWN_PLACES_H
#define IO_KNOWN_PLACES_H

#include "base/types.h"

/* Whoever reads such a place again and again waits for this. */
enum waits_for {
    WAITS_FOR_DEVICE,           /* something that the device does by itself       */
    WAITS_FOR_SERIAL,           /* a byte on the serial line: the user's          */
    WAITS_FOR_KEY,              /* a key: the user's                              */
    WAITS_FOR_TIME,             /* a certain time: it comes                       */
};

struct known_place {
    uint64_t    from, to;       /* ports, or addresses in memory above 64 KiB     */
    const char *what;           /* "an IDE status register"                       */
    const char *lacks;          /* of a machine without it: "no disk is there"    */
    enum waits_for waits;
};

/* The narrowest row that `at` lies in; NULL: nothing is known. */
const struct known_place *known_place(uint64_t at);

#endif
