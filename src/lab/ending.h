/*
 * lab/ending.h -- how a run ended, and where the guest was then.
 *
 * A guest that prints nothing may never have been run, may wait for an interrupt that does not
 * come, or may have been stopped by the lab's limit on exits: its output is the same.  The last
 * STOP event of the trace tells them apart.
 */
#ifndef LAB_ENDING_H
#define LAB_ENDING_H

#include "base/types.h"

struct store;
struct symbols;

#define LAB_NO_STOP (-1)

struct lab_ending {
    int  stop;              /* enum vm_stop; LAB_NO_STOP: the monitor did not end by itself */
    char text[400];         /* a sentence without a full stop                                */
};

/* Of a trace, which may be incomplete, or NULL; s may be NULL. */
void lab_ending_find(struct store *trace, const struct symbols *s, struct lab_ending *ending);

#endif
