/*
 * cpu/soft/system/deliver.c -- interrupts and exceptions going in; iret.c has the way back.
 *
 * soft_deliver() takes one event through the IVT (real mode), the IDT (gates
 * of protected mode) or the IDT of long mode.  A fault on the way leaves by
 * longjmp with s->delivering still set; the run loop then asks
 * soft_escalate() what to deliver instead: the second fault, a double fault,
 * or nothing at all: triple fault.
 *
 * INT n and its kin are instructions, not events: s->delivering stays empty,
 * so their faults are ordinary faults, without EXT.
 *
 * [SDM 3A "Interrupt and Exception Handling"; SDM 2A "INT n/INTO/INT3/INT1";
 * SDM 3B "8086 Emulation"]
 */
#include "cpu/soft/system/system.h"

#include "base/trace.h"

/* Vectors whose handler returns to the instruction, with RF set so that it is
 * not stopped again: every exception but these. */
#define NOT_FAULTS (BIT(VEC_DB) | BIT(VEC_NMI) | BIT(VEC_BP) | BIT(VEC_OF) | BIT(VEC_MC))

/* "In the IDT", not in the GDT or LDT */
#define ERROR_IDT 2

/* The handler's gate itself is at fault.  The error code then names the gate, by its
 * vector, instead of a selector: bit 1 says so.  [SDM 3A "Error Code"] */
_Noreturn static void fault_gate(struct soft *s, enum obstacle why, uint64_t at, unsigned vector,
                                 unsigned gate)
{
    unsigned ext = delivers_external(s);

    fault_because(s, why, at, vector, gate * 8 | ERROR_IDT | ext);
}

/* RFLAGS as the handler will find it on the stack. */
static uint64_t pushed_flags(struct soft *s, const struct event *e, bool software)
{
    uint64_t f = soft_flags(s);

    if (software)
        return f & ~FLAG_RF;
    if (e->type == EVENT_EXCEPTION && !(NOT_FAULTS >> e->vector & 1))
        return f | FLAG_RF;
    return f;
}

/* ---- real mode and V86 through the interrupt vector table ---- */

/* The interrupt vector table of the 8086: four bytes a vector, the offset below and the
 * segment above.  No privilege, no gate, no error code: FLAGS, CS and IP are pushed, 16
 * bits each, and that is all.  [SDM 3B "Interrupt and Exception Handling" (8086 emulation)] */
static void enter_vector(struct soft *s, uint32_t entry, uint64_t flags)
{
    struct stack st = stack_current(s);
    struct segment cs = real_segment(s, SEG_CS, (uint16_t)(entry >> 16));

    stack_require(s, &st, 3, 2);
    if ((entry & 0xffff) > cs.limit)
        gp_because(s, OBSTACLE_HANDLER_LIMIT, entry & 0xffff);
    stack_push(s, &st, 2, flags);
    stack_push(s, &st, 2, s->seg[SEG_CS].sel);
    stack_push(s, &st, 2, s->rip);
    soft_write_reg(s, RSP, st.width, st.sp);
    enter_code(s, &cs, entry & 0xffff);
}

/* In real mode the table lies at IDTR.base, which is 0 after reset; LIDT can move it.  IF
 * is cleared so that the handler is not interrupted before it has looked around, TF so that
 * it is not single-stepped. */
static void deliver_real(struct soft *s, const struct event *e)
{
    unsigned at = e->vector * 4u;

    if (at + 3 > s->idtr.limit)
        fault_gate(s, OBSTACLE_IDT_LIMIT, at, VEC_GP, e->vector);
    enter_vector(s, (uint32_t)soft_lin_load(s, (uint32_t)(s->idtr.base + at), 4, WALK_SYSTEM),
                 soft_flags(s));
    soft_set_flags(s, soft_flags(s) & ~(FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC));
}

/* Bit `vector` of the map below the I/O bitmap: set, or out of reach: not redirected. */
static bool redirected(struct soft *s, unsigned vector)
{
    const struct segment *tr = &s->seg[SEG_TR];
    uint32_t base;

    if (tr->limit < 0x67)
        return false;
    base = (uint32_t)soft_lin_load(s, (uint32_t)(tr->base + 0x66), 2, WALK_SYSTEM);
    base += vector / 8 - 32;
    if (base > tr->limit)
        return false;
    return !(soft_lin_load(s, (uint32_t)(tr->base + base), 1, WALK_SYSTEM) >> (vector & 7) & 1);
}

