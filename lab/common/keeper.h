/*
 * lab/common/keeper.h -- in the submission: memory for the tables that the student's part
 * keeps, and telling the monitor what it has written there (tables.h).
 *
 * It stands in the place of mem/hmem.c.  Of struct hmem there are the tables only; `gmem` is
 * what the lab's server puts there.
 */
#ifndef LAB_COMMON_KEEPER_H
#define LAB_COMMON_KEEPER_H

#include "../lab/common/tables.h"
#include "mem/hmem.h"

/* Room for so many tables; as many as the monitor's hmem has at most.  NULL: no memory. */
struct hmem *keeper_hmem(uint64_t frames);

/* Tell all entries that have changed since the last time.  At the end of each call. */
void keeper_tell(void);

#endif
