/*
 * cpu/soft/system/far.c -- JMP, CALL and RET between segments and privilege levels.
 *
 * A far transfer names a selector.  It may be a code segment (entered at once,
 * if privilege allows), a call gate (which names the code segment and, for
 * CALL, may lead to an inner ring with a stack from the TSS), or a TSS or task
 * gate (task.c).  RET goes the other way: to the same ring or outward, never in.
 *
 * Nothing is committed before every check has passed: the pushes go through a
 * struct stack, which is copied to SS:RSP at the end.
 *
 * [SDM 2A "CALL-Call Procedure", "JMP-Jump"; 2B "RET-Return From Procedure"]
 */
#include "cpu/soft/system/system.h"

/* ---- code segments ---- */

static bool is_code64(const struct soft *s, const struct segment *cs)
{
    return long_mode(s) && (cs->attr & SEG_L);
}

/* Outside 64-bit mode, bits 63:32 of a target are not looked at. */
/* The first instruction must lie in the segment, or the transfer is refused as a whole: the
 * fault belongs to the JMP, whose address a programmer can find, not to the place it led to. */
void check_target(struct soft *s, const struct segment *cs, uint64_t rip)
{
    if (is_code64(s, cs) ? !canonical(rip) : (uint32_t)rip > cs->limit)
        fault_because(s, OBSTACLE_HANDLER_LIMIT, rip, VEC_GP, delivers_external(s));
}

/* CPL changes here: soft_mode_changed() takes it from SS, and the L and D bits of CS say
 * from the next instruction on how wide code is. */
void enter_code(struct soft *s, const struct segment *cs, uint64_t rip)
{
    s->seg[SEG_CS] = *cs;
    s->rip = is_code64(s, cs) ? rip : (uint32_t)rip;
    soft_mode_changed(s);
}

/* L and D together are reserved in long mode. */
static bool bad_code(const struct soft *s, const struct descriptor *d)
{
    return !desc_code(d) || (long_mode(s) && desc_long(d) && desc_big(d));
}

/* CS as it becomes when d is entered at `cpl`. */
static struct segment code_segment(struct soft *s, struct descriptor *d, unsigned cpl)
{
    struct segment cs;

    desc_set_accessed(s, d);
    cs = desc_segment(d);
    cs.sel = (uint16_t)((d->sel & ~3u) | cpl);
    return cs;
}

/* ---- the stack ---- */

/* The stack as the current mode has it.  SS.B says whether SP or ESP counts; the other half
 * of the register is left alone.  In 64-bit mode RSP counts and SS has no base. */
struct stack stack_current(const struct soft *s)
{
    unsigned width = code64(s) ? 8 : s->seg[SEG_SS].attr & SEG_DB ? 4 : 2;

    return (struct stack){ .ss = s->seg[SEG_SS], .sp = low_bytes(s->gpr[RSP], width),
                           .width = width, .access = s->cpl == 3 ? WALK_USER : 0 };
}

/* A stack segment may grow down: then the limit is its lowest address, not its highest, and
 * what lies above belongs to it, up to 64 KiB or 4 GiB as SS.B says.  [SDM 3A "Limit Checking"] */
static bool in_stack(const struct stack *st, uint64_t off, unsigned size)
{
    const struct segment *g = &st->ss;
    uint64_t last = off + size - 1;

    if (st->width == 8)
        return canonical(off) && canonical(last);
    if (!(g->attr & SEG_P))
        return false;
    if ((g->attr & 0xc) == 4)           /* expand-down */
        return off > g->limit && last <= (g->attr & SEG_DB ? 0xffffffff : 0xffff);
    return last <= g->limit;
}

/* Linear address of `size` bytes at off; #SS if they are not in the segment. */
static gla_t stack_linear(struct soft *s, const struct stack *st, uint64_t off, unsigned size)
{
    if (!in_stack(st, off, size))
        fault_because(s, st->width == 8 ? OBSTACLE_STACK_ADDRESS : OBSTACLE_STACK_END, off, VEC_SS,
                      (st->error & ~3u) | delivers_external(s));
    return st->width == 8 ? off : (uint32_t)(st->ss.base + off);
}

/* Before the first push: is there room for all?  Else the frame would be half written when
 * #SS is raised. */
void stack_require(struct soft *s, const struct stack *st, unsigned n, unsigned size)
{
    for (unsigned i = 1; i <= n; i++)
        stack_linear(s, st, low_bytes(st->sp - (uint64_t)i * size, st->width), size);
}