/* [SDM 3B "Software Interrupt Handling Methods While Operating in Virtual-8086 Mode"] */
bool deliver_v86_redirected(struct soft *s, unsigned vector)
{
    uint64_t f = soft_flags(s) & ~FLAG_RF, pushed = f;

    if (!(s->cr4 & CR4_VME) || !redirected(s, vector)) {
        if (iopl(s) < 3)
            gp_because(s, OBSTACLE_V86_IOPL, iopl(s));
        return false;
    }
    if (iopl(s) < 3)            /* the program sees VIF as its IF, and IOPL 3 */
        pushed = (f & ~FLAG_IF) | FLAG_IOPL | (f & FLAG_VIF ? FLAG_IF : 0);
    enter_vector(s, (uint32_t)soft_lin_load(s, vector * 4, 4, WALK_USER), pushed);
    soft_set_flags(s, f & ~(FLAG_TF | FLAG_NT | (iopl(s) < 3 ? FLAG_VIF : FLAG_IF)));
    return true;
}

/* ---- protected mode ---- */

/* One delivery under way. */
struct delivery {
    const struct event *e;
    bool     software, trap;    /* trap: IF stays           */
    unsigned size;              /* of a pushed element      */
    uint64_t rip;               /* of the handler           */
    uint64_t flags;             /* to push                  */
    uint64_t from, retired;     /* where and when, for the log */
    struct code_segment from_cs;
    struct segment code;        /* CS, RSP and ring before it   */
    uint64_t rsp;
    uint8_t cpl;
};

/* The last step of a delivery, when nothing can fail any more.  TF off: the handler is not
 * single-stepped.  NT off: its IRET shall return to the program, not to another task.  VM
 * off: handlers run in protected mode.  Through an interrupt gate IF goes off as well; a
 * trap gate leaves it, and that is the only difference between the two kinds.
 * [SDM 3A "Flag Usage By Exception- or Interrupt-Handler Procedure"] */
static void enter_handler(struct soft *s, const struct delivery *d, const struct segment *cs)
{
    uint64_t clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (d->trap ? 0 : FLAG_IF);

    soft_set_flags(s, soft_flags(s) & ~clear);
    enter_code(s, cs, d->rip);
}

/* What IRET will pop, and above it (at a lower address) the error code, which the handler
 * must take off the stack itself. */
static void push_return(struct soft *s, struct stack *st, const struct delivery *d)
{
    stack_push(s, st, d->size, d->flags);
    stack_push(s, st, d->size, s->seg[SEG_CS].sel);
    stack_push(s, st, d->size, s->rip);
    if (d->e->has_error)
        stack_push(s, st, d->size, d->e->error);
}

/* The interrupted code is as privileged as the handler: its stack goes on being used, so
 * SS:RSP need not be saved.
 *
 *     before ->  +----------+
 *                | EFLAGS   |
 *                | CS       |
 *                | EIP      |
 *                | (error)  |  <- ESP in the handler
 * [SDM 3A "Exception- or Interrupt-Handler Procedures"] */
static void deliver_same_ring(struct soft *s, struct delivery *d, struct segment *cs)
{
    struct stack st = stack_current(s);

    stack_require(s, &st, d->e->has_error ? 4 : 3, d->size);
    check_target(s, cs, d->rip);
    push_return(s, &st, d);
    soft_write_reg(s, RSP, st.width, st.sp);
    enter_handler(s, d, cs);
}

/* The order in which V86 segments lie above SS:ESP  [SDM 3B "Entering Virtual-8086 Mode"] */
static const enum seg v86_frame[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };

/* The handler is more privileged: it must not depend on a stack that the program may have
 * set to anything, so the CPU takes SS:ESP for the inner ring from the TSS and saves the
 * old pair there first.  Coming from virtual-8086 mode, GS, FS, DS and ES are saved too
 * and become null, since their values there are no selectors.
 *
 *     from TSS -> (GS FS DS ES of V86), SS, ESP, EFLAGS, CS, EIP, (error)  <- ESP in the handler
 * [SDM 3A "Exception- or Interrupt-Handler Procedures"] */
