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
 * Three facts about KVM shape the engine:
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

/* One of the CPU's four debug registers, lent to the debugger. */
struct kvm_stop { gla_t at; uint8_t bytes, kind; uint32_t index; /* of data: which it was asked for */ };

/* Where a handler may begin that a step might end in; see step.c. */
struct kvm_landing { gla_t at; uint8_t *hva, was; bool was_laid; /* HLT lies there now, and what did */ };
enum step_kind { STEP_PLAIN, STEP_DELIVERY, STEP_PUSHES, STEP_POPS, STEP_RETURNS, STEP_SYSCALL, STEP_SYSRET,
                 STEP_INT };
#define STEP_COMES 0x100
struct kvm_step {
    enum step_kind     kind;
    uint8_t            bytes;           /* a word of its stack                    */
    uint64_t           flags;           /* before it: RFLAGS                      */
    uint16_t           cs;
    bool               guest_tf;        /* the guest's own TF, while KVM shows none */
    bool               tf_after;        /* and behind the instruction             */
    uint32_t           owes_db;         /* the guest's own trap is still to come: its bits of DR6 */
    bool               harmless;        /* it can neither fault nor be emulated by KVM */
    bool               lost;            /* KVM's TF may be gone: ask for it again */
    bool               lands;           /* that is tried and works                */
    bool               late_halt;       /* KVM may tell of a HLT that was stepped, later */
    unsigned           coming;          /* STEP_COMES and a vector: what was injected */
    struct kvm_landing landing[16];
    unsigned           n_landings;
};
/* Whether an OUT has moved RIP when the exit is seen depends on the host's KVM
 * and on the path taken; learned from exits that leave no doubt. */
enum out_moves { OUT_UNKNOWN, OUT_MOVED, OUT_NOT_MOVED };

struct kvm_cpu {
    int               dev, vm, fd;          /* /dev/kvm, the VM, the vCPU            */
    struct kvm_run   *run;                  /* shared with the kernel                */
    size_t            run_bytes;
    struct kvm_pager *pager;                /* NULL: first touches are not seen      */
    char              no_pager_why[160];
    pthread_t         thread;               /* that made it and runs it                */
    atomic_bool       kicked;
    uint64_t          deadline_ns;          /* host time: kick ourselves; 0: never   */
    struct controls   controls;
    bool              tsc_scaled;           /* the guest's TSC ticks at 1 GHz        */
    int               tsc_khz;              /* what it ticks at instead; 0: it does  */
    struct kvm_cpuid2 *host_cpuid;          /* all that this KVM can show            */

    bool              have_exit;            /* the kernel stopped; not fully answered */
    unsigned          part, parts;          /* of that exit, in records              */
    bool              half;                 /* answered, but not finished by KVM     */
    bool              of_kvm;               /* the record stands for KVM's exit      */
    bool              in_record;            /* between run() and conclude()          */
    int64_t           rip_ahead;            /* how far KVM's RIP is past the record's */
    enum out_moves    out_moves;
    uint64_t          entry_rip;            /* where the last KVM_RUN began          */
    bool              entered;              /* there was one                         */
    uint64_t          last_io_rip;          /* of the last record about a port       */

    bool              logs_dirty;           /* the kernel was told to; what it tells */
    uint64_t         *dirty_bitmap;         /* comes here.  NULL: it did not want to */
    bool              stale;                /* others have written to guest memory   */

    struct kvm_guest_debug debug;           /* as KVM was told last                  */
    struct kvm_stop   stop[4];
    unsigned          n_stops;
    unsigned          data_stops, hits;     /* which of them are about data; and were met, to be told */
    bool              owes_step;            /* the step that met them: to be told    */
    bool              told;                 /* the code stop at told_at: not twice   */
    gla_t             told_at;
    struct kvm_step   step;
    bool              trial;                /* what works is being found out         */
};

/* The signal that makes KVM_RUN return; its handler does nothing. */
#define KVM_KICK_SIGNAL (SIGRTMIN + 1)

/* kvm.c */
int  kvm_settle(struct kvm_cpu *k);
int  kvm_mirror_registers(struct kvm_cpu *k);
int  kvm_queue_exception(struct kvm_cpu *k, const struct event *e);

