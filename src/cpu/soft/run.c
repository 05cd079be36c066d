/*
 * cpu/soft/run.c -- the engine struct, and the loop that everything returns to.
 *
 * The loop stands between instructions.  It sees to what can only happen
 * there -- traps, the interrupt window, the budget, a kick -- then runs a block;
 * blocks run on into others by themselves (exec.h) and come back when they
 * cannot: a system operation, code not yet decoded, the budget nearly used up.
 *
 * The count of instructions is exact.  A block is counted when it is entered;
 * who leaves in the middle takes back what did not run (uop.left).  When the
 * rest of the budget does not cover a block, or something must happen after the
 * very next instruction (TF, MTF, breakpoints, an interrupt shadow, a device
 * access that is being repeated), blocks of a single instruction are used.
 *
 * A fault or an exit in mid-instruction comes back by longjmp: setjmp is done
 * once in run(), not per instruction.  A delivered exception counts as one
 * instruction, so that no guest can loop without using up its budget.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <Zydis/Mnemonic.h>

#include "base/host.h"
#include "base/trace.h"
#include "cpu/soft/exec.h"

enum { ESCAPE_FAULT = 1, ESCAPE_EXIT, ESCAPE_AGAIN };

/* ---- leaving an instruction ---- */

/* Back to before the current instruction. */
static void unwind(struct soft *s)
{
    if (!s->cur)
        return;
    /* A task switch moves restart_rip: its later faults belong to the new task. */
    s->rip = s->in_system ? s->restart_rip : rip_mask(s, uop_rip(s, s->cur));
    s->icount -= s->cur->left;
    /* Data breakpoints it hit will be hit again, or not at all. */
    s->pending_db = (s->pending_db & ~UINT64_C(15)) | s->kept_db;
    s->kept_db = 0;
    s->cur = NULL;
    s->in_system = false;
}

_Noreturn static void raise(struct soft *s, const struct event *e)
{
    s->raised = *e;
    longjmp(s->escape, ESCAPE_FAULT);
}

static bool has_error_code(unsigned vector)
{
    static const uint32_t with_error = 0
#define X(nr, name, err, about) | (uint32_t)(err) << nr
        VECTOR_LIST(X)
#undef X
        ;
    return with_error >> vector & 1;
}

void soft_fault(struct soft *s, unsigned vector, uint32_t error)
{
    bool has = has_error_code(vector);

    raise(s, &(struct event){ .type = EVENT_EXCEPTION, .vector = (uint8_t)vector,
                              .has_error = has, .error = has ? error : 0 });
}

void soft_page_fault(struct soft *s, gla_t gla, uint32_t error)
{
    raise(s, &(struct event){ .type = EVENT_EXCEPTION, .vector = VEC_PF, .has_error = true,
                              .error = error, .cr2 = gla });
}

/* The bytes of the current instruction, from where it was decoded. */
static void copy_bytes(const struct soft *s, struct vmexit *x)
{
    const struct block *b = s->block;
    uintptr_t start = (uintptr_t)b->hva + s->cur->off;

    for (unsigned i = 0; i < x->len; i++) {
        bool second = b->hva2 && ((start + i) & PAGE_MASK) != ((uintptr_t)b->hva & PAGE_MASK);
        x->bytes[i] = second ? b->hva2[(start + i) & ~PAGE_MASK] : *(const uint8_t *)(start + i);
    }
}

struct vmexit *soft_exit_record(struct soft *s, enum exit_reason reason)
{
    struct vmexit *x = s->x;
    /* INT1 is over when its event is on the way, which may be told in several exits. */
    bool at_insn = s->cur && s->delivering.type == EVENT_NONE;

    memset(x, 0, sizeof *x);
    x->reason = reason;
    x->raw = reason;
    x->rip = at_insn ? rip_mask(s, uop_rip(s, s->cur)) : s->rip;
    if (at_insn) {
        x->len = s->cur->len;
        copy_bytes(s, x);
    }
    return x;
}

void soft_leave(struct soft *s)
{
    longjmp(s->escape, ESCAPE_EXIT);
}

void soft_again(struct soft *s)
{
    longjmp(s->escape, ESCAPE_AGAIN);
}

void op_system(struct soft *s, const struct uop *u)
{
    s->cur = u;
    s->restart_rip = rip_mask(s, uop_rip(s, u));
    s->rip = rip_mask(s, s->restart_rip + u->len);
    s->in_system = true;
    u->sys(s, u);
    s->in_system = false;
    s->cur = NULL;
}

void op_steady(struct soft *s, const struct uop *u)
{
    op_system(s, u);
    JUMP(s, s->rip);
}