void stack_push(struct soft *s, struct stack *st, unsigned size, uint64_t value)
{
    uint64_t sp = low_bytes(st->sp - size, st->width);

    soft_lin_store(s, stack_linear(s, st, sp, size), size, low_bytes(value, size), st->access);
    st->sp = sp;
}

uint64_t stack_pop(struct soft *s, struct stack *st, unsigned size)
{
    uint64_t value = soft_lin_load(s, stack_linear(s, st, st->sp, size), size, st->access);

    st->sp = low_bytes(st->sp + size, st->width);
    return value;
}

void stack_skip(struct stack *st, unsigned bytes)
{
    st->sp = low_bytes(st->sp + (uint64_t)(int64_t)(int)bytes, st->width);
}

void stack_commit(struct soft *s, const struct stack *st)
{
    s->seg[SEG_SS] = st->ss;
    soft_write_reg(s, RSP, st->width, st->sp);
}

/* ---- an inner ring's stack, from the TSS ---- */

/* Read with the rights of a supervisor, whatever the CPL: the TSS is the kernel's and the CPU
 * itself looks into it. */
static uint64_t tss_field(struct soft *s, unsigned off, unsigned size)
{
    const struct segment *tr = &s->seg[SEG_TR];
    gla_t at = tr->base + off;

    return soft_lin_load(s, long_mode(s) ? at : (uint32_t)at, size, WALK_SYSTEM);
}

/* The stack pointer that an inner ring needs would be at offset `off` of the TSS, which is not
 * there or not so long. */
_Noreturn static void fault_tss(struct soft *s, unsigned off)
{
    const struct segment *tr = &s->seg[SEG_TR];
    bool loaded = tr->attr & SEG_P;

    fault_because(s, loaded ? OBSTACLE_TSS_LIMIT : OBSTACLE_TSS_NONE, loaded ? off : tr->sel,
                  VEC_TS, (tr->sel & ~3u) | delivers_external(s));
}

/* [SDM 3A "Stack Switching"] */
struct stack tss_stack(struct soft *s, unsigned cpl)
{
    const struct segment *tr = &s->seg[SEG_TR];
    bool wide = (tr->attr & 0xf) == SYS_TSS32 || (tr->attr & 0xf) == SYS_TSS32_BUSY;
    unsigned off = wide ? 4 + 8 * cpl : 2 + 4 * cpl, size = wide ? 4 : 2;
    struct descriptor d;
    struct stack st;
    uint16_t sel;

    if (!(tr->attr & SEG_P) || off + 2 * size - (wide ? 3 : 1) > tr->limit)
        fault_tss(s, off);
    st.sp = tss_field(s, off, size);
    sel = (uint16_t)tss_field(s, off + size, 2);
    if (null_selector(sel))
        fault_because(s, OBSTACLE_STACK_NULL, cpl, VEC_TS, delivers_external(s));
    if (!desc_fetch(s, sel, &d))
        fault_sel_because(s, OBSTACLE_STACK_LIMIT, VEC_TS, sel);
    if ((sel & 3) != cpl || desc_dpl(&d) != cpl || !desc_writable(&d))
        fault_sel_because(s, OBSTACLE_STACK_TYPE, VEC_TS, sel);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_STACK_ABSENT, VEC_SS, sel);
    desc_set_accessed(s, &d);
    st.ss = desc_segment(&d);
    st.width = st.ss.attr & SEG_DB ? 4 : 2;
    st.sp = low_bytes(st.sp, st.width);
    st.access = cpl == 3 ? WALK_USER : 0;
    st.error = sel;
    return st;
}

/* SS becomes a null selector with RPL = the new CPL.
 * [SDM 3A "Stack Switching in IA-32e Mode"] */
struct stack tss_stack64(struct soft *s, unsigned slot, unsigned cpl)
{
    const struct segment *tr = &s->seg[SEG_TR];
    unsigned off = 4 + 8 * slot;

    if (!(tr->attr & SEG_P) || off + 7 > tr->limit)
        fault_tss(s, off);
    return (struct stack){ .ss = null_segment((uint16_t)cpl, cpl), .sp = tss_field(s, off, 8),
                           .width = 8, .access = cpl == 3 ? WALK_USER : 0 };
}

/* ---- JMP and CALL ---- */

