/*
 * cpu/kvm/kvm.h -- what the files of the KVM engine share; private to them.
 *
 *   kvm.c     the engine: made, entered, kicked, destroyed; injection, controls
 *   exits.c   one KVM exit becomes one or more of our records, and is answered
 *   debug.c   a debugger's stops
 *   step.c    its steps, and what of them the guest must not see
 *   insn.c    which instruction did that?  prefixes and port opcodes only
 *   state.c   registers between KVM's structs and ours
 *   save.c    all of the vCPU, out and in
 *   dirty.c   pages that were written: by the guest, by others
 *   pager.c   first touches of guest pages, through userfaultfd
 *   setup.c   what the kernel is told once: CPUID, MSR filter, memory slots
 *   probe.c   what this host's KVM can really do, by trying tiny guests
 *
 * Begin with kvm.c, kvm_run().  Three facts about KVM shape the engine:
 *
 * 1. An exit may leave its instruction half done: after an IN, RIP still
 *    points to it, and the next KVM_RUN puts the value into AL and moves on.
 *    `half` says so.  kvm_settle() finishes it without running anything else.
 * 2. One KVM exit may be several of our records (a REP INS reads ahead).
 *    `part` of `parts` counts them.
 * 3. Entering the kernel costs more than anything done there, so registers
 *    come and go with KVM_RUN itself (KVM_CAP_SYNC_REGS), never by an ioctl
 *    of their own on the way of an ordinary exit.
 */
#ifndef CPU_KVM_KVM_H
#define CPU_KVM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "cpu/vcpu.h"

struct kvm_pager;

/* One of the CPU's four debug registers (DR0 to DR3), lent to the debugger. */
struct kvm_stop {
    gla_t    at;                            /* linear address that is watched        */
    uint8_t  bytes, kind;                   /* 1, 2, 4 or 8; one of debug.c's KIND_* */
    uint32_t index;                         /* of the data stop that it serves, in the list
                                             * that the debugger gave (struct debug_stops) */
};

/* Where a handler may begin in which a step ends; see the head of step.c. */
struct kvm_landing {
    gla_t    at;                            /* the handler's first instruction       */
    uint8_t *hva;                           /* host address of its first byte while HLT lies
                                             * there; else NULL                      */
    uint8_t  was;                           /* the guest's own byte, to be put back  */
    bool     was_laid;                      /* HLT lay there during the last entry   */
};

/* What the instruction that is stepped does with TF, the trap flag.  `bytes` of struct kvm_step
 * is the size of a word that PUSHF, POPF and IRET move on the stack. */
enum step_kind {
    STEP_PLAIN,                             /* nothing                               */
    STEP_DELIVERY,                          /* no instruction: an event is delivered */
    STEP_PUSHES,                            /* PUSHF: writes it to the stack         */
    STEP_POPS,                              /* POPF: loads it from the stack         */
    STEP_RETURNS,                           /* IRET: loads it from the frame         */
    STEP_SYSCALL,                           /* writes it to R11, then may clear it   */
    STEP_SYSRET,                            /* loads it from R11                     */
    STEP_INT,                               /* INT n, INT3, INTO: into the frame; clears it */
};

#define STEP_COMES 0x100                    /* in kvm_step.coming: there is an event */

/* A step.  The first group is about the instruction that is stepped now, the second is true from
 * step to step. */
struct kvm_step {
    enum step_kind     kind;
    uint8_t            bytes;               /* a word that it moves on the stack: 2, 4, 8 */
    bool               tf_after;            /* the guest's TF behind the instruction */
    bool               harmless;            /* it can neither fault nor be emulated by KVM */
    uint64_t           flags;               /* RFLAGS and CS before it: a frame on the stack */
    uint16_t           cs;                  /* is known by them                      */
    struct kvm_landing landing[16];
    unsigned           n_landings;

    bool               guest_tf;            /* the guest's own TF, while KVM shows none */
    uint32_t           owes_db;             /* not 0: the guest must get #DB before it goes on,
                                             * with these bits in DR6                */
    bool               lost;                /* KVM may have lost its TF: ask for it again */
    bool               lands;               /* landings work on this KVM (probe.c)   */
    bool               late_halt;           /* HLT was stepped, and KVM may tell of the halt
                                             * behind a later instruction            */
    unsigned           coming;              /* STEP_COMES | vector of the event that is injected
                                             * and not delivered yet; 0: none        */
};

/* Whether KVM's RIP is already behind an OUT when its exit is seen depends on the host's KVM and
 * on the path taken there.  It is learned from exits that leave no doubt (exits.c). */
enum out_moves { OUT_UNKNOWN, OUT_MOVED, OUT_NOT_MOVED };

/* The engine's part of a vCPU (vcpu.priv).  It belongs to the thread that made it; of the others'
 * calls only kvm_kick() may come from elsewhere. */