/* ---- what the mode is ---- */

static enum cpu_mode mode_of(const struct soft *s)
{
    uint16_t cs = s->seg[SEG_CS].attr;

    if (!(s->cr0 & CR0_PE))
        return MODE_REAL;
    if (s->flags & FLAG_VM)
        return MODE_V86;
    if (s->efer & EFER_LMA)
        return cs & SEG_L ? MODE_LONG64 : cs & SEG_DB ? MODE_LONG32 : MODE_LONG16;
    return cs & SEG_DB ? MODE_PROT32 : MODE_PROT16;
}

/* Data and stack: base 0, limit 4 GiB, present, writable, not expand-down. */
static bool flat_data(const struct segment *g)
{
    return g->base == 0 && g->limit == 0xffffffff && (g->attr & SEG_P) &&
           (g->attr & (SEG_S | 0xe)) == (SEG_S | 2);
}

static bool is_flat(const struct soft *s)
{
    const struct segment *cs = &s->seg[SEG_CS];

    if (s->mode == MODE_LONG64)
        return true;
    return (s->mode == MODE_PROT32 || s->mode == MODE_LONG32) &&
           cs->base == 0 && cs->limit == 0xffffffff && (s->seg[SEG_SS].attr & SEG_DB) &&
           flat_data(&s->seg[SEG_DS]) && flat_data(&s->seg[SEG_ES]) && flat_data(&s->seg[SEG_SS]);
}

void soft_mode_changed(struct soft *s)
{
    enum cpu_mode old = s->mode;
    const struct segment *cs = &s->seg[SEG_CS];

    s->mode = (uint8_t)mode_of(s);
    /* CPL is the DPL of SS, as in a VMCS.  [SDM 3C "Guest Register State"] */
    s->cpl = s->mode == MODE_REAL ? 0 : s->mode == MODE_V86 ? 3 : s->seg[SEG_SS].attr >> 5 & 3;
    s->flat = is_flat(s);
    s->code_ctx = (uint64_t)s->mode | (uint64_t)s->flat << 3 | (uint64_t)(s->cpl == 3) << 4 |
                  (uint64_t)(cs->limit == 0xffff) << 5 |
                  (s->mode == MODE_LONG64 ? 0 : cs->base << 32);
    tlb_choose(s);
    if (s->mode != old)
        trace_emit(s->v->trace, TRACE_MODE, old, s->mode, 0);
}

/* ---- between instructions ---- */

static void deliver(struct soft *s, const struct event *e)
{
    struct event event = *e;

    soft_deliver(s, &event, false);
    s->n_supplied = s->next_supplied = 0;
    if (event.type == EVENT_EXCEPTION)
        s->icount++;
    if (UNLIKELY(s->log_insns))
        insn_log_skip(s);
}

static bool intercepted(const struct soft *s, unsigned vector)
{
    if (vector == VEC_PF && s->v->mmu == MMU_SHADOW)
        return true;                    /* it may be hidden: only the monitor knows */
    return s->ctl.exception_bitmap >> (vector & 31) & 1;
}

static bool exit_exception(struct soft *s, const struct event *e)
{
    struct vmexit *x = soft_exit_record(s, EXIT_EXCEPTION);

    x->fault.vector = e->vector;
    x->fault.has_error = e->has_error;
    x->fault.error = e->error;
    x->fault.gla = e->cr2;
    return true;
}

/* An exception was raised; true: exit to the monitor. */
static bool take_fault(struct soft *s)
{
    struct event e = s->raised;

    if (intercepted(s, e.vector)) {
        exit_exception(s, &e);          /* with the instruction's bytes: before unwinding */
        unwind(s);
        return true;
    }
    unwind(s);
    s->n_supplied = s->next_supplied = 0;
    s->in_shadow = false;
    if (s->delivering.type != EVENT_NONE) {
        s->rip = s->restart_rip;
        if (!soft_escalate(s, &e)) {
            soft_exit_record(s, EXIT_TRIPLE_FAULT);
            return true;
        }
    }
    deliver(s, &e);
    return false;
}

/* A trap: #DB after the instruction that caused it. */
static bool take_debug_trap(struct soft *s)
{
    struct event e = { .type = EVENT_EXCEPTION, .vector = VEC_DB };

    if (intercepted(s, VEC_DB)) {
        s->dr[6] = (s->dr[6] & ~UINT64_C(15)) | s->pending_db;
        s->pending_db = 0;
        return exit_exception(s, &e);
    }
    deliver(s, &e);
    return false;
}

