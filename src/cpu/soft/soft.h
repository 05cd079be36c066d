/*
 * cpu/soft/soft.h -- the interpreter's own view of one x86 CPU in VMX non-root mode.
 *
 * Where things are:
 *   soft.c     the engine struct;  run.c  the run loop;  raise.c  exceptions are raised
 *   exits.c    leaving for the monitor;  conclude.c  what becomes of the instruction then
 *   build_block.c  bytes -> a block of struct uop;  choose.c  the handler of each
 *   block.c, code_page.c  the cache of decoded blocks
 *   tlb.c      linear -> host translation, all memory access
 *   mode.c     real, protected, 64-bit ...;  state.c, save.c  registers out and in
 *   debug.c    a debugger's stops;  insn_log.c  the log of all instructions
 *   ops/       instructions of user programs, one family a file
 *     x87.c    floating point;  x87_env.c, x87_host.S
 *     sse.c    MMX, SSE and SSE2;  sse_table.c, sse_host.S
 *   system/    instructions of kernels, and what the CPU does by itself
 *     segment.c  descriptors and segment loads;  far.c  far transfers and gates;  task.c  TSS
 *     deliver.c    delivery of interrupts and exceptions;  iret.c  the way back
 *     fxsave.c   FXSAVE and FXRSTOR
 *     table.c    the table of all handlers there
 *
 * An instruction either completes or leaves no trace in registers: handlers make every
 * access that can fault before they change one (or put it back).  Nor does it in memory,
 * but for what lies below the stack pointer: PUSHA, ENTER and CALL to another segment
 * push word by word, and a fault at the third leaves two, on processors as here.
 * A fault or an exit in mid-instruction leaves by longjmp: fault_because(),
 * soft_leave().
 */
#ifndef CPU_SOFT_SOFT_H
#define CPU_SOFT_SOFT_H

#include <setjmp.h>

#include "base/bytes.h"
#include "base/types.h"
#include "base/x86.h"
#include "cpu/decode.h"
#include "cpu/delivery.h"
#include "cpu/insn_event.h"
#include "cpu/soft/ops/x87.h"
#include "cpu/vcpu.h"
#include "mem/walk.h"

struct soft;
struct uop;

/* An instruction handler. */
typedef void op_fn(struct soft *s, const struct uop *u);

struct block;
struct sse_op;

/* The second half of a task switch (system/task.c): the new task is the current one, but its page
 * tables, segments and error code are still to be loaded. */
struct task_arrival {
    bool     pending;
    bool     wide;              /* its TSS is a 32-bit one                                     */
    bool     trap;              /* the T bit of the TSS: #DB before its first instruction      */
    bool     has_error;
    bool     by_insn;           /* an instruction has asked for the switch, and has retired    */
    bool     steps;             /* it ran under TF: its trap comes at the end                  */
    bool     software;          /* `event` was delivered as an INT n is                        */
    uint32_t error;             /* to be pushed                                                */
    uint64_t cr3;
    uint16_t seg[N_SEGS], ldt;
    struct event event;         /* that was delivered through a task gate; EVENT_NONE: none    */
    uint64_t from, retired;     /* where and when, for the log                                 */
    struct code_segment from_cs;
};

/* One decoded instruction: a cache line.  Registers are indices into soft.gpr;
 * byte registers are byte offsets into it (AH is offset 1).  For user-mode
 * integer operations rm is the destination and reg the source of "op reg, reg";
 * for system operations they are ModRM.rm and ModRM.reg, with REX. */
struct uop {
    op_fn   *fn;
    uint64_t imm;               /* sign-extended immediate, branch target, far offset */
    int64_t  disp;
    union {
        struct block *link[2];  /* where a direct branch goes: taken, not taken */
        struct {                /* of a system operation only:                  */
            op_fn *sys;         /* its handler                                  */
            uint16_t opcode;    /* 0xNN, or 0x0fNN                              */
        };
        struct {                /* of MMX and SSE only (sse.h):                 */
            const struct sse_op *sse;
            const uint8_t *host;        /* what the host runs for it            */
        };
    };
    uint16_t imm2;              /* far selector, ENTER level                 */
    uint16_t off;               /* from the start of the block               */
    uint16_t mnemonic;          /* ZydisMnemonic                             */
    uint8_t  len;               /* of the instruction, bytes                 */
    uint8_t  left;              /* instructions from here to the block's end */
    uint8_t  opsize;            /* effective operand size: 1, 2, 4, 8        */
    uint8_t  asize;             /* effective address size: 2, 4, 8           */
    uint8_t  reg;               /* the register operand, or Sreg/CR/DR number */
    uint8_t  rm;                /* the other one, if !mem                    */
    uint8_t  reg8, rm8;         /* byte offsets, for 8-bit operands          */
    bool     mem;               /* the r/m operand is in memory              */
    uint8_t  seg;               /* enum seg, after overrides                 */
    uint8_t  base, index, scale;/* NO_REG if absent; scale is 1, 2, 4 or 8   */
    bool     rep, repne, lock;
    uint8_t  av;                /* enum addressing (exec.h), if mem          */
    uint8_t  n_uops;            /* first of a block only                     */
};
_Static_assert(sizeof(struct uop) == 64, "a micro-operation fills a cache line");

