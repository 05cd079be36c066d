/*
 * vm/vm.h -- the monitor: owns the parts of one machine and runs the loop.
 *
 *   vm_new -> vm_load -> vm_run (vm/loop.h) -> vm_free
 *
 * Time, terminals and files are the caller's: they reach the machine through
 * the hooks of struct vm_config, so that this layer needs no operating system.
 * Begin reading with loop.h and vm_step() in loop.c, then exits.c, then pc.c.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "base/types.h"
#include "cpu/delivery.h"
#include "cpu/vcpu.h"
#include "io/device.h"
#include "io/disk.h"
#include "io/oddity.h"
#include "vm/listening.h"
#include "vm/load.h"
#include "vm/stuck.h"

struct trace;
struct vclock;
struct timekeeping;
struct bus;
struct pc;

/*    name         status  one line, for the last words of a run */
#define VM_STOP_LIST(X)                                                              \
    X(RUNNING,       0, "still running")                                             \
    X(EXIT_PORT,     0, "the guest ended the run")                                   \
    X(POWER_OFF,     0, "the guest powered off")                                     \
    X(HALTED,        0, "the guest halted, and nothing is left that could wake it")  \
    X(RESET,         0, "the guest reset the machine (--no-reboot)")                 \
    X(LIMIT_INSNS, 124, "the instruction limit was reached")                         \
    X(LIMIT_EXITS, 124, "the exit limit was reached")                                \
    X(INTERRUPTED, 130, "interrupted")                                               \
    X(TERMINATED,  143, "terminated")                                                \
    X(TRIPLE_FAULT,120, "triple fault: the guest could not deliver a double fault")  \
    X(STRICT,      121, "--strict: the guest did something no device answers")       \
    X(ENGINE,      122, "the engine cannot go on")                                   \
    X(HOST,        125, "the host refused")

enum vm_stop {
#define X(name, status, about) VM_##name,
    VM_STOP_LIST(X)
#undef X
    N_VM_STOPS
};

struct vm_stop_info { const char *name; int status; const char *about; };
extern const struct vm_stop_info vm_stops[N_VM_STOPS];

struct vm_config {
    const struct engine *engine;
    enum mmu_kind mmu;
    uint64_t ram_bytes;             /* a multiple of 1 MiB, at least 1 MiB         */
    uint64_t seed;                  /* RAM holds noise made of it at power-on; 0: zeros */
    uint64_t exit_on;               /* what exits only to be seen: cpu/controls.h  */
    uint64_t limit_insns;           /* 0: none                                     */
    uint64_t limit_exits;           /* 0: none                                     */
    int64_t  rtc_start_s;           /* seconds since 1970 at power-on              */
    uint32_t bios_bytes;            /* of ROM: a size that load_rom_fits(); 0: ours */
    struct disk_image disk[MAX_DISKS];  /* hda to hdd; the descriptors stay the caller's */
    bool     strict, timing, no_reboot;
    bool     magic_break;           /* XCHG BX, BX is a debugger's breakpoint      */
    uint8_t  halt_status;           /* of the process, if the guest halts for good */
    bool     uart_fast;             /* COM1 sends at once, whatever its divisor says */
    bool     no_vmcall;             /* tell guests to use the hypercall port       */
    bool     irq_at_visible_exits;  /* inject only right after I/O, MMIO and HLT: for lockstep */
    struct trace *trace;            /* may be NULL                                 */
    struct char_sink serial, debugcon;

    /* The CPU halted for at least `ns` of virtual time (VCLOCK_NEVER: until
     * input).  Wait or not, take input, and say how much virtual time passed. */
    uint64_t (*idle)(void *arg, uint64_t ns);

    /* Called every POLL_NS of virtual time: look for input. */
    void     (*poll)(void *arg);

    /* Called when the guest begins to poll for input: look for some. */
    void     (*room)(void *arg);

    /* Ask for a kick at this host time; needed by engines that cannot count. */
    void     (*alarm)(uint64_t host_ns);

    /* Where virtual time is measured: what it is to be now; ns is what the host's clock
     * says.  Called before the guest runs and (in_turn) when the CPU has come back.
     * NULL: as the host says. */
    uint64_t (*measured)(void *arg, uint64_t ns);
    void     *hook_arg;

    /* Called before an exit that is logged is answered, if set; with hook_arg. */
    void     (*before_answer)(void *arg, const struct vmexit *x);

    /* Called when an exit is answered by an exception for the guest, if set; with on_fault_arg.
     * The registers are as the instruction found them. */
    void     (*on_fault)(void *arg, const struct vmexit *x);
    void     *on_fault_arg;

    /* Called after every exit was concluded, if set. */
    void     (*after_exit)(void *arg);
    void     *after_exit_arg;

    /* The guest is stuck (vm/stuck.h), if set; may only show it. */
    void     (*stuck)(void *arg, const struct stuck_report *r);
    void     *stuck_arg;
};

/* What a debugger wants of the loop.  It writes, the loop reads.  An exit that only it asked for
 * is neither logged nor counted, and the turn goes on as if it had not been. */
struct debug_wants {
    uint64_t until;         /* an exit at this icount; 0: no                                */
    bool     hold_irqs;     /* inject no interrupts, except one that ends a HLT             */
    bool     no_window;     /* nor ask the engine for an interrupt window                   */
    bool     step;          /* the monitor trap flag was set for the debugger's sake        */
    bool     kick;          /* the next kick is the debugger's; the loop clears it          */
};