/* Not before a trap of the instruction just done, which has priority, nor in
 * the midst of one that a device is answering, which would ask it twice.
 * [SDM 3A "Prioritization of Concurrent Events"] */
static bool irq_possible(const struct soft *s)
{
    return (s->flags & FLAG_IF) && !s->irq_shadow && !s->in_shadow &&
           s->delivering.type == EVENT_NONE && s->inject.type == EVENT_NONE &&
           !(s->pending_db && !s->db_shadow) && !s->n_supplied;
}

static gla_t linear_rip(const struct soft *s)
{
    return s->mode == MODE_LONG64 ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip);
}

/* Instruction breakpoints that match here.  [SDM 3B "Instruction-Breakpoint Exception Condition"] */
static uint64_t code_breakpoints(const struct soft *s)
{
    gla_t at = linear_rip(s);
    uint64_t hit = 0;

    for (unsigned i = 0; i < 4; i++)
        if ((s->dr[7] >> (2 * i) & 3) && !(s->dr[7] >> (16 + 4 * i) & 15) && s->dr[i] == at)
            hit |= BIT(i);
    return hit;
}

/* ---- running ---- */

static void execute(struct soft *s, struct block *b)
{
    s->block = b;
    s->icount += b->n;
#if SOFT_LOOP
    s->next = b->uop;
    while (s->next) {
        const struct uop *u = s->next;
        s->next = NULL;
        u->fn(s, u);
    }
#else
    b->uop->fn(s, b->uop);
#endif
    s->cur = NULL;
}

/* Does something have to happen after the very next instruction? */
static bool must_step(const struct soft *s)
{
    return (s->flags & FLAG_TF) || (s->dr[7] & 0xff) || s->irq_shadow || s->in_shadow ||
           s->db_shadow || s->ctl.monitor_trap_flag || s->n_supplied || s->log_insns ||
           s->creep;
}

/* INT n, INT3 and INTO clear TF on the way to their handler, SYSCALL if its mask says so,
 * and then there is no trap after them.  [SDM 3B "Single-Step Exception Condition"] */
static bool enters_handler(const struct uop *u)
{
    return u->mnemonic == ZYDIS_MNEMONIC_INT || u->mnemonic == ZYDIS_MNEMONIC_INT1 ||
           u->mnemonic == ZYDIS_MNEMONIC_INT3 || u->mnemonic == ZYDIS_MNEMONIC_INTO ||
           u->mnemonic == ZYDIS_MNEMONIC_SYSCALL;
}

/* One instruction, and what follows from it; true: exit. */
static bool step(struct soft *s)
{
    bool trap = s->flags & FLAG_TF;
    bool mtf = s->ctl.monitor_trap_flag;

    if ((s->dr[7] & 0xff) && !(s->flags & FLAG_RF) && !s->db_shadow && code_breakpoints(s)) {
        s->pending_db = code_breakpoints(s);
        return take_debug_trap(s);
    }
    s->in_shadow |= s->irq_shadow;
    s->irq_shadow = s->db_shadow = false;
    s->single = true;
    s->creep = false;
    struct block *b = block_find(s);
    bool silent = enters_handler(b->uop);
    s->flags &= ~FLAG_RF;
    s->kept_db = s->pending_db & 15;
    atomic_store_explicit(&s->icount_limit, s->icount + 1, memory_order_relaxed);
    if (UNLIKELY(s->log_insns))
        insn_log_start(s);
    execute(s, b);
    if (UNLIKELY(s->log_insns))
        insn_log_retired(s);
    s->kept_db = 0;
    s->single = false;
    s->in_shadow = false;
    s->n_supplied = s->next_supplied = 0;
    if (trap && !(silent && !(s->flags & FLAG_TF)))
        s->pending_db |= DR6_BS;
    if (mtf) {
        soft_exit_record(s, EXIT_MTF);
        return true;
    }
    return false;
}