static void deliver_inner_ring(struct soft *s, struct delivery *d, struct segment *cs, unsigned cpl)
{
    bool from_v86 = v86_mode(s);
    struct stack st = tss_stack(s, cpl);

    stack_require(s, &st, (from_v86 ? 9 : 5) + d->e->has_error, d->size);
    check_target(s, cs, d->rip);
    for (unsigned i = 0; from_v86 && i < NELEM(v86_frame); i++)
        stack_push(s, &st, d->size, s->seg[v86_frame[i]].sel);
    stack_push(s, &st, d->size, s->seg[SEG_SS].sel);
    stack_push(s, &st, d->size, s->gpr[RSP]);
    push_return(s, &st, d);
    for (unsigned i = 0; from_v86 && i < NELEM(v86_frame); i++)
        s->seg[v86_frame[i]] = null_segment(0, 0);
    stack_commit(s, &st);
    enter_handler(s, d, cs);
}

/* The code segment a gate names: all checks but the ring's. */
static struct descriptor handler_code(struct soft *s, const struct descriptor *gate)
{
    uint16_t sel = gate_sel(gate);
    struct descriptor c;

    if (null_selector(sel))
        fault_sel_because(s, OBSTACLE_CODE_NULL, VEC_GP, sel);
    if (!desc_fetch(s, sel, &c))
        fault_sel_because(s, OBSTACLE_CODE_LIMIT, VEC_GP, sel);
    if (!desc_code(&c))
        fault_sel_because(s, OBSTACLE_CODE_TYPE, VEC_GP, sel);
    if (desc_dpl(&c) > s->cpl)
        fault_sel_because(s, OBSTACLE_CODE_DPL, VEC_GP, sel);
    if (long_mode(s) && (!desc_long(&c) || desc_big(&c)))
        fault_sel_because(s, OBSTACLE_CODE_LONG, VEC_GP, sel);
    if (!desc_present(&c))
        fault_sel_because(s, OBSTACLE_CODE_ABSENT, VEC_NP, sel);
    return c;
}

/* An interrupt or trap gate holds selector and offset of the handler.  The ring it runs in
 * is that of its code segment, never an outer one: an interrupt cannot lower privilege. */
static void through_idt_gate(struct soft *s, const struct descriptor *gate, struct delivery *d)
{
    struct descriptor c = handler_code(s, gate);
    bool inner = !desc_conforming(&c) && desc_dpl(&c) < s->cpl;
    unsigned cpl = inner ? desc_dpl(&c) : s->cpl;
    struct segment cs;

    if (v86_mode(s) && !(inner && cpl == 0))    /* only ring 0 serves V86 */
        fault_sel_because(s, OBSTACLE_CODE_V86, VEC_GP, c.sel);
    d->rip = gate_offset(gate, false);
    if (desc_type(gate) & 8)
        d->rip |= (gate->raw >> 48) << 16;
    d->size = desc_type(gate) & 8 ? 4 : 2;
    d->trap = desc_type(gate) & 1;
    desc_set_accessed(s, &c);
    cs = desc_segment(&c);
    cs.sel = (uint16_t)((cs.sel & ~3u) | cpl);
    if (inner)
        deliver_inner_ring(s, d, &cs, cpl);
    else
        deliver_same_ring(s, d, &cs);
}

/* Eight bytes a gate:
 *
 *     63          48 47 46 45 44 43  40 39    32 31       16 15         0
 *     offset 31:16   P  DPL   0  type   -        selector    offset 15:0
 *
 * DPL is asked of INT n only: it says from which rings a program may call this handler.
 * Hardware is not asked.  [SDM 3A "IDT Descriptors", "Protection of Exception- and
 * Interrupt-Handler Procedures"] */