/* What far_transfer() and its parts pass on. */
struct transfer {
    bool     call;
    unsigned size;              /* of a pushed element */
    uint64_t off;
};

/* To code of the same ring: JMP leaves nothing behind, CALL pushes CS and the address behind
 * itself.  All that can be refused is refused before the first push. */
static void enter_same_ring(struct soft *s, struct descriptor *d, const struct transfer *t)
{
    struct segment cs = desc_segment(d);
    struct stack st = stack_current(s);

    if (t->call && long_mode(s)) {          /* pushed as the target mode pushes */
        st.width = desc_long(d) ? 8 : s->seg[SEG_SS].attr & SEG_DB ? 4 : 2;
        st.sp = low_bytes(s->gpr[RSP], st.width);
    }
    if (t->call)
        stack_require(s, &st, 2, t->size);
    check_target(s, &cs, t->off);
    if (t->call) {
        stack_push(s, &st, t->size, s->seg[SEG_CS].sel);
        stack_push(s, &st, t->size, s->rip);
    }
    cs = code_segment(s, d, s->cpl);
    if (t->call)
        soft_write_reg(s, RSP, st.width, st.sp);
    enter_code(s, &cs, t->off);
}

/* A code segment is named directly.  Code of the same ring may be entered, or conforming
 * code of an inner one, which then runs with the caller's CPL: shared libraries of old.  To
 * really change privilege a gate is needed.  RPL must not exceed CPL, so that a selector
 * handed down from an outer ring cannot borrow this ring's rights.
 * [SDM 3A "Direct Calls or Jumps to Code Segments"] */
static void to_code_segment(struct soft *s, struct descriptor *d, const struct transfer *t)
{
    bool ok = !bad_code(s, d);

    if (desc_conforming(d))
        ok = ok && desc_dpl(d) <= s->cpl;
    else
        ok = ok && (d->sel & 3) <= s->cpl && desc_dpl(d) == s->cpl;
    if (!ok)
        fault_desc(s, OBSTACLE_SEL_CODE, VEC_GP, d);
    if (!desc_present(d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, d->sel);
    enter_same_ring(s, d, t);
}

/* The parameters a 16- or 32-bit call gate copies, oldest first. */
static unsigned read_parameters(struct soft *s, const struct descriptor *gate, unsigned size,
                                uint64_t par[31])
{
    unsigned n = long_mode(s) ? 0 : gate->raw >> 32 & 31;
    struct stack old = stack_current(s);

    for (unsigned i = 0; i < n; i++)
        par[i] = stack_pop(s, &old, size);
    return n;
}

/* A CALL that raises privilege.  The stack comes from the TSS for the reason told in deliver.c;
 * a 16- or 32-bit gate also copies up to 31 parameters from the old stack to the new one, so
 * that the callee finds them where its own calling convention expects them.
 *
 *     new stack:  SS, ESP, parameters, CS, EIP  <- ESP
 * [SDM 3A "Stack Switching"] */
static void enter_inner_ring(struct soft *s, struct descriptor *d, const struct descriptor *gate,
                             const struct transfer *t)
{
    unsigned cpl = desc_dpl(d), n;
    struct segment cs = desc_segment(d);
    struct stack st = long_mode(s) ? tss_stack64(s, cpl, cpl) : tss_stack(s, cpl);
    uint64_t par[31];

    stack_require(s, &st, 4 + (long_mode(s) ? 0 : gate->raw >> 32 & 31), t->size);
    check_target(s, &cs, t->off);
    n = read_parameters(s, gate, t->size, par);
    stack_push(s, &st, t->size, s->seg[SEG_SS].sel);
    stack_push(s, &st, t->size, s->gpr[RSP]);
    while (n)
        stack_push(s, &st, t->size, par[--n]);
    stack_push(s, &st, t->size, s->seg[SEG_CS].sel);
    stack_push(s, &st, t->size, s->rip);
    cs = code_segment(s, d, cpl);
    stack_commit(s, &st);
    enter_code(s, &cs, t->off);
}

/* A call gate is a door in the wall between rings: the kernel says where it leads (selector
 * and offset are in the gate, the caller's offset is ignored) and who may use it (the gate's
 * DPL, against both CPL and RPL).  The code behind it must be at least as privileged as the
 * caller: a gate never leads outward.  JMP may not change the ring, for nobody could return.
 * [SDM 3A "Accessing a Code Segment Through a Call Gate"] */
static void through_gate(struct soft *s, struct descriptor *gate, bool call)
{
    bool wide = long_mode(s);
    bool is32 = desc_type(gate) == SYS_CALL32;
    struct transfer t = { .call = call, .size = wide ? 8 : is32 ? 4 : 2 };
    struct descriptor d;
    bool ok;

    if (desc_dpl(gate) < s->cpl || desc_dpl(gate) < (gate->sel & 3u))
        fault_sel_because(s, OBSTACLE_SEL_GATE, VEC_GP, gate->sel);
    if (!desc_present(gate))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, gate->sel);
    if (null_selector(gate_sel(gate)))
        gp_because(s, OBSTACLE_SEL_NULL, gate_sel(gate));
    ok = desc_fetch(s, gate_sel(gate), &d) && !bad_code(s, &d) && desc_dpl(&d) <= s->cpl &&
         (!wide || desc_long(&d)) && (call || desc_conforming(&d) || desc_dpl(&d) == s->cpl);
    if (!ok)
        fault_desc(s, OBSTACLE_SEL_CODE, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, d.sel);
    t.off = gate_offset(gate, wide);
    if (!wide)
        t.off = is32 ? (gate->raw >> 48) << 16 | t.off : t.off;
    if (desc_conforming(&d) || desc_dpl(&d) == s->cpl)
        enter_same_ring(s, &d, &t);
    else
        enter_inner_ring(s, &d, gate, &t);
}

