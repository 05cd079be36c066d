/*
 * cpu/engine.h -- what a CPU engine is: one const struct of functions.
 *
 * An engine runs one vCPU until the monitor is needed.  It sees guest memory
 * and the trace; devices it does not know.  All engines are listed in
 * engine.c; nothing registers itself.
 *
 * The order of calls: create; then any number of
 *     set_controls, inject, run -> exit -> conclude
 * and between them get_state/set_state.  conclude() must follow every run()
 * and carries the verdict out: it is the only place where an exit's
 * instruction is retired.  All of them but kick() are called by the thread
 * that called create().
 */
#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H

#include "base/types.h"
#include "cpu/controls.h"
#include "cpu/exit.h"
#include "cpu/state.h"

struct bytes_in;
struct bytes_out;
struct vcpu;                    /* cpu/vcpu.h */

enum mmu_kind { MMU_NESTED, MMU_SHADOW, MMU_PV };
extern const char *const mmu_names[3];

/* What an engine turned out to be able to do on this host. */
struct engine_caps {
    bool ok;
    bool real_mode, protected_mode, paging32, pae, long_mode, v86, sse;
    bool iret32, int64, syscall64;  /* 32-bit handlers return; INT n, SYSCALL in long mode */
    bool single_step, deterministic;
    bool steps_into_handlers;       /* a step over INT n ends at the handler's first instruction */
    bool breakpoints, user_breakpoints, watchpoints;        /* set_debug(); in ring 3 too */
    bool sees_cr_access, sees_cpuid, sees_msr, sees_first_touch, sees_vmcall;
    bool exits_on_demand;       /* engine.exit_on is all there is */
    unsigned mmus;                  /* BIT(enum mmu_kind) */
    char why[900];                  /* a sentence the user can act on; always set */
};

/* Where a debugger wants to be asked, unseen by the guest.  The engine returns EXIT_BREAKPOINT
 *   - before the instruction at one of `code`, and before one outside [lo, hi): once for each
 *     time the CPU comes there;
 *   - after an instruction, or the delivery of an event, that touched a byte of one of `data`:
 *     once for each of those that were touched (see `breakpoint` in cpu/exit.h);
 *   - after XCHG BX, BX, which does nothing and is a breakpoint in the guest's own code, if
 *     `magic`.  An engine may be unable to see it (kvm). */
struct data_stop {
    uint64_t at, len;               /* `at` is a linear address, or a guest-physical one */
    uint8_t  access;                /* ACCESS_R, ACCESS_W                                */
    bool     physical;              /* by whatever linear address the byte is reached    */
};
struct debug_stops {
    const gla_t *code;              /* in ascending order, each once           */
    size_t       n_code;
    const struct data_stop *data;   /* the linear ones first, each ascending by `at` */
    size_t       n_data;
    gla_t        lo, hi;            /* lo == hi: anywhere                      */
    bool         magic;
};

struct engine {
    const char *name, *about;

    /* vcpu.icount is exact and run() keeps to its budget: time is counted in
     * instructions, and two such engines can be stopped at the same one.
     * Without it time is measured by the host's clock. */
    bool counts;
    unsigned slow_state;        /* ST_ groups that get_state() must ask the host for  */
    uint64_t exit_on;           /* what it can be made to exit for: a mask of cpu/controls.h */
    bool walks_tables;          /* reaches memory through v->hmem and tables in it */

    /* Find out what the engine can do on this host by running tiny guests, not by trusting
     * feature bits.  0 or -errno; caps->why is set in both cases. */
    int  (*probe)(struct engine_caps *caps);

    /* v's fields up to `shadow` are set.  0 or -errno (host_say()s the reason). */
    int  (*create)(struct vcpu *v);
    void (*destroy)(struct vcpu *v);

    /* Run at most `budget` instructions where the engine can count (exactly
     * that many on a deterministic one), then EXIT_BUDGET. */
    void (*run)(struct vcpu *v, uint64_t budget, struct vmexit *x);
    void (*conclude)(struct vcpu *v, const struct vmexit *x, enum verdict verdict);