static void deliver_protected(struct soft *s, struct delivery *d)
{
    unsigned vector = d->e->vector;
    struct descriptor gate = { .at = (uint32_t)(s->idtr.base + vector * 8u) };
    unsigned type;

    if (vector * 8u + 7 > s->idtr.limit)
        fault_gate(s, OBSTACLE_IDT_LIMIT, vector * 8u, VEC_GP, vector);
    gate.raw = soft_lin_load(s, gate.at, 8, WALK_SYSTEM);
    type = desc_type(&gate);
    if (!desc_system(&gate) || (type != SYS_TASK_GATE && (type & 7) != 6 && (type & 7) != 7))
        fault_gate(s, OBSTACLE_GATE_TYPE, gate.at, VEC_GP, vector);
    if (d->software && desc_dpl(&gate) < s->cpl)
        fault_gate(s, OBSTACLE_GATE_DPL, gate.at, VEC_GP, vector);
    if (!desc_present(&gate))
        fault_gate(s, OBSTACLE_GATE_ABSENT, gate.at, VEC_NP, vector);
    if (type != SYS_TASK_GATE) {
        through_idt_gate(s, &gate, d);
        return;
    }
    if (d->flags & FLAG_RF)     /* saved in the TSS, not pushed */
        soft_set_flags(s, soft_flags(s) | FLAG_RF);
    s->arrival.event = *d->e;
    s->arrival.software = d->software;
    s->arrival.from = d->from;
    s->arrival.from_cs = d->from_cs;
    s->arrival.retired = d->retired;
    task_gate(s, &gate, TASK_INT, d->e->has_error ? &d->e->error : NULL);
}

/* ---- long mode  [SDM 3A "64-Bit Mode Stack Frame", "Interrupt Stack Table"] ---- */

/* Long mode: 16 bytes a gate (the upper half has offset 63:32), no task gates, no 16-bit
 * ones.  SS:RSP is always pushed, even without a change of ring, so that every frame has
 * the same shape and one IRETQ fits all; RSP is first aligned to 16 bytes, which lets
 * handlers store XMM registers at once.  A gate may name one of seven stacks in the TSS
 * (IST 1 to 7): it is used whatever the ring, for events that must find a good stack even
 * if the kernel's is broken, such as NMI and double fault. */
static void deliver_long(struct soft *s, struct delivery *d)
{
    unsigned vector = d->e->vector, ist, cpl;
    struct descriptor gate = { .at = s->idtr.base + vector * 16u }, c;
    struct stack st;
    struct segment cs;
    bool inner;

    if (vector * 16u + 15 > s->idtr.limit || !canonical(gate.at))
        fault_gate(s, OBSTACLE_IDT_LIMIT, vector * 16u, VEC_GP, vector);
    gate.raw = soft_lin_load(s, gate.at, 8, WALK_SYSTEM);
    gate.upper = soft_lin_load(s, gate.at + 8, 8, WALK_SYSTEM);
    if (!desc_system(&gate) || (desc_type(&gate) != SYS_INT32 && desc_type(&gate) != SYS_TRAP32))
        fault_gate(s, OBSTACLE_GATE_TYPE, gate.at, VEC_GP, vector);
    if (d->software && desc_dpl(&gate) < s->cpl)
        fault_gate(s, OBSTACLE_GATE_DPL, gate.at, VEC_GP, vector);
    if (!desc_present(&gate))
        fault_gate(s, OBSTACLE_GATE_ABSENT, gate.at, VEC_NP, vector);
    c = handler_code(s, &gate);
    inner = !desc_conforming(&c) && desc_dpl(&c) < s->cpl;
    cpl = inner ? desc_dpl(&c) : s->cpl;
    ist = gate.raw >> 32 & 7;
    if (ist || inner) {
        st = tss_stack64(s, ist ? 3 + ist : cpl, cpl);
        if (!inner)             /* an IST alone does not touch SS */
            st.ss = s->seg[SEG_SS];
    } else {
        st = stack_current(s);
        st.width = 8;
    }
    d->size = 8;
    d->trap = desc_type(&gate) & 1;
    d->rip = gate_offset(&gate, true);
    desc_set_accessed(s, &c);
    cs = desc_segment(&c);
    cs.sel = (uint16_t)((cs.sel & ~3u) | cpl);
    if (!canonical(st.sp))
        fault_because(s, OBSTACLE_STACK_ADDRESS, st.sp, VEC_SS, delivers_external(s));
    st.sp &= ~UINT64_C(15);
    stack_require(s, &st, 5 + d->e->has_error, 8);
    check_target(s, &cs, d->rip);
    stack_push(s, &st, 8, s->seg[SEG_SS].sel);
    stack_push(s, &st, 8, s->gpr[RSP]);
    push_return(s, &st, d);
    stack_commit(s, &st);
    enter_handler(s, d, &cs);
}

