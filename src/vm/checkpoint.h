/*
 * vm/checkpoint.h -- points in a machine's past to which it can be put back, in
 * memory.
 *
 * A checkpoint is the state (vm/state.h) and the pages of RAM that changed since
 * the one before.  What did not change is kept once: a page has a chain of
 * versions, and a checkpoint means of each page the newest version that is not
 * younger than itself.  So taking one costs what the guest has written, and
 * so does going back.
 *
 * They stand in a row by age.  `axis` is where: host nanoseconds that the guest has
 * run until there, so that the distance of two is what it takes to run from one
 * to the other.  Near the present place of the machine they are dense; with
 * distance they are thinned out, so that their number grows with the logarithm
 * of the run.  One that is a wall is not thinned: what led to it is known to
 * nobody (the user wrote to memory), and it cannot be reached by running.
 */
#ifndef VM_CHECKPOINT_H
#define VM_CHECKPOINT_H

#include "vm/vm.h"

struct checkpoints;

struct checkpoint {
    struct checkpoint *older, *newer;
    uint64_t progress, seq;             /* vm_progress() and events before it            */
    uint64_t mask;                      /* of the trace                                  */
    uint64_t axis;
    uint64_t note;                      /* the caller's                                  */
    unsigned pins;                      /* not to be removed                             */
    bool     wall;
    bool     between, told;             /* the caller's: the CPU was between two exits; and
                                           had come back for the debugger's sake          */
    /* checkpoint.c's own: */
    uint64_t key;                       /* ascending with age                            */
    struct version *versions;
    struct chunk  **state;
    size_t          state_bytes;
};

struct checkpoints *checkpoints_new(struct vm *vm, uint64_t max_bytes);
void checkpoints_free(struct checkpoints *all);

/* Take one of the machine as it stands, which has run ran_ns since the last that was taken
 * or returned to.  NULL: no memory, or this engine cannot save its vCPU just now (see save()
 * of cpu/engine.h: try again after the next turn), and nothing has changed. */
struct checkpoint *checkpoints_take(struct checkpoints *all, uint64_t ran_ns, bool wall);

/* Put the machine back.  True unless the host has no memory for that, and then the
 * machine is lost. */
bool checkpoints_return(struct checkpoints *all, struct checkpoint *c);

/* The newest with at most so much progress, or (before_event) with fewer events; NULL: none. */
struct checkpoint *checkpoints_at(const struct checkpoints *all, uint64_t progress);
struct checkpoint *checkpoints_before_event(const struct checkpoints *all, uint64_t seq);

struct checkpoint *checkpoints_first(const struct checkpoints *all);
struct checkpoint *checkpoints_last(const struct checkpoints *all);
struct checkpoint *checkpoints_here(const struct checkpoints *all);    /* the one that was taken or returned to last */

/* What the machine has not run past goes; or what is older than c. */
void checkpoints_cut_future(struct checkpoints *all);
void checkpoints_cut_older(struct checkpoints *all, struct checkpoint *c);

size_t   checkpoints_count(const struct checkpoints *all);
uint64_t checkpoints_bytes(const struct checkpoints *all);

#endif