/* The selector names no segment but something that the CPU follows by itself.  Long mode has
 * call gates of 16 bytes and no task switches. */
static void far_to_system(struct soft *s, struct descriptor *d, bool call)
{
    enum task_cause cause = call ? TASK_CALL : TASK_JMP;
    unsigned type = desc_type(d);

    if (type == SYS_CALL32 && long_mode(s)) {
        if (!desc_fetch_upper(s, d))
            fault_sel_because(s, OBSTACLE_SEL_GATE, VEC_GP, d->sel);
        through_gate(s, d, call);
    } else if (long_mode(s)) {
        fault_sel_because(s, OBSTACLE_SEL_SYSTEM, VEC_GP, d->sel);
    } else if (type == SYS_CALL16 || type == SYS_CALL32) {
        through_gate(s, d, call);
    } else if (type == SYS_TASK_GATE || type == SYS_TSS16 || type == SYS_TSS32) {
        if (desc_dpl(d) < s->cpl || desc_dpl(d) < (d->sel & 3u) ||
            (type != SYS_TASK_GATE && (d->sel & 4)))
            fault_sel_because(s, OBSTACLE_SEL_GATE, VEC_GP, d->sel);
        if (!desc_present(d))
            fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, d->sel);
        if (type == SYS_TASK_GATE)
            task_gate(s, d, cause, NULL);
        else
            task_switch(s, d, cause, NULL);
    } else {
        fault_sel_because(s, OBSTACLE_SEL_SYSTEM, VEC_GP, d->sel);
    }
}

/* In real and virtual-8086 mode a selector is a paragraph number and nothing is checked but
 * the limit. */
static void far_real(struct soft *s, uint16_t sel, const struct transfer *t)
{
    struct segment cs = real_segment(s, SEG_CS, sel);
    struct stack st = stack_current(s);

    if (t->call)
        stack_require(s, &st, 2, t->size);
    if (t->off > cs.limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, t->off);
    if (t->call) {
        stack_push(s, &st, t->size, s->seg[SEG_CS].sel);
        stack_push(s, &st, t->size, s->rip);
        soft_write_reg(s, RSP, st.width, st.sp);
    }
    enter_code(s, &cs, t->off);
}

static void far_transfer(struct soft *s, uint16_t sel, const struct transfer *t)
{
    struct descriptor d;

    if (real_mode(s) || v86_mode(s)) {
        far_real(s, sel, t);
        return;
    }
    if (null_selector(sel))
        gp_because(s, OBSTACLE_SEL_NULL, sel);
    if (!desc_fetch(s, sel, &d))
        fault_desc(s, OBSTACLE_SEL_CODE, VEC_GP, &d);
    if (desc_system(&d))
        far_to_system(s, &d, t->call);
    else
        to_code_segment(s, &d, t);
}