/* ---- the two functions of soft.h ---- */

/* "The processor clears DR7.GD upon entering a debug exception handler"; the
 * cause goes into DR6, whose B0-B3 tell of this exception only. */
static void note_debug(struct soft *s)
{
    if (s->pending_db)
        s->dr[6] = (s->dr[6] & ~UINT64_C(15)) | s->pending_db;
    s->pending_db = 0;
    s->dr[7] &= ~DR7_GD;
}

/* The handler is about to run.  The event's own place is where the guest was taken from: the
 * instruction that faulted or asked for it, or the one that an interrupt came before. */
static void log_delivery(struct soft *s, const struct event *e, uint64_t from,
                         const struct code_segment *cs, uint64_t retired)
{
    vcpu_log_at(s->v, from, cs, retired, TRACE_DELIVER, e->vector, s->rip, e->error);
    if (e->type == EVENT_EXCEPTION)
        vcpu_note_exception(s->v, e, cs->base + from, s->gpr[RSP], retired);
}

/* Keep what was delivered: if the handler ends the run, it is asked for.  The IP lies on top of
 * the stack, or behind an error code. */
static void keep_delivered(struct soft *s, const struct delivery *d)
{
    uint64_t top = s->gpr[RSP] + (d->e->has_error ? d->size : 0);
    uint64_t in_ss = s->seg[SEG_SS].attr & SEG_DB ? (uint32_t)top : (uint16_t)top;

    s->undelivered.latest = (struct delivered){
        .step = { .rip = d->from, .cr2 = d->e->vector == VEC_PF ? d->e->cr2 : 0,
                  .error = d->e->error, .cs = d->code.sel,
                  .vector = d->e->vector, .type = (uint8_t)d->e->type,
                  .has_error = d->e->has_error, .ring = d->cpl },
        .cause = s->undelivered.cause, .cause_at = s->undelivered.cause_at,
        .rsp = d->rsp, .code = d->code, .any = 1,
        .frame = s->mode == MODE_LONG64 ? top : (uint32_t)(s->seg[SEG_SS].base + in_ss),
    };
}

/* The handler can begin; what was in the way before is over. */
static void end_delivery(struct soft *s, const struct delivery *d)
{
    if (d->e->type == EVENT_EXCEPTION && !d->software)
        keep_delivered(s, d);
    if (d->e->type == EVENT_EXCEPTION && d->e->vector == VEC_DB && !d->software)
        note_debug(s);
    s->delivering = (struct event){ .type = EVENT_NONE };
    s->obstacle = OBSTACLE_UNKNOWN;
    s->undelivered.n = s->undelivered.cause = s->undelivered.cause_at = 0;
    s->ac_in_delivery = false;
    s->halted = false;
    s->irq_shadow = s->db_shadow = false;
    log_delivery(s, d->e, d->from, &d->from_cs, d->retired);
}

/* The order matters to what a guest can see if this faults half way: s->delivering is set
 * before the first access and cleared behind the last, so that whatever is raised in
 * between is known to be a second fault; CR2 is written first, as on processors, where it
 * stays even if the page fault's handler cannot be entered. */
void soft_deliver(struct soft *s, const struct event *e, bool software)
{
    struct event event = *e;    /* e may be s->inject or s->delivering */
    struct delivery d = { .e = &event, .software = software,
                          .flags = pushed_flags(s, e, software),
                          .from = software ? s->restart_rip : s->rip, .from_cs = s->code,
                          .code = s->seg[SEG_CS], .rsp = s->gpr[RSP], .cpl = s->cpl,
                          .retired = s->cur ? s->icount - s->cur->left : s->icount };

    if (!software) {
        s->delivering = event;
        s->restart_rip = s->rip;
    }
    if (event.type == EVENT_EXCEPTION && event.vector == VEC_PF)
        s->cr2 = event.cr2;
    if (real_mode(s))
        deliver_real(s, &event);
    else if (long_mode(s))
        deliver_long(s, &d);
    else
        deliver_protected(s, &d);
    end_delivery(s, &d);
}

