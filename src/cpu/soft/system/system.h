/*
 * cpu/soft/system/system.h -- what the files of the system half share.
 *
 * Descriptors as they lie in memory, the stack of a transfer that is not yet
 * committed, and the faults that carry selectors.  See soft.h for who is who.
 */
#ifndef CPU_SOFT_SYSTEM_SYSTEM_H
#define CPU_SOFT_SYSTEM_SYSTEM_H

#include "cpu/soft/soft.h"

/* ---- modes ---- */

static inline bool real_mode(const struct soft *s)
{
    return !(s->cr0 & CR0_PE);
}

static inline bool v86_mode(const struct soft *s)
{
    return (s->flags & FLAG_VM) && !real_mode(s);
}

static inline bool long_mode(const struct soft *s)
{
    return s->efer & EFER_LMA;
}

static inline bool code64(const struct soft *s)
{
    return s->mode == MODE_LONG64;
}

static inline unsigned iopl(const struct soft *s)
{
    return (unsigned)(s->flags >> 12) & 3;
}

static inline bool canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* Is an event being delivered that no instruction asked for?  Then a fault on the way sets EXT in
 * its error code.  [SDM 3A "Error Code"] */
static inline bool delivers_external(const struct soft *s)
{
    return s->delivering.type != EVENT_NONE && s->delivering.type != EVENT_SOFTWARE;
}

/* Leave for the monitor with s->x filled in; conclude() will find u. */
_Noreturn void system_leave(struct soft *s, const struct uop *u);

/* #GP(0) unless at CPL 0 (always so in real mode, never in V86). */
void require_cpl0(struct soft *s);

/* ---- descriptors (segment.c)  [SDM 3A "Segment Descriptors"] ---- */

/* System descriptor types  [SDM 3A "System Descriptor Types"] */
enum {
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK_GATE = 5,
    SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12,
    SYS_INT32 = 14, SYS_TRAP32 = 15
};
enum { TSS_BUSY = 2 };          /* in the type of a TSS */

struct descriptor {
    gla_t    at;                /* where it lies                                */
    uint64_t raw, upper;        /* upper: of a 16-byte one in long mode         */
    uint16_t sel;
};

static inline unsigned desc_type(const struct descriptor *d)    { return d->raw >> 40 & 15; }
static inline unsigned desc_dpl(const struct descriptor *d)     { return d->raw >> 45 & 3; }
static inline bool desc_present(const struct descriptor *d)     { return d->raw >> 47 & 1; }
static inline bool desc_system(const struct descriptor *d)      { return !(d->raw >> 44 & 1); }
static inline bool desc_long(const struct descriptor *d)        { return d->raw >> 53 & 1; }
static inline bool desc_big(const struct descriptor *d)         { return d->raw >> 54 & 1; }

static inline bool desc_code(const struct descriptor *d)
{
    return !desc_system(d) && (desc_type(d) & 8);
}

static inline bool desc_conforming(const struct descriptor *d)
{
    return desc_code(d) && (desc_type(d) & 4);
}

static inline bool desc_writable(const struct descriptor *d)
{
    return !desc_system(d) && !(desc_type(d) & 8) && (desc_type(d) & 2);
}

static inline bool desc_readable(const struct descriptor *d)
{
    return !desc_system(d) && (!(desc_type(d) & 8) || (desc_type(d) & 2));
}

static inline bool null_selector(uint16_t sel)
{
    return !(sel & 0xfffc);
}

/* The descriptor sel names, or false if its table does not reach that far. */
bool desc_fetch(struct soft *s, uint16_t sel, struct descriptor *d);

/* The same of an LDT or a TSS, which only the GDT can hold: false, too, if sel names the LDT. */
bool desc_fetch_global(struct soft *s, uint16_t sel, struct descriptor *d);

/* In long mode, system descriptors have 16 bytes: fetch the rest.  False:
 * beyond the table, or its type field is not 0. */
bool desc_fetch_upper(struct soft *s, struct descriptor *d);

/* The hidden part it gives; with `upper` in the base if that was fetched. */
struct segment desc_segment(const struct descriptor *d);

void desc_set_accessed(struct soft *s, struct descriptor *d);
void desc_set_busy(struct soft *s, struct descriptor *d, bool busy);

/* A gate's fields  [SDM 3A "Call Gates", "IDT Descriptors"] */
static inline uint16_t gate_sel(const struct descriptor *d)     { return (uint16_t)(d->raw >> 16); }

static inline uint64_t gate_offset(const struct descriptor *d, bool wide)
{
    uint64_t low = d->raw & 0xffff;
    return wide ? d->upper << 32 | (d->raw >> 48) << 16 | low : low;
}

/* #GP(0), with EXT as above, because of `why` (see soft.h). */
_Noreturn void gp_because(struct soft *s, enum obstacle why, uint64_t at);
/* fault_because() for a selector, which is the place and the error code, with EXT as above. */
_Noreturn void fault_sel_because(struct soft *s, enum obstacle why, unsigned vector, unsigned sel);
/* The same for a selector whose descriptor was asked for and does not serve: because its table is
 * too short, if it is, and else because of `why`. */
_Noreturn void fault_desc(struct soft *s, enum obstacle why, unsigned vector,
                          const struct descriptor *d);

/* ---- deliveries that fail (undelivered.c) ---- */

/* *e is about to be delivered, not for the second time: if that fails, it begins a chain, whose
 * cause is what s->raised was raised for. */