/* Run until there is an exit record. */
static void run_loop(struct soft *s)
{
    for (;;) {
        if (UNLIKELY(s->touched)) {
            debug_tell_data(s);
            return;
        }
        if (UNLIKELY(atomic_load_explicit(&s->kicked, memory_order_relaxed))) {
            atomic_store(&s->kicked, false);
            soft_exit_record(s, EXIT_KICKED);
            return;
        }
        if (UNLIKELY(s->icount >= s->icount_end)) {
            soft_exit_record(s, EXIT_BUDGET);
            return;
        }
        if (UNLIKELY(s->pending_db && !s->db_shadow)) {
            if (take_debug_trap(s))
                return;
            continue;
        }
        if (UNLIKELY(s->ctl.irq_window_exiting) && irq_possible(s)) {
            soft_exit_record(s, EXIT_IRQ_WINDOW);
            return;
        }
        if (UNLIKELY(s->debug_code || s->debug_range) && debug_tell_code(s, linear_rip(s)))
            return;
        if (UNLIKELY(must_step(s))) {
            if (step(s))
                return;
            continue;
        }
        s->flags &= ~FLAG_RF;           /* matters to instruction breakpoints only */
        struct block *b = block_find(s);
        if (UNLIKELY(s->icount + b->n > s->icount_end || !b->n) ||
            (UNLIKELY(s->debug_range) && !debug_in_range(s, linear_rip(s), b->bytes))) {
            if (step(s))
                return;
            continue;
        }
        uint64_t limit = UNLIKELY(s->debug_range) ? s->icount + b->n : s->icount_end;
        /* The store must be seen before kicked is read: a kick comes between. */
        if (atomic_load_explicit(&s->icount_limit, memory_order_relaxed) != limit)
            atomic_store(&s->icount_limit, limit);
        if (LIKELY(!atomic_load_explicit(&s->kicked, memory_order_relaxed)))
            execute(s, b);
    }
}

/* What the monitor asked for at this entry, or an event whose delivery an exit
 * interrupted.  [SDM 3C "Event Injection"] */
static bool enter(struct soft *s)
{
    struct event e = s->inject, first = s->delivering;

    s->inject.type = EVENT_NONE;
    if (e.type != EVENT_NONE && first.type != EVENT_NONE) {
        s->rip = s->restart_rip;
        if (!soft_escalate(s, &e)) {
            soft_exit_record(s, EXIT_TRIPLE_FAULT);
            return false;
        }
    } else if (e.type == EVENT_NONE && first.type != EVENT_NONE) {
        s->rip = s->restart_rip;
        e = first;
    }
    if (e.type != EVENT_NONE) {
        s->halted = false;
        deliver(s, &e);
    }
    if (s->halted)
        soft_exit_record(s, EXIT_HLT);
    return !s->halted;
}

static void soft_run(struct vcpu *v, uint64_t budget, struct vmexit *x)
{
    struct soft *s = v->priv;
    int why;

    s->x = x;
    s->cur = NULL;
    s->icount_end = s->icount + budget < s->icount ? UINT64_MAX : s->icount + budget;
    tlb_choose(s);                      /* conclude() may have changed anything */
    insn_log_begin(s);
    if (UNLIKELY(s->log_insns))
        insn_log_retired(s);            /* in the monitor */
    why = _setjmp(s->escape);
    s->single = false;
    /* The instruction has not happened; of port I/O the memory side has. */
    if (why == ESCAPE_FAULT || (why == ESCAPE_EXIT && x->reason != EXIT_IO))
        debug_untouch(s);
    if (why == ESCAPE_EXIT || why == ESCAPE_AGAIN)
        unwind(s);
    s->creep = why == ESCAPE_AGAIN;
    if (why == ESCAPE_EXIT)
        ;                               /* its record is made */
    else if (why == ESCAPE_AGAIN)
        run_loop(s);
    else if (why == ESCAPE_FAULT ? !take_fault(s) : enter(s))
        run_loop(s);
    s->cur = NULL;
    s->irq_shadow |= s->in_shadow;      /* the instruction in the shadow is still to come */
    s->in_shadow = false;
    s->next_supplied = 0;
    v->icount = s->icount;
    v->n_exits++;
    v->irq_ready = irq_possible(s);
}

/* ---- state ---- */

#define COPY_CRS(X)  X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(efer)
#define COPY_MSRS(X) X(star) X(lstar) X(cstar) X(sfmask) X(kernel_gs_base) X(tsc_aux) \
                     X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat)

static int soft_get_state(struct vcpu *v, unsigned groups, struct cpu_state *c)
{
    struct soft *s = v->priv;

    if (groups & ST_GPRS) {
        memcpy(c->gpr, s->gpr, sizeof c->gpr);
        c->rip = s->rip;
        c->rflags = soft_flags(s);
    }
    if (groups & ST_SEGS) {
        memcpy(c->seg, s->seg, sizeof c->seg);
        c->gdtr = s->gdtr;
        c->idtr = s->idtr;
    }
#define X(name) c->name = s->name;
    if (groups & ST_CRS) {
        COPY_CRS(X)
    }
    if (groups & ST_MSRS) {
        COPY_MSRS(X)
        c->tsc = v->tsc_base + s->icount;
    }
#undef X
    if (groups & ST_DRS)
        memcpy(c->dr, s->dr, sizeof c->dr);
    if (groups & ST_FPU)
        memcpy(c->fpu, &s->fpu, sizeof c->fpu);
    return 0;
}