/* What comes behind the switch is what would have come if no exit had interrupted it: of a
 * delivery its end, of an instruction its trap. */
void soft_arrive(struct soft *s)
{
    struct event event = s->arrival.event;
    struct delivery d = { .e = &event, .software = s->arrival.software,
                          .from = s->arrival.from, .from_cs = s->arrival.from_cs,
                          .retired = s->arrival.retired };
    bool counts = !s->arrival.by_insn &&
                  (event.type == EVENT_EXCEPTION || event.type == EVENT_SOFTWARE);

    task_arrive(s);
    if (event.type != EVENT_NONE)
        end_delivery(s, &d);
    s->irq_shadow = s->db_shadow = false;
    s->n_supplied = s->next_supplied = 0;
    s->icount += counts;
    if (s->arrival.steps)
        s->pending_db |= DR6_BS;
}

/* ---- a fault on the way to a handler ---- */

/* Two exceptions meet when delivering the first raises the second: the handler's stack is
 * missing, say.  Most pairs are handled one after the other: the second is delivered, its
 * handler returns, and the first comes up again as the instruction is repeated.  But some
 * pairs show that the handlers cannot work at all (a page fault while entering the
 * page-fault handler would only repeat itself); then a double fault is delivered instead,
 * with a handler of its own.  If that cannot be entered either, nothing is left to try:
 * the CPU shuts down, which is called a triple fault and makes a PC reset.
 * [SDM 3A "Interrupt 8-Double Fault Exception (#DF)"] */
enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class class_of(const struct event *e)
{
    if (e->type != EVENT_EXCEPTION)
        return BENIGN;
    switch (e->vector) {
    case VEC_DE: case VEC_TS: case VEC_NP: case VEC_SS: case VEC_GP:
        return CONTRIBUTORY;
    case VEC_PF:
        return PAGE_FAULT;
    case VEC_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

enum outcome { SERIAL, DOUBLE, TRIPLE };

/* "Conditions for Generating a Double Fault": [first][second] */
static const enum outcome outcomes[4][4] = {
    [BENIGN]       = { SERIAL, SERIAL, SERIAL, SERIAL },
    [CONTRIBUTORY] = { SERIAL, DOUBLE, SERIAL, SERIAL },
    [PAGE_FAULT]   = { SERIAL, DOUBLE, DOUBLE, SERIAL },
    [DOUBLE_FAULT] = { SERIAL, TRIPLE, TRIPLE, TRIPLE },
};

/* Would delivering `second` only raise it again, for ever?  #AC is neither contributory nor a
 * page fault, so the table above has the CPU deliver an #AC that comes while it delivers another.
 * If the gate leads to ring 3, whose stack is unaligned, the push of that frame raises the next
 * #AC, and so on.  A real processor does this without end and without taking an interrupt, so a
 * guest could take a CPU away from its host (CVE-2015-5307); monitors therefore intercept #AC.
 * Our engine would sit in this loop as well, past every budget.  It reports a triple fault
 * instead: the guest can do nothing more either way, and the user is told so.
 *   There are detours: #AC has no handler, which is #GP, whose handler has the unaligned stack.  No
 * other benign exception comes up in a delivery, so the second #AC before any handler is entered
 * tells them all. */
static bool is_endless(const struct soft *s, const struct event *second)
{
    const struct event *first = &s->delivering;

    return second->vector == VEC_AC && (s->ac_in_delivery || (first->type == EVENT_EXCEPTION &&
                                                              first->vector == VEC_AC));
}

bool soft_escalate(struct soft *s, struct event *e)
{
    enum outcome o = is_endless(s, e) ? TRIPLE : outcomes[class_of(&s->delivering)][class_of(e)];

    s->ac_in_delivery |= e->vector == VEC_AC;
    s->delivering = (struct event){ .type = EVENT_NONE };
    if (o == DOUBLE) {
        if (e->vector == VEC_PF)        /* the second page fault has already said where */
            s->cr2 = e->cr2;
        *e = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DF, .has_error = true };
    }
    return o != TRIPLE;
}