struct soft {
    /* -- hot: what most instructions touch -- */
    uint64_t gpr[N_GPRS + 1];   /* gpr[NO_REG] is always 0                    */
    uint64_t rip;               /* see soft_system_op()                       */
    const struct uop *cur;      /* the instruction being executed; NULL: between two */
    struct block *block;        /* the one cur is in                          */
    const struct uop *next;     /* what to run next, where handlers return (see exec.h) */
    struct tlb_entry *tlb_now;  /* the TLB of the current privilege           */
    uint64_t icount;            /* retired, plus the rest of the current block */
    _Atomic uint64_t icount_limit;      /* 0: somebody wants attention        */
    uint64_t restart_rip;       /* of that instruction: faults and soft_leave() put rip
                                 * back to it.  A task switch moves it to the new task */

    /* Lazy arithmetic flags: see flags.h.  flags holds everything else.
     * Others use soft_flags() and soft_set_flags(). */
    uint64_t cc_result, cc_src, cc_dst;
    uint32_t cc_op;
    uint64_t flags;

    struct segment seg[N_SEGS];
    bool     flat;              /* CS DS ES SS: base 0, limit 4 GiB, usable: no checks needed */
    uint8_t  cpl;
    uint8_t  mode;              /* enum cpu_mode */

    struct table_reg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer;
    uint64_t dr[8];
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, pat;
    struct fxsave fpu;          /* x87.c, sse.c: FXSAVE64's image                              */

    /* -- between instructions -- */
    bool     irq_shadow;        /* after STI, MOV SS, POP SS: no interrupt for one instruction */
    bool     db_shadow;         /* after MOV SS, POP SS: no #DB either                         */
    bool     halted;
    uint64_t pending_db;        /* DR6 bits of a trap to deliver after this instruction        */
    uint64_t kept_db;           /* B0-B3 that were pending before it: what a fault goes back to */
    struct event inject;        /* from the monitor, for the next entry                        */
    struct event delivering;    /* being delivered now: what makes a second fault double       */
    struct task_arrival arrival;
    bool     ac_in_delivery;    /* and #AC came up on the way: a second one would be endless   */

    /* -- an exit in the making -- */
    struct controls ctl;
    struct vmexit  *x;          /* where run() was told to put it                              */
    struct uop      left;       /* the system instruction that exited, for conclude()          */
    bool     late_input;        /* INS was answered but its destination is gone: value kept    */
    uint64_t late_input_at, late_input_value;
    uint64_t supplied[32];      /* MMIO values from the monitor, for the re-executed instruction */
    unsigned n_supplied, next_supplied;

    jmp_buf  escape;            /* back to the run loop                                        */
    struct vcpu *v;

    struct soft_tlb    *tlb;    /* tlb.c's own   */
    struct soft_blocks *blocks; /* block.c's own */
    struct jump_entry  *jumps;  /* block.c: blocks by RIP                                      */
    uint64_t code_ctx;          /* CS base and mode: which blocks fit (soft_mode_changed)      */
    struct code_segment code;   /* for the trace: CS as soft_mode_changed() saw it last        */
    uint32_t map_gen;           /* counts TLB flushes: older jump entries are void             */
    bool     watching;          /* DR7 has data breakpoints, or #AC is on: no fast accesses    */
    bool     single;            /* blocks of one instruction                                   */
    bool     in_system;         /* a system operation is under way: restart_rip counts         */
    bool     in_shadow;         /* the current instruction runs in the irq_shadow              */
    _Atomic bool kicked;
    uint64_t icount_end;        /* where the budget ends                                       */

    /* -- a log of every instruction (insn_log.c) -- */
    bool     log_insns;         /* the trace wants INSN events                                 */
    uint64_t logged_icount, logged_rip;     /* so far; and where the next one to log began     */
    struct code_segment logged_code;
    struct insn_event logged_insn;          /* its bytes                                       */
    uint64_t logged_gpr[16];
    struct event raised;        /* by fault_because(), for the run loop                        */