struct kvm_cpu {
    /* The kernel's objects, and what was arranged with it at the beginning. */
    int               dev, vm, fd;          /* /dev/kvm, the VM, the vCPU            */
    struct kvm_run   *run;                  /* mapped from fd, shared with the kernel */
    size_t            run_bytes;
    struct kvm_pager *pager;                /* NULL: first touches are not seen ...  */
    char              no_pager_why[160];    /* ... for this reason                   */
    bool              tsc_scaled;           /* the guest's TSC ticks at 1 GHz        */
    int               tsc_khz;              /* its rate if not; 0: it is 1 GHz       */
    struct kvm_cpuid2 *host_cpuid;          /* all that this KVM can show to a guest */
    struct controls   controls;             /* what the monitor wants to exit        */

    /* Being stopped from outside. */
    pthread_t         thread;               /* the one that made it and runs it      */
    atomic_bool       kicked;
    uint64_t          deadline_ns;          /* host_monotonic_ns() at which run() ends as if
                                             * kicked; 0: none.  Only probe.c sets it */

    /* The exit that is being told.  See facts 1 and 2 above. */
    bool              have_exit;            /* the kernel stopped; not fully answered */
    unsigned          part, parts;          /* this record's number, of how many     */
    bool              half;                 /* answered, but not finished by KVM     */
    bool              of_kvm;               /* the record stands for KVM's exit, not for a
                                             * kick, a first touch or a debugger's stop */
    bool              in_record;            /* between run() and conclude()          */
    int64_t           rip_ahead;            /* how far KVM's RIP is past the record's */
    enum out_moves    out_moves;
    uint64_t          entry_rip;            /* RIP when the CPU was entered last     */
    bool              entered;              /* it was entered once at least          */
    uint64_t          last_io_rip;          /* RIP of the last record about a port   */

    /* Pages written (dirty.c). */
    bool              logs_dirty;           /* somebody asked for the kernel's log   */
    uint64_t         *dirty_bitmap;         /* the kernel copies it here; NULL: it keeps none */
    bool              stale;                /* others have written to guest memory: renew the
                                             * kernel's tables before the next entry */

    /* A debugger's stops (debug.c) and steps (step.c). */
    struct kvm_guest_debug debug;           /* as KVM was told last                  */
    struct kvm_stop   stop[4];
    unsigned          n_stops;
    unsigned          data_stops;           /* bit i: stop[i] is about data          */
    unsigned          hits;                 /* bit i: it was met and is to be told   */
    bool              owes_step;            /* a step was taken, and is to be told after them */
    bool              told;                 /* the stop at told_at was told: when the guest */
    gla_t             told_at;              /* goes on from there, not again         */
    struct kvm_step   step;
    bool              trial;                /* this is a guest of probe.c's          */
};

/* The signal that makes KVM_RUN return; its handler does nothing. */
#define KVM_KICK_SIGNAL (SIGRTMIN + 1)

/* In all files: int is 0 or -errno, and bool says what the comment says. */

/* kvm.c */
int  kvm_settle(struct kvm_cpu *k);             /* finish the instruction that is half done */
int  kvm_mirror_registers(struct kvm_cpu *k);   /* from the kernel into the shared page */
/* Have an exception delivered at the next entry, as if the guest's instruction had raised it. */
int  kvm_queue_exception(struct kvm_cpu *k, const struct event *e);

/* debug.c */
/* set_debug() of the engine.  -ENOTSUP: they do not fit, and none of them is set. */
int   kvm_set_stops(struct vcpu *v, const struct debug_stops *d);
/* Tell KVM what is wanted now: to step or not, and which registers to watch. */
int   kvm_debug_choose(struct kvm_cpu *k);
/* True if the next instruction is to be stepped; and if KVM has been told to step. */
bool  kvm_debug_steps(struct kvm_cpu *k);
bool  kvm_stepping(const struct kvm_cpu *k);
/* No steps and stops until kvm_debug_choose(). */
int   kvm_debug_suspend(struct kvm_cpu *k);
/* The CPU came here otherwise than by running (a state was loaded).  told: the debugger knows of
 * the code stop here. */
int   kvm_debug_elsewhere(struct kvm_cpu *k, bool told);
/* True: x is a record that can be told without entering the guest. */
bool  kvm_debug_due(struct kvm_cpu *k, struct vmexit *x);
/* KVM_EXIT_DEBUG becomes a record.  False: it is not about a debugger's wishes. */
bool  kvm_debug_record(struct vcpu *v, struct vmexit *x);
/* True: the exit is the end of a step that nobody asked for, over a breakpoint. */
bool  kvm_debug_is_unseen(struct vcpu *v);
gla_t kvm_pc(const struct kvm_cpu *k);          /* linear address of the next instruction */

/* step.c: the three parts of a step, in this order. */
void kvm_step_begin(struct vcpu *v);            /* look at what is about to run          */
void kvm_step_lay(struct vcpu *v);              /* lay the landings: last before KVM_RUN */
/* First after KVM_RUN; exited: it returned with an exit.  True: there is nothing to record, the
 * step ended in a handler or before a breakpoint of the guest's own. */
