/*
 * lab/common/part.h -- what every server has in common: the process around a student's part.
 *
 * part.c stands for what a part may call of the monitor and does not matter to it: the trace
 * forgets everything (the true one is written elsewhere), a bug() ends the process.
 */
#ifndef LAB_COMMON_PART_H
#define LAB_COMMON_PART_H

#include "io/device.h"
#include "lab/wire.h"

/* The wire to the monitor, from the first call of part_serve() on. */
extern struct lab_wire part_wire;

/* Answer calls until the monitor goes; the status of the process. */
int part_serve(bool (*serve)(void *arg, struct lab_message *m));

/* A byte-wide access at this offset, asked for by the CPU. */
struct bus_access part_access(uint64_t offset);

/* Tell the monitor something that wants no reply. */
void part_tell(unsigned what, uint64_t a);

#endif