    /* -- a debugger's stops, hidden from the guest (debug.c) -- */
    struct soft_debug *debug;   /* NULL: there never were any                                  */
    bool     debug_code, debug_data, debug_range, debug_magic;      /* it has such             */
    bool     touched;           /* a data stop: to be told                                     */
    bool     creep;             /* the next instruction touches one: alone                     */

    /* -- why an exception was raised, and deliveries that failed (undelivered.c) -- */
    uint64_t obstacle;          /* enum obstacle of s->raised                                  */
    uint64_t obstacle_at;
    struct delivery_chain undelivered;
    struct event interrupted_int;       /* the INT whose delivery met the fault that the monitor
                                         * is asked about; type EVENT_NONE: no INT            */
};

/* ---- the guest's own breakpoints (system/debug_regs.c) ---- */

/* Accesses that a breakpoint can stop, as a set of values of DR7's field R/W.
 * [SDM 3B "Debug Control Register (DR7)"] */
enum { BREAK_WRITE = BIT(1) | BIT(3), BREAK_PORT = BIT(2), BREAK_READ = BIT(3) };

/* The breakpoints that an access to `size` bytes at `at` meets, a linear address or a port: bits
 * B0 to B3 of DR6.  Their #DB is a trap: it comes after the instruction. */
uint64_t breakpoints_met(const struct soft *s, unsigned kinds, uint64_t at, unsigned size);

/* ---- leaving an instruction (raise.c, exits.c) ---- */

/* Raise an exception at the current instruction: state as before it.  VECTOR_LIST says whether
 * `error` is pushed.  `why` and `at` are for people who ask later what was wrong
 * (cpu/refusal.h, cpu/delivery.h); the guest sees nothing of them. */
_Noreturn void fault_because(struct soft *s, enum obstacle why, uint64_t at, unsigned vector,
                             uint32_t error);
/* The same for #PF, whose error code says why; CR2 is set when it is delivered. */
_Noreturn void soft_page_fault(struct soft *s, gla_t gla, uint32_t error);

/* Fill in the common part of s->x (reason, rip, len, bytes) for an exit at the
 * current instruction, zero the rest, and return it. */
struct vmexit *soft_exit_record(struct soft *s, enum exit_reason reason);

/* Return to the monitor; RIP stays at the instruction.  conclude() retires it. */
_Noreturn void soft_leave(struct soft *s);

/* Back to before the current instruction, and execute it anew, alone. */
_Noreturn void soft_again(struct soft *s);

/* ---- a debugger's stops (debug.c) ---- */

int  soft_set_debug(struct vcpu *v, const struct debug_stops *asked);
void debug_free(struct soft *s);
/* Is there a code stop here that was not told yet?  Then there is an exit record. */
bool debug_tell_code(struct soft *s, gla_t pc);
/* The first of n ascending addresses that is not below `from`, as an index; n: none. */
size_t debug_first_at(const gla_t *code, size_t n, gla_t from);
/* From `from` to the first code stop, `bytes` at most. */
unsigned debug_bytes_to_stop(const struct soft *s, gla_t from, unsigned bytes);
/* If s->debug_range: do these bytes lie in it? */
bool debug_in_range(const struct soft *s, gla_t from, unsigned bytes);
/* Has the page of gla, which is that of gpa, a byte that is watched for such an ACCESS_? */
bool debug_watches(const struct soft *s, gla_t gla, gpa_t gpa, unsigned access);
/* If s->debug_magic: XCHG BX, BX is being executed. */
void debug_magic(struct soft *s);
/* If s->debug_data: an access is about to be made, to this linear or guest-physical address. */
void debug_touch(struct soft *s, bool physical, uint64_t at, unsigned size, unsigned access);
void debug_untouch(struct soft *s);     /* the instruction has not happened */
void debug_elsewhere(struct soft *s);   /* another state was loaded: no stop was told here */
/* If s->touched: the exit record. */
void debug_tell_data(struct soft *s);

/* ---- the log of instructions (insn_log.c) ---- */

void insn_log_begin(struct soft *s);    /* run() is entered: does the trace want it? */
void insn_log_retired(struct soft *s);  /* log the instruction that began last, if it has retired */
void insn_log_start(struct soft *s, const struct block *b);    /* that of b begins */
void insn_log_skip(struct soft *s);     /* what changed since is not an instruction's doing */

/* ---- snapshots (save.c) ---- */

void soft_save_all(struct vcpu *v, struct bytes_out *o);
int  soft_load_all(struct vcpu *v, struct bytes_in *in);

/* ---- memory (tlb.c) ---- size 1, 2, 4, 8 */

/* Through a segment, with limit, type and canonical checks, at the current CPL. */
uint64_t soft_load(struct soft *s, enum seg seg, uint64_t off, unsigned size);
void soft_store(struct soft *s, enum seg seg, uint64_t off, unsigned size, uint64_t value);

