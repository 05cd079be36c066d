/*
 * lab/common/ask.h -- what every stand-in has in common: asking the student's process.
 */
#ifndef LAB_COMMON_ASK_H
#define LAB_COMMON_ASK_H

#include "io/device.h"
#include "lab/wire.h"

struct asker {
    struct lab_wire  wire;
    struct port_hook end;           /* how a device ends the run            */
    bool             lost;          /* the other process has ended, or sent nonsense */
};

/* The wire is the descriptor that the grader has left in the environment.  hear() is given what
 * the submission tells, with arg; false: it is nonsense. */
void asker_init(struct asker *a, struct port_hook end, bool (*hear)(void *arg,
                struct lab_message *m), void *arg);

/* One call: the reply's numbers are in *m.  After the first call that fails the run is told to
 * end, and all numbers are 0. */
void ask(struct asker *a, struct lab_message *m);

#endif