/* Opcodes 9A and EA hold the pointer; FF /3 and /5 find it in memory. */
static void jmp_or_call(struct soft *s, const struct uop *u, bool call)
{
    struct transfer t = { .call = call, .size = u->opsize, .off = low_bytes(u->imm, u->opsize) };
    uint16_t sel = u->imm2;

    if (u->opcode == 0xff) {
        uint64_t ea = soft_ea(s, u);
        t.off = soft_load(s, u->seg, ea, u->opsize);
        sel = (uint16_t)soft_load(s, u->seg, low_bytes(ea + u->opsize, u->asize), 2);
    }
    far_transfer(s, sel, &t);
}

void op_jmp_far(struct soft *s, const struct uop *u)
{
    jmp_or_call(s, u, false);
}

void op_call_far(struct soft *s, const struct uop *u)
{
    jmp_or_call(s, u, true);
}

/* ---- RET ---- */

/* RET and IRET go to the ring that is the RPL of the popped CS.  An inner one than now is
 * refused: the word comes from a stack that the program could have written to. */
struct segment return_code(struct soft *s, uint16_t sel)
{
    unsigned rpl = sel & 3;
    struct descriptor d;

    if (null_selector(sel))
        gp_because(s, OBSTACLE_SEL_NULL, sel);
    if (!desc_fetch(s, sel, &d) || bad_code(s, &d) || rpl < s->cpl ||
        (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
        fault_desc(s, OBSTACLE_SEL_RETURN, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    return code_segment(s, &d, rpl);
}

/* The stack pushed when the inner ring was entered.  In 64-bit mode SS may be null, except in
 * ring 3: a kernel does not need it there. */
struct stack outer_stack(struct soft *s, uint16_t sel, uint64_t sp, const struct segment *cs)
{
    unsigned rpl = cs->sel & 3;
    bool to64 = long_mode(s) && (cs->attr & SEG_L);
    struct stack st = { .sp = sp, .access = rpl == 3 ? WALK_USER : 0 };
    struct descriptor d;

    if (null_selector(sel)) {
        if (!to64 || rpl == 3 || (sel & 3) != rpl)
            gp_because(s, OBSTACLE_SEL_NULL, sel);
        st.ss = null_segment(sel, rpl);
    } else {
        if (!desc_fetch(s, sel, &d) || (sel & 3) != rpl || !desc_writable(&d) ||
            desc_dpl(&d) != rpl)
            fault_desc(s, OBSTACLE_SEL_SS, VEC_GP, &d);
        if (!desc_present(&d))
            fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_SS, sel);
        desc_set_accessed(s, &d);
        st.ss = desc_segment(&d);
    }
    st.width = to64 ? 8 : st.ss.attr & SEG_DB ? 4 : 2;
    return st;
}

static void ret_real(struct soft *s, struct stack *st, unsigned size, unsigned extra)
{
    uint64_t rip = stack_pop(s, st, size);
    struct segment cs = real_segment(s, SEG_CS, (uint16_t)stack_pop(s, st, size));

    if (rip > cs.limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, rip);
    stack_skip(st, extra);
    soft_write_reg(s, RSP, st->width, st->sp);
    enter_code(s, &cs, rip);
}

/* RET n releases n bytes of parameters, on both stacks if the ring changes: the gate had
 * copied them.  Returning outward, data segments that the outer ring may not use become null
 * (drop_inner_segments()), or a kernel's pointers would be left lying about.
 * [SDM 2B "RET-Return From Procedure"] */
void op_ret_far(struct soft *s, const struct uop *u)
{
    unsigned size = u->opsize;
    unsigned extra = u->opcode == 0xca ? u->imm & 0xffff : 0;
    struct stack st = stack_current(s), outer;
    struct segment cs;
    uint64_t rip, sp;

    if (real_mode(s) || v86_mode(s)) {
        ret_real(s, &st, size, extra);
        return;
    }
    rip = stack_pop(s, &st, size);
    cs = return_code(s, (uint16_t)stack_pop(s, &st, size));
    stack_skip(&st, extra);
    if ((cs.sel & 3) == s->cpl) {
        check_target(s, &cs, rip);
        soft_write_reg(s, RSP, st.width, st.sp);
        enter_code(s, &cs, rip);
        return;
    }
    sp = stack_pop(s, &st, size);
    outer = outer_stack(s, (uint16_t)stack_pop(s, &st, size), sp, &cs);
    check_target(s, &cs, rip);
    stack_skip(&outer, extra);
    stack_commit(s, &outer);
    enter_code(s, &cs, rip);
    drop_inner_segments(s);
    soft_mode_changed(s);
}