void undelivered_begin(struct soft *s, const struct event *e);

/* Delivering `first` to the instruction at s->rip has raised `second`: remember and log that. */
void undelivered_add(struct soft *s, const struct event *first, const struct event *second);

/* s->raised has just come out of instruction u (may be NULL).  Is u an INT that could not be
 * delivered?  Then *e is its event. */
bool undelivered_is_int(const struct soft *s, const struct uop *u, struct event *e);

/* A segment of real or V86 mode: base from the selector, the rest as before
 * (real) or fixed (V86). */
struct segment real_segment(const struct soft *s, enum seg seg, uint16_t sel);
struct segment null_segment(uint16_t sel, unsigned dpl);

/* After a return to an outer ring: data segments it may not have become null. */
void drop_inner_segments(struct soft *s);

/* ---- where a transfer goes (far.c) ---- */

/* #GP(0) (with EXT) if rip lies outside cs: limit, or canonical for 64-bit code. */
void check_target(struct soft *s, const struct segment *cs, uint64_t rip);
void enter_code(struct soft *s, const struct segment *cs, uint64_t rip);

/* ---- the stack of an unfinished transfer (far.c) ---- */

struct stack {
    struct segment ss;
    uint64_t sp;
    unsigned width;             /* bytes of SP that count: 2, 4, 8       */
    unsigned access;            /* WALK_USER or 0                        */
    uint16_t error;             /* #SS carries it: 0, or a new SS        */
};

struct stack stack_current(const struct soft *s);

/* #SS if n elements of `size` cannot be pushed: nothing is written. */
void stack_require(struct soft *s, const struct stack *st, unsigned n, unsigned size);
void stack_push(struct soft *s, struct stack *st, unsigned size, uint64_t value);
uint64_t stack_pop(struct soft *s, struct stack *st, unsigned size);
void stack_skip(struct stack *st, unsigned bytes);      /* RET n */
void stack_commit(struct soft *s, const struct stack *st);      /* SS and RSP become it */

/* The TSS's stack for ring cpl, all of #TS and #SS checked. */
struct stack tss_stack(struct soft *s, unsigned cpl);
/* In long mode: RSPn for n 0..2, ISTn for 3 + n. */
struct stack tss_stack64(struct soft *s, unsigned slot, unsigned cpl);

/* SS checks of a return to an outer ring, where cs is the code segment returned to. */
struct stack outer_stack(struct soft *s, uint16_t sel, uint64_t sp, const struct segment *cs);

/* The code segment a RETF or IRET returns to, all checked but the offset. */
struct segment return_code(struct soft *s, uint16_t sel);

/* ---- tasks (task.c) ---- */

/* The second half of a switch, as s->arrival describes it. */
void task_arrive(struct soft *s);

enum task_cause { TASK_JMP, TASK_CALL, TASK_INT, TASK_IRET };

/* Switch to the task of TSS descriptor d or task gate `gate`; with an error code
 * to push, or NULL. */
void task_switch(struct soft *s, struct descriptor *d, enum task_cause cause,
                 const uint32_t *error);
void task_gate(struct soft *s, const struct descriptor *gate, enum task_cause cause,
               const uint32_t *error);
void task_return(struct soft *s);                       /* IRET with NT set */

/* ---- control registers and MSRs ---- */

/* As MOV to CRn, with its faults but not its privilege check or exits. */
void write_cr(struct soft *s, unsigned nr, uint64_t value);
void write_dr(struct soft *s, unsigned nr, uint64_t value);
/* #DB if the guest guards its debug registers (DR7.GD). */
void check_dr_guard(struct soft *s);
/* #GP(0) if these PDPTEs cannot be loaded. */
void check_pdptes(struct soft *s, uint64_t cr0, uint64_t cr3, uint64_t cr4);
void finish_invlpg(struct soft *s, gla_t gla);

/* The engine's own MSRs; false if index is not one of them. */
bool msr_write(struct soft *s, uint32_t index, uint64_t value);   /* may #GP(0) */

/* The guest half of an I/O access that the monitor has made; true: the
 * instruction is over (else a REP that goes on). */
bool finish_io(struct soft *s, const struct uop *u, const struct vmexit *x);

/* INT n in V86 mode may stay in V86 mode: true if it did. */
bool deliver_v86_redirected(struct soft *s, unsigned vector);

/* ---- the handlers, by file; the table is in table.c ---- */

op_fn op_mov_sreg, op_pop_sreg, op_push_sreg, op_load_far_pointer, op_lldt, op_ltr, op_lar,
    op_lsl, op_verr, op_verw, op_arpl;
op_fn op_jmp_far, op_call_far, op_ret_far;
op_fn op_int, op_int3, op_int1, op_into, op_iret;
op_fn op_mov_cr, op_mov_dr, op_clts, op_lmsw, op_smsw, op_lgdt, op_lidt, op_sgdt, op_sidt,
    op_sldt, op_str, op_invlpg, op_wbinvd, op_cli, op_sti, op_clac, op_stac, op_hlt,
    op_undefined_system, op_rdpmc, op_swapgs, op_fsgsbase, op_cpuid, op_vmcall;
op_fn op_rdmsr, op_wrmsr, op_rdtsc, op_rdtscp;
op_fn op_sysenter, op_sysexit, op_syscall, op_sysret;
op_fn op_in, op_out, op_ins, op_outs;
op_fn op_fxsave, op_fxrstor, op_ldmxcsr, op_stmxcsr;

#endif
