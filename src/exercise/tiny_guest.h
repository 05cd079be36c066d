/*
 * exercise/tiny_guest.h -- a guest of a few bytes, run on the machine itself.
 *
 * Exercises that ask what a guest does run it: the interpreter `soft`, 1 MiB of RAM, the PC's
 * devices.  The code lies at TINY_CODE and is entered there, in real mode with all segments at 0
 * and the stack below the code; it ends with HLT and interrupts off, or at the limit.
 */
#ifndef EXERCISE_TINY_GUEST_H
#define EXERCISE_TINY_GUEST_H

#include "base/trace.h"
#include "base/types.h"
#include "cpu/engine.h"
#include "cpu/exit.h"
#include "cpu/state.h"

#define TINY_CODE   0x8000
#define TINY_EVENTS 1024

/* Code as it is written, with its text for people. */
struct tiny_code {
    uint8_t  byte[512];
    unsigned n;
};

/* What became of it. */
struct tiny_run {
    uint64_t insns, exits;
    uint64_t exits_by[N_EXITS];         /* in the order of EXIT_LIST                        */
    uint64_t ns;                        /* virtual time                                     */
    char     out[64];                   /* what it wrote to port E9h                        */
    unsigned n_out;
    struct cpu_state cpu;               /* at the end                                       */
    struct trace_event event[TINY_EVENTS];
    unsigned n_events;                  /* those from START to STOP; of more the first ones */
};

/* With such second-level tables, and at most limit instructions.  A bug() if the machine cannot be
 * made. */
void tiny_guest_run(const struct tiny_code *code, enum mmu_kind mmu, uint64_t limit,
                    struct tiny_run *r);

/* More code: n bytes. */
void tiny_code_add(struct tiny_code *c, const void *bytes, size_t n);

#endif