/* Linear, at the privilege of `access` (WALK_USER or not; WALK_SYSTEM for
 * descriptor tables and TSS).  WALK_WRITE with load: an RMW, faults as a write. */
uint64_t soft_lin_load(struct soft *s, gla_t gla, unsigned size, unsigned access);
void soft_lin_store(struct soft *s, gla_t gla, unsigned size, uint64_t value, unsigned access);

/* Fault now if [gla, gla+len) could not be accessed so (WALK_WRITE or not).  Up to 8 bytes are one
 * access, whose alignment counts; more are a range.  An instruction that stores a range in
 * parts probes all of it first: then no part can fault, and memory never has some of them. */
void soft_lin_probe(struct soft *s, gla_t gla, unsigned len, unsigned access);

/* The offset the memory operand of u means, truncated to its address size. */
uint64_t soft_ea(const struct soft *s, const struct uop *u);

/* Linear address of seg:off with all segment checks for `access` (WALK_WRITE or
 * not, WALK_FETCH); faults with #GP(0) or #SS(0). */
gla_t soft_linear(struct soft *s, enum seg seg, uint64_t off, unsigned size, unsigned access);

void soft_tlb_flush(struct soft *s, bool globals_too);
void soft_tlb_flush_page(struct soft *s, gla_t gla);

/* ---- registers (flags.c, memory_operand.c, mode.c) ---- */

uint64_t soft_flags(struct soft *s);                    /* RFLAGS, arithmetic flags worked out */
void soft_set_flags(struct soft *s, uint64_t rflags);   /* all of them; bit 1 forced to 1      */

/* Operand r/m of u at `size` (memory or register); 32-bit register writes zero the upper half. */
uint64_t soft_read_rm(struct soft *s, const struct uop *u, unsigned size);
uint64_t soft_read_reg(const struct soft *s, unsigned reg, unsigned size);      /* size 2, 4, 8 */
void soft_write_reg(struct soft *s, unsigned reg, unsigned size, uint64_t value);

/* Whoever changes CR0, CR4, EFER, DR7, RFLAGS.VM or a segment but FS and GS calls
 * this: works out mode, cpl and flat; emits TRACE_MODE if the mode changed.  The CPL is SS.DPL,
 * as in a VMCS: every load of SS, also a null one, keeps it there. */
void soft_mode_changed(struct soft *s);

/* Stack of the current mode: width of SP by SS.B or 64-bit mode; size is the operand's. */
void soft_push(struct soft *s, unsigned size, uint64_t value);
uint64_t soft_pop(struct soft *s, unsigned size);

/* ---- system side (segment.c, far.c, task.c, deliver.c ...) ---- */

/* Deliver through the IDT (or IVT): pushes s->rip, which the caller has put at
 * the instruction for a fault or at the next one for a trap, interrupt or
 * software INT.  May itself fault (longjmp): the run loop then escalates. */
void soft_deliver(struct soft *s, const struct event *e, bool software);

/* Go on with the task switch that an exit has interrupted: s->arrival.pending.  May fault or exit
 * again. */
void soft_arrive(struct soft *s);

/* A fault *e happened while s->delivering was under way: *e becomes what to
 * deliver instead (possibly #DF), or false: triple fault. */
bool soft_escalate(struct soft *s, struct event *e);

/* Handlers of all instructions that are not user-mode integer code, for the
 * decoder: NULL if the system side does not handle the mnemonic.  Of JMP, CALL
 * and RET it is the far form's, of MOV the one of Sreg, CR and DR, of POP and
 * PUSH the one of Sreg: ask for those only then.  Such an instruction ends its
 * block.  (Of u it uses opcode, opsize, asize, imm, imm2, reg, rm, mem, len, rep,
 * repne, seg and soft_ea().)  When its handler is called s->rip is already at
 * the next instruction and s->cur is u; the handler may change s->rip.  On a
 * fault or exit the run loop puts s->rip back to the instruction.
 * *steady: see op_steady in exec.h. */
op_fn *soft_system_op(unsigned mnemonic, bool *steady);

/* Carry out a verdict on exit x.  What run() must find out from what it leaves:
 *   s->inject       REFLECT, or a fault of the access itself: deliver it.  If
 *                   s->delivering is set it happened during that: soft_escalate() first
 *   s->delivering   alone: the exit was in mid-delivery (RETRY): deliver it again
 *   s->pending_db   a trap (TF) after the instruction that was retired
 * EFLAGS.RF: run() clears it before it executes an instruction; delivery pushes
 * it set for faults, IRET may load it. */
void soft_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict);

#endif