    /* Make run() return EXIT_KICKED soon; from any thread or signal handler. */
    void (*kick)(struct vcpu *v);

    int  (*get_state)(struct vcpu *v, unsigned groups, struct cpu_state *s);
    int  (*set_state)(struct vcpu *v, unsigned groups, const struct cpu_state *s);

    /* Deliver at the next run().  IRQs only when irq_ready. */
    int  (*inject)(struct vcpu *v, const struct event *e);
    int  (*set_controls)(struct vcpu *v, const struct controls *c);

    /* From now on stop at these places (NULL: nowhere); *d is copied.  -ENOTSUP: the engine
     * cannot, and stops nowhere; the debugger then steps with the monitor trap flag and
     * compares by itself.  The function pointer may be NULL: never possible.  A process that
     * is going to give up its rights calls set_debug(NULL) once before: finding out what the
     * host supports may need system calls that are forbidden afterwards. */
    int  (*set_debug)(struct vcpu *v, const struct debug_stops *d);

    /* flush_tlb: all cached translations are out of date.  forget: somebody other than the
     * guest wrote this guest-physical range, so decoded code and translations made from it
     * are out of date; the pointer may be NULL if the engine keeps neither. */
    void (*flush_tlb)(struct vcpu *v);
    void (*forget)(struct vcpu *v, gpa_t gpa, uint64_t len);

    /* save() writes all of the vCPU's state, between two run()s: registers, interrupt shadows,
     * events still to be delivered, the TLB.  After load() of it the vCPU behaves exactly as
     * the saved one would have.  load() returns -EINVAL for bytes that are no such state; the
     * vCPU can then only be used for another load().  Both may be NULL: the caller uses
     * get_state and set_state instead.
     * An engine may be unable to save between two parts of one instruction (kvm: the elements
     * of a REP INS, two accesses to devices, a first touch on the way to another exit).  Then
     * save() sets o->not_now and o->bad; after one or two more turns it succeeds. */
    void (*save)(struct vcpu *v, struct bytes_out *o);
    int  (*load)(struct vcpu *v, struct bytes_in *in);

    /* The vCPU is about to be given another state, and memory with it.  Finish or give up an
     * instruction that has begun, now: finishing it may write to memory.  Until the next load()
     * or set_state() the vCPU must not run.  load() includes this.  May be NULL: the engine
     * never stops in the middle of an instruction. */
    void (*drop)(struct vcpu *v);

    /* Mark in v->dirty the pages that the guest has written since the last call (at the first
     * call: since it was made).  Pages that it only read for the first time may be marked too.
     * May be NULL: the engine marks a page at once when it is written. */
    void (*collect_dirty)(struct vcpu *v);

    /* Somebody has read and cleared the dirty marks: the next write to any page must mark it
     * again.  May be NULL. */
    void (*rearm_dirty)(struct vcpu *v);

    /* For engines that show first touches: the next access to this page counts as its first
     * one (again), or as a repeated one (!again).  May be NULL. */
    void (*touch_again)(struct vcpu *v, gpa_t gpa, bool again);

    /* Take from an answer of cpuid.h (EAX EBX ECX EDX) what this host cannot give
     * the guest.  May be NULL: nothing. */
    void (*limit_cpuid)(struct vcpu *v, uint32_t leaf, uint32_t out[4]);
};

extern const struct engine engine_soft, engine_kvm;
extern const struct engine *const engines[];        /* NULL-terminated */
const struct engine *engine_find(const char *name);

/* Whether the same guest with the same input, on this engine, does the same again, instruction by
 * instruction: what a recording relies on.  Counting is all it takes: time is a function of the
 * count then, and whatever comes from outside can be given at the count where it came. */
static inline bool engine_repeats(const struct engine *e)
{
    return e->counts;
}

/* Their names, in that order, then NULL: what events mean by an engine's number. */
const char *const *engine_names(void);

#endif