bool kvm_step_end(struct vcpu *v, bool exited);
/* Deliver the #DB that the guest's own TF or debug registers call for (owes_db). */
int  kvm_step_trap(struct vcpu *v);

/* exits.c */
void kvm_record(struct vcpu *v, struct vmexit *x);
void kvm_answer(struct vcpu *v, const struct vmexit *x, enum verdict verdict);
bool kvm_stepped_over_hlt(struct vcpu *v);      /* the last step was HLT                 */
bool kvm_is_late_halt(struct vcpu *v);          /* this exit is the halt of an earlier one */

/* insn.c: an instruction that could have made an I/O exit. */
struct io_insn {
    uint8_t len;                /* 0: none                            */
    bool    in, string, rep;
    uint8_t op_bytes;           /* 1, 2, 4                            */
    uint8_t addr_bytes;         /* 2, 4, 8                            */
    int8_t  seg;                /* override, or -1                    */
    bool    imm;                /* the port is in the instruction     */
    uint8_t imm_port;
};
/* code_bytes: 2, 4 or 8, the mode's default address size. */
void io_insn_parse(const uint8_t *bytes, size_t n, unsigned code_bytes, struct io_insn *out);

/* state.c */
unsigned kvm_code_bytes(const struct kvm_cpu *k);       /* default address size: 2, 4 or 8 */
struct code_segment kvm_code_segment(const struct kvm_cpu *k);  /* for the trace */
/* Host address of the n bytes at gla, which lie in one page; access: WALK_READ, WALK_FETCH ...
 * NULL: the guest's page tables map nothing there that may be accessed so. */
void *kvm_hva(const struct vcpu *v, gla_t gla, size_t n, unsigned access);
/* Copy code at CS:rip.  Returns how many of n bytes are mapped, from the first on. */
size_t kvm_fetch(const struct vcpu *v, uint64_t rip, uint8_t *buf, size_t n);
int  kvm_get_state(struct vcpu *v, unsigned groups, struct cpu_state *s);
int  kvm_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *s);

#define KVM_N_MSRS 11
int  kvm_get_msrs(struct kvm_cpu *k, uint64_t value[KVM_N_MSRS]);
/* Returns how many of them the kernel refused. */
int  kvm_put_msrs(struct kvm_cpu *k, const uint64_t value[KVM_N_MSRS]);

/* save.c: save(), load() and drop() of the engine. */
void kvm_save_all(struct vcpu *v, struct bytes_out *o);
int  kvm_load_all(struct vcpu *v, struct bytes_in *in);
void kvm_drop(struct vcpu *v);

/* dirty.c */
void kvm_collect_dirty(struct vcpu *v);         /* marks v->dirty                       */
void kvm_forget_tables(struct vcpu *v);         /* note that the kernel's are out of date */
void kvm_forget_range(struct vcpu *v, gpa_t gpa, uint64_t len);
void kvm_renew_tables(struct vcpu *v);          /* have the kernel build them anew      */

/* pager.c: the calls come from the vCPU's thread, while the guest does not run. */
struct touch { gpa_t gpa; bool write; };
/* NULL and a sentence in why[n]: guests run all the same, their first touches are not seen. */
struct kvm_pager *pager_new(const struct gmem *m, char *why, size_t n);
void  pager_free(struct kvm_pager *p);
void *pager_hva(const struct kvm_pager *p, size_t region);     /* what KVM is to map */
/* Begin to serve.  notify() is called in the pager's thread at each first touch. */
int   pager_start(struct kvm_pager *p, void (*notify)(void *arg), void *arg);
void  pager_mark_touched(const struct kvm_pager *p, size_t region, struct dirty *d);
/* is_first: the page's next touch is to be told (again); else it counts as touched. */
void  pager_again(struct kvm_pager *p, gpa_t gpa, bool is_first);
void  pager_forget_notes(struct kvm_pager *p);
bool  pager_take(struct kvm_pager *p, struct touch *t);        /* the next one; false: none */

/* setup.c */
int kvm_set_slot(struct vcpu *v, size_t region, uint32_t flags);
int kvm_setup_vm(struct kvm_cpu *k, struct vcpu *v);
int kvm_setup_vcpu(struct kvm_cpu *k, struct vcpu *v);
void kvm_limit_cpuid(struct vcpu *v, uint32_t leaf, uint32_t out[4]);
/* Open /dev/kvm: a descriptor, or -errno with the sentence in why[n]. */
int kvm_open(char *why, size_t n);

/* probe.c */
/* Run every trial and report: caps->why gets the sentence for people. */
int kvm_probe(struct engine_caps *caps);
/* Only what a debugger needs to know, found out once: breakpoints, user_breakpoints, watchpoints
 * and steps_into_handlers.  The other fields are not set. */
const struct engine_caps *kvm_known_caps(void);

#endif