/* debug.c */
int  kvm_set_stops(struct vcpu *v, const struct debug_stops *d);
int  kvm_debug_choose(struct kvm_cpu *k);               /* tell KVM what is wanted now */
bool kvm_debug_steps(struct kvm_cpu *k);                 /* one instruction is to be stepped */
bool kvm_stepping(const struct kvm_cpu *k);              /* KVM has been told so */
int  kvm_debug_suspend(struct kvm_cpu *k);              /* steps and stops: none until */
/* The CPU came here by another way than by running; told: a code stop here is known. */
int  kvm_debug_elsewhere(struct kvm_cpu *k, bool told);
bool kvm_debug_due(struct kvm_cpu *k, struct vmexit *x);        /* there is something to tell without running */
bool kvm_debug_record(struct vcpu *v, struct vmexit *x);     /* of KVM_EXIT_DEBUG; false: it is not ours */
bool kvm_debug_is_unseen(struct vcpu *v);            /* a step over a breakpoint */
gla_t kvm_pc(const struct kvm_cpu *k);

/* step.c */
void kvm_step_begin(struct vcpu *v);                    /* look at what is about to run */
void kvm_step_lay(struct vcpu *v);                      /* last thing before KVM_RUN */
bool kvm_step_end(struct vcpu *v, bool exited);         /* first thing after it; true: it ended in a handler */
int  kvm_step_trap(struct vcpu *v);                     /* #DB for the guest's own TF */

/* exits.c */
void kvm_record(struct vcpu *v, struct vmexit *x);
bool kvm_stepped_over_hlt(struct vcpu *v);
bool kvm_is_late_halt(struct vcpu *v);
void kvm_answer(struct vcpu *v, const struct vmexit *x, enum verdict verdict);

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
unsigned kvm_code_bytes(const struct kvm_cpu *k);
void *kvm_hva(const struct vcpu *v, gla_t gla, size_t n, unsigned access);      /* NULL: not mapped */
size_t kvm_fetch(const struct vcpu *v, uint64_t rip, uint8_t *buf, size_t n);
int  kvm_get_state(struct vcpu *v, unsigned groups, struct cpu_state *s);
int  kvm_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *s);

#define KVM_N_MSRS 11
int  kvm_get_msrs(struct kvm_cpu *k, uint64_t value[KVM_N_MSRS]);
int  kvm_put_msrs(struct kvm_cpu *k, const uint64_t value[KVM_N_MSRS]);  /* how many the kernel did not want */

/* save.c */
void kvm_save_all(struct vcpu *v, struct bytes_out *o);
int  kvm_load_all(struct vcpu *v, struct bytes_in *in);
void kvm_drop(struct vcpu *v);

/* dirty.c */
void kvm_collect_dirty(struct vcpu *v);
void kvm_forget_tables(struct vcpu *v);
void kvm_forget_range(struct vcpu *v, gpa_t gpa, uint64_t len);
void kvm_renew_tables(struct vcpu *v);          /* what was to be forgotten goes */

/* pager.c */
struct touch { gpa_t gpa; bool write; };
struct kvm_pager *pager_new(const struct gmem *m, char *why, size_t n);
void  pager_free(struct kvm_pager *p);
void *pager_hva(const struct kvm_pager *p, size_t region);     /* what KVM is to map */
int   pager_start(struct kvm_pager *p, void (*notify)(void *arg), void *arg);
void  pager_mark_touched(const struct kvm_pager *p, size_t region, struct dirty *d);
void  pager_again(struct kvm_pager *p, gpa_t gpa, bool again);  /* is its next touch the first? */
void  pager_forget_notes(struct kvm_pager *p);
bool  pager_take(struct kvm_pager *p, struct touch *t);        /* the next first touch */

/* setup.c: 0 or -errno. */
int kvm_set_slot(struct vcpu *v, size_t region, uint32_t flags);
int kvm_setup_vm(struct kvm_cpu *k, struct vcpu *v);
int kvm_setup_vcpu(struct kvm_cpu *k, struct vcpu *v);
void kvm_limit_cpuid(struct vcpu *v, uint32_t leaf, uint32_t out[4]);

/* probe.c */
int kvm_probe(struct engine_caps *caps);
/* Of them breakpoints, user_breakpoints, watchpoints and steps_into_handlers: for who has no time for all. */
const struct engine_caps *kvm_known_caps(void);

/* Open /dev/kvm: a descriptor, or -errno with the sentence in why. */
int kvm_open(char *why, size_t n);

#endif
