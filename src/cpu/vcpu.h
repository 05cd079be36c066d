/*
 * cpu/vcpu.h -- one virtual CPU: what an engine needs to run it, and what the monitor
 * knows of it.
 *
 * The registers are the engine's (get_state, set_state).  Nothing in here belongs to the
 * machine as a whole: with several CPUs each has all of it.
 */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include "cpu/engine.h"

struct gmem;
struct hmem;
struct shadow;
struct dirty;
struct trace;

/* Whose wish it is that the engine comes back when its budget is used up.  In this order where two
 * wish the same: exits for a replay or a debugger are not logged. */
enum turn_end { ENDS_FOR_TIME, ENDS_FOR_LIMIT, ENDS_FOR_LOCKSTEP, ENDS_FOR_REPLAY, ENDS_FOR_DEBUGGER };

/* What one turn of the run loop leaves behind: for the next one, for lockstep and for a debugger. */
struct turn {
    bool         unfinished;        /* a debugger interrupted it: the guest is still to run on */
    bool         after_visible;     /* it ended at an exit that the guest can tell            */
    bool         registers_changed; /* the answer changed the CPU's registers                 */
    bool         paging_stale;      /* the answer is one after which paging may be different   */
    enum turn_end ends_for;         /* who has set the budget                                  */
    struct event injected;          /* given to the guest before it ran                        */
    enum verdict verdict;
    uint64_t     icount_at_exit;    /* before the exit's instruction was retired               */
    uint64_t     icount_concluded;  /* and after it                                            */
    uint64_t     time_base_at_exit_ns;      /* before the access was charged                  */
};

#define VCPU_MSRS 8

struct vcpu {
    const struct engine *ops;
    void          *priv;            /* the engine's own                              */
    unsigned       number;          /* from 0                                        */
    struct gmem   *gmem;
    struct dirty  *dirty;           /* may be NULL                                   */
    struct trace  *trace;           /* may be NULL                                   */
    enum mmu_kind  mmu;
    struct hmem   *hmem;            /* where engines that walk tables find their frames */
    hpa_t          eptp;            /* root of the nested tables, if mmu == MMU_NESTED */
    struct shadow *shadow;          /* walked instead if mmu == MMU_SHADOW           */

    /* Written by the engine before run() returns: */
    uint64_t       icount;          /* instructions retired so far; 0 where unknown  */
    uint64_t       n_exits;         /* how often run() returned: the engine's own count */
    bool           irq_ready;       /* an interrupt injected now would be taken      */

    /* TSC the guest reads = tsc_base + virtual ns (1 GHz).  Set by the monitor when time skips. */
    uint64_t       tsc_base;

    /* The monitor's: */
    struct controls controls;       /* as the engine was told last                   */
    bool           halted;          /* waits for an interrupt after HLT              */
    uint64_t       msr[VCPU_MSRS];  /* those the monitor answers for: vm/exits.c      */
    struct turn    turn;
};

#endif
