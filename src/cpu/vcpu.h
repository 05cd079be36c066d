/*
 * cpu/vcpu.h -- one virtual CPU: what an engine needs to run it, and what the monitor
 * knows of it.
 *
 * The registers are the engine's (get_state, set_state).  Nothing in here belongs to the
 * machine as a whole: with several CPUs each has all of it.
 */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include "base/trace.h"
#include "cpu/engine.h"

struct gmem;
struct hmem;
struct shadow_regs;
struct delivery_chain;
struct dirty;

/* Whose wish it is that the engine comes back when its budget is used up.  In this order where two
 * wish the same: exits for a replay or a debugger are not logged. */
enum turn_end {
    ENDS_FOR_TIME, ENDS_FOR_LIMIT, ENDS_FOR_LOCKSTEP, ENDS_FOR_REPLAY, ENDS_FOR_DEBUGGER
};

/* What one turn of the run loop leaves behind for the next one, for lockstep and a debugger. */
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

/* What vcpu_run() and vcpu_conclude() ask the owner of a CPU: the monitor, or a test. */
struct vcpu_owner {
    /* The engine's run() is over: bring virtual time up to date.  False: it came back for a reason
     * of the owner's alone (an alarm clock, a debugger's stop): the guest has not exited, nothing
     * is logged, and the CPU is to run on. */
    bool (*guest_exited)(void *arg, struct vcpu *v, const struct vmexit *x);

    /* The verdict was carried out, and the guest's paging registers may be new. */
    void (*paging_changed)(void *arg, struct vcpu *v);
    void *arg;
};

#define VCPU_MSRS 8

/* An exception that was delivered, and how often it came back since, with no other between: from
 * the same instruction, for the same address, and with the same stack. */
struct repeated {
    uint64_t vector, at, cr2, rsp;  /* at: the linear address of the instruction  */
    uint64_t times;
    uint64_t first_ns, last_ns;     /* virtual time                                  */
};

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
    const struct shadow_regs *shadow_regs;  /* instead, if mmu == MMU_SHADOW: roots of the shadow */

    /* Written by the engine before run() returns: */
    uint64_t       icount;          /* instructions retired so far; 0 where unknown  */
    uint64_t       n_exits;         /* how often run() returned: the engine's own count */
    bool           irq_ready;       /* an interrupt injected now would be taken      */

    /* Of the exception that was delivered last.  Engines that do not deliver leave zeros. */
    struct repeated repeated;

    /* The engine's account of deliveries that failed; NULL: this engine cannot see them.
     * After EXIT_TRIPLE_FAULT it is the way there. */
    const struct delivery_chain *undelivered;

    /* TSC the guest reads = tsc_base + virtual ns (1 GHz).  Set by the monitor when time skips. */
    uint64_t       tsc_base;

    /* Where an instruction is a nanosecond: what to add to a count of instructions to have the
     * virtual time of that instruction.  It points into the machine, whose time it is, and grows
     * only while the guest does not run.  NULL: virtual time is measured by the host's clock. */
    const uint64_t *time_base_ns;

    /* The monitor's: */
    struct controls controls;       /* as the engine was told last                   */
    bool           halted;          /* waits for an interrupt after HLT              */
    uint64_t       msr[VCPU_MSRS];  /* those the monitor answers for: vm/exits.c      */
    struct turn    turn;
    struct vcpu_owner owner;
    bool           timing;          /* RESUME tells how long the answer took         */
    uint64_t       entered_ns;      /* host time of the exit, with timing            */
    uint64_t       injection;       /* the event INJECT of the latest vcpu_inject()   */
    struct event   latest_injection;        /* what that was; type EVENT_NONE: none yet */
};

/* Run the guest until it exits, and log that as EXIT: events that follow carry its place and have
 * it as their cause.  False: there was no exit of the guest's (see guest_exited()). */
static inline bool vcpu_run(struct vcpu *v, uint64_t budget, struct vmexit *x);

/* Its second half, for vcpu_run() only: the engine has come back. */
bool vcpu_guest_exited(struct vcpu *v, const struct vmexit *x);

/* Inline because soft leaves the guest by longjmp(): the host CPU, which foretells where a function
 * returns to, is wrong for every function that was on the stack then.  One less is 20 ns less. */
static inline bool vcpu_run(struct vcpu *v, uint64_t budget, struct vmexit *x)
{
    v->ops->run(v, budget, x);
    return vcpu_guest_exited(v, x);
}

/* Carry out the verdict on x, the exit that vcpu_run() has told: its instruction is retired,
 * repeated or given up for an exception.  Logs RESUME. */
void vcpu_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict);

/* Give the guest e as it goes on, because of the event `cause` (0: no event).  The engine logs
 * INJECT, and what the guest does next is caused by that.  0; or -errno: not taken now. */
int vcpu_inject(struct vcpu *v, const struct event *e, uint64_t cause);

/* The virtual time of the instruction with this count.  Where time is measured there is no better
 * answer than the stamp of the latest exit.  v->trace must not be NULL. */
static inline uint64_t vcpu_time_at(const struct vcpu *v, uint64_t icount)
{
    return v->time_base_ns ? *v->time_base_ns + icount : v->trace->ctx.vtime_ns;
}

/* For engines: log something with a place and a time of its own.  The events that follow are
 * stamped as before: those of the monitor with the place of the latest exit. */
static inline uint64_t vcpu_log_at(struct vcpu *v, uint64_t rip, const struct code_segment *cs,
                                   uint64_t icount, enum trace_kind kind, uint64_t a0,
                                   uint64_t a1, uint64_t a2)
{
    struct trace *t = v->trace;
    if (!t || !(t->mask & BIT(kind)))
        return 0;
    struct trace_context before = t->ctx;
    trace_set_place(&t->ctx, rip, cs);
    t->ctx.icount = icount;
    t->ctx.vtime_ns = vcpu_time_at(v, icount);
    uint64_t seq = trace_write(t, kind, a0, a1, a2);
    t->ctx = before;
    return seq;
}

/* For an engine that delivers exceptions itself: e is on its way to a handler whose stack is at
 * rsp, from the instruction at the linear address `at`, before which icount instructions had
 * retired. */
void vcpu_note_exception(struct vcpu *v, const struct event *e, gla_t at, uint64_t rsp,
                         uint64_t icount);

/* Events that follow are about the instruction at which the CPU stands, as an exit would have made
 * them: for the beginning of a run, and when a CPU is put somewhere else. */
void vcpu_trace_here(struct vcpu *v);

/* For an engine's inject(): it will deliver e to a guest that stands at rip in *cs. */
void vcpu_log_injection(struct vcpu *v, uint64_t rip, const struct code_segment *cs,
                        const struct event *e);

#endif
