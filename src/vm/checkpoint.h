/*
 * vm/checkpoint.h -- points in a machine's past to which it can be put back, in
 * memory.
 *
 * A checkpoint is the state (vm/state.h) and the pages of RAM (and of what was
 * written to disks: vm/pages.h) that changed since
 * the one before.  What did not change is kept once: a page has a chain of
 * versions, and a checkpoint means of each page the newest version that is not
 * younger than itself.  So taking one costs what the guest has written, and
 * so does going back.
 *
 * They stand in a row by age.  `axis` is where: host nanoseconds that the guest has
 * run until there, so that the distance of two is what it takes to run from one
 * to the other.  Near the present place of the machine they are dense; with
 * distance they are thinned out, so that their number grows with the logarithm
 * of the run.  One that is a wall is not thinned: it cannot be reached by running
 * on from the one before (the user had written to memory, say), so without it the
 * part of the past behind it would be lost.
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
    uint64_t note;                      /* the caller's: entries in its log              */
    unsigned pins;                      /* of the caller's; while not 0 it is not removed */
    bool     wall;                      /* running on from the one before does not lead here */
    bool     is_between_exits;          /* the caller's: the CPU was between two exits,  */
    bool     was_debug_exit;            /* and had come back for the debugger alone      */
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
/* The one that was taken or returned to last: RAM descends from it. */
struct checkpoint *checkpoints_here(const struct checkpoints *all);

/* Remove those that the machine has not run past yet; those older than c. */
void checkpoints_cut_future(struct checkpoints *all);
void checkpoints_cut_older(struct checkpoints *all, struct checkpoint *c);

size_t   checkpoints_count(const struct checkpoints *all);
uint64_t checkpoints_bytes(const struct checkpoints *all);

#endif