static int soft_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *c)
{
    struct soft *s = v->priv;

    if (groups & ST_GPRS) {
        memcpy(s->gpr, c->gpr, sizeof c->gpr);
        s->rip = c->rip;
        soft_set_flags(s, c->rflags);
        s->halted = s->irq_shadow = s->db_shadow = false;
        s->delivering.type = EVENT_NONE;
        s->n_supplied = 0;
        s->pending_db = 0;
    }
    if (groups & ST_SEGS) {
        memcpy(s->seg, c->seg, sizeof c->seg);
        s->gdtr = c->gdtr;
        s->idtr = c->idtr;
    }
#define X(name) s->name = c->name;
    if (groups & ST_CRS) {
        COPY_CRS(X)
    }
    if (groups & ST_MSRS) {
        COPY_MSRS(X)
        v->tsc_base = c->tsc - s->icount;
    }
#undef X
    if (groups & ST_DRS)
        memcpy(s->dr, c->dr, sizeof c->dr);
    if (groups & ST_FPU) {
        memcpy(&s->fpu, c->fpu, sizeof s->fpu);
        x87_sanitize(&s->fpu);
    }
    soft_tlb_flush(s, true);
    soft_mode_changed(s);
    v->irq_ready = irq_possible(s);
    return 0;
}

/* ---- the engine ---- */

static int soft_probe(struct engine_caps *caps)
{
    *caps = (struct engine_caps){
        .ok = true, .real_mode = true, .protected_mode = true, .paging32 = true, .pae = true,
        .long_mode = true, .v86 = true, .iret32 = true, .int64 = true, .syscall64 = true,
        .sse = true, .single_step = true, .steps_into_handlers = true, .breakpoints = true, .user_breakpoints = true, .watchpoints = true,
        .deterministic = true, .sees_cr_access = true, .sees_cpuid = true, .sees_msr = true,
        .sees_first_touch = true, .sees_vmcall = true,
        .mmus = BIT(MMU_NESTED) | BIT(MMU_SHADOW),
    };
    snprintf(caps->why, sizeof caps->why,
             "an interpreter with simulated VMX and EPT: needs nothing of the host");
    return 0;
}

static void soft_destroy(struct vcpu *v)
{
    struct soft *s = v->priv;

    if (!s)
        return;
    debug_free(s);
    tlb_free(s);
    blocks_free(s);
    free(s);
    v->priv = NULL;
}

static int soft_create(struct vcpu *v)
{
    struct soft *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    struct cpu_state reset;
    int err;

    if (!s)
        return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->v = v;
    v->priv = s;
    soft_decode_init();
    err = tlb_new(s);
    if (!err)
        err = blocks_new(s);
    if (err) {
        host_say("no memory for the interpreter's caches");
        soft_destroy(v);
        return err;
    }
    memset(&reset, 0, sizeof reset);
    cpu_state_reset(&reset);
    return soft_set_state(v, ST_ALL, &reset);
}

static void soft_kick(struct vcpu *v)
{
    struct soft *s = v->priv;

    atomic_store(&s->kicked, true);
    atomic_store(&s->icount_limit, 0);
}

/* The answer may stand in an interrupt's way: a reflected exception, a trap. */
static void conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    soft_conclude(v, x, verdict);
    v->irq_ready = v->irq_ready && irq_possible(v->priv);
}

static int soft_inject(struct vcpu *v, const struct event *e)
{
    struct soft *s = v->priv;

    if (e->type == EVENT_IRQ && !irq_possible(s))
        return -EAGAIN;
    s->inject = *e;
    v->irq_ready = false;
    return 0;
}

static int soft_set_controls(struct vcpu *v, const struct controls *c)
{
    ((struct soft *)v->priv)->ctl = *c;
    return 0;
}

static void soft_flush(struct vcpu *v)
{
    soft_tlb_flush(v->priv, true);
}

const struct engine engine_soft = {
    .name = "soft",
    .about = "our interpreter, with simulated hardware virtualization; deterministic",
    .counts = true, .walks_tables = true,
    .probe = soft_probe, .create = soft_create, .destroy = soft_destroy,
    .run = soft_run, .conclude = conclude, .kick = soft_kick,
    .get_state = soft_get_state, .set_state = soft_set_state,
    .inject = soft_inject, .set_controls = soft_set_controls,
    .set_debug = soft_set_debug,
    .flush_tlb = soft_flush, .forget = blocks_forget_range,
    .save = soft_save_all, .load = soft_load_all, .rearm_dirty = tlb_rearm_dirty,
};