/* What the loop tells it. */
struct debug_news {
    bool     woken;         /* the CPU has left HLT for an interrupt that is not injected yet */
    bool     exit;          /* the latest exit was one that only the debugger asked for     */
    uint64_t n_exits;       /* how many of those there were                                 */
};

#define VM_MAX_CPUS 1

/* A write to where no memory is: where to, and by which instruction (linear).  0, 0: none. */
struct lost_write { gpa_t gpa; gla_t at; };

struct vm {
    struct vm_config  cfg;
    struct gmem      *gmem;
    struct hmem      *hmem;         /* what frame numbers in the tables below mean */
    struct nested    *nested;       /* if cfg.mmu == MMU_NESTED on an engine that walks it */
    struct shadow    *shadow;       /* if cfg.mmu == MMU_SHADOW */
    struct dirty     *dirty;
    struct bus       *ports, *mmio;
    struct disk      *disk[MAX_DISKS];  /* hda to hdd; NULL: none */
    struct vclock    *clock;
    struct pc        *pc;
    struct trace     *trace;
    struct delivery_chain crash;    /* of a triple fault that the engine could not see through */
    struct vcpu       vcpu[VM_MAX_CPUS];
    unsigned          n_vcpus;
    const struct timekeeping *time; /* counted or measured: vm/time_source.h */
    struct load_files *files;       /* what a reset loads again  */
    struct load_result  loaded;

    /* Virtual time = time_base + retired instructions (or host time since it). */
    uint64_t time_base_ns, host_base_ns;
    uint64_t next_poll_ns;
    uint64_t alarm_ns, slice_ns;    /* host time of the latest alarm; the least that a guest gets */
    bool     reset_wanted;
    volatile bool pause_wanted;     /* a halted CPU need not wait for its interrupt now */

    enum vm_stop stop;              /* VM_RUNNING while the loop goes on */
    int          status;            /* of the process, once stopped      */
    char         why[160];          /* more about the stop, or empty     */
    uint64_t     n_exits, n_irqs;
    uint64_t     exits_by[N_EXITS];
    uint64_t     n_oddities[N_ODDITIES];    /* what it should not have done: io/oddity.h */
    struct lost_write lost_write;   /* the first one */
    struct listening listening;     /* does it want what is typed? */
    /* Of two machines in lockstep (vm/lockstep.c): */
    bool         in_lockstep;       /* it depends on the other: no snapshot, no going back       */
    uint64_t     sync_insns;        /* exit at every multiple of so many instructions; 0: no     */
    struct vcpu *cpuid_like;        /* the guest is shown no CPU feature that this one lacks     */
    /* Of a recording that is played again: come back at this icount, unlogged; 0: no.           */
    uint64_t     replay_until;
    struct stuck stuck;             /* what repeats itself                                       */
    struct debug_wants debug_wants;
    struct debug_news  debug_news;
    volatile int interrupted;       /* a signal number, set by vm_interrupt() */
};

/* The CPU that runs after power-on.  Used where only one CPU can be meant; code that answers
 * a CPU is given that one.  A macro, so that it is const if vm is. */
#define boot_cpu(vm) (&(vm)->vcpu[0])

#define POLL_NS           1000000u
#define POLL_MEASURED_NS 10000000u      /* where virtual time is the host's */

/* Build a machine around cfg (copied).  NULL and a sentence in why, an empty one if
 * the engine has told the user itself. */
struct vm *vm_new(const struct vm_config *cfg, char *why, size_t n);
void vm_free(struct vm *vm);

/* Load a guest and put the CPU at its entry.  The files are read here and kept for
 * resets; the request's strings must live until vm_free.  0 or -errno and a sentence in why. */
int vm_load(struct vm *vm, const struct load_request *r, char *why, size_t n);

/* Power on: time starts.  vm_run() does it itself. */
void vm_begin(struct vm *vm);

/* Everything as after power-on, and the guest loaded anew (not with cfg.no_reboot: then stop). */
void vm_reset(struct vm *vm);

/* The end of the run, once vm->stop says so: last bytes go out, the trace is told. */
void vm_finish(struct vm *vm);

/* Stop a running machine from a signal handler. */
void vm_interrupt(struct vm *vm, int signo);

/* Have the engine come back to the monitor, of a struct vm; from any thread or
 * signal handler: what host_alarm_init() is given. */
void vm_kick(void *vm);

/* How far the machine has come: instructions retired, or exits where those are not counted. */
uint64_t vm_progress(const struct vm *vm);

/* Where virtual time is the host's: let it go on from now, whatever passed in between. */
void vm_rebase_time(struct vm *vm);

/* Stop now, for this reason; fmt adds to it (NULL: nothing to add). */
void vm_stop(struct vm *vm, enum vm_stop stop, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What a linear address means to the guest now, without touching it; -EFAULT if nothing. */
int vm_read_linear(struct vm *vm, gla_t gla, void *buf, uint64_t len);

/* The code that a CPU in state s stands before: as many of n bytes as are mapped. */
unsigned vm_read_code(struct vm *vm, const struct cpu_state *s, uint8_t *buf, unsigned n);

#endif
