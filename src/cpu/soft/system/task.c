/*
 * cpu/soft/system/task.c -- switching tasks by hardware.
 *
 * A TSS holds the registers of a task that is not running.  JMP, CALL, IRET
 * with NT set, and interrupts through a task gate exchange the running task
 * for another: save here, load there.  Who may come back to whom is kept in
 * three places: the busy bit of each TSS descriptor, the back link in the new
 * TSS, and EFLAGS.NT:
 *
 *              old busy   new busy           new NT     new link
 *    JMP       cleared    set (was clear)    as saved   untouched
 *    CALL,INT  stays      set (was clear)    set        old TR
 *    IRET      cleared    stays (was set)    as saved   untouched
 *
 * Everything that can fault on the old task's account (limits, pages of both
 * TSSs) comes before the first change.  Afterwards the new task is running:
 * a bad segment in its TSS is its own fault, and RIP is already its own.  An exit to the
 * monitor may come anywhere and must not be noticed: before the commit point the switch
 * is begun again, behind it (task_arrive()) only what is left of it.
 *
 * [SDM 3A "Task Switching", "Task-State Segment (TSS)"]
 */
#include "cpu/soft/system/system.h"

#define TSS32_MIN 0x67          /* smallest limit */
#define TSS16_MIN 0x2b
#define TSS_LINK  0
#define TSS32_CR3 0x1c
#define TSS32_TRAP 0x64         /* bit 0: #DB on entry */

/* Where things are in the two kinds of TSS. */
struct layout {
    unsigned min, size, ip, flags, gpr, seg, n_segs, ldt;
};
static const struct layout layouts[2] = {
    { TSS16_MIN, 2, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a },
    { TSS32_MIN, 4, 0x20, 0x24, 0x28, 0x48, 6, 0x60 },
};

/* What is read from the new TSS before anything is changed. */
struct image {
    uint64_t cr3, ip, flags, gpr[8];
    uint16_t seg[6], ldt;
    bool     trap;
};

static const struct layout *layout_of(unsigned type)
{
    return &layouts[(type & 8) != 0];
}

/* The CPU accesses a TSS as a supervisor.  Outside of long mode, the only place for task
 * switches, addresses have 32 bits. */
static uint64_t tss_get(struct soft *s, uint64_t base, unsigned off, unsigned size)
{
    return soft_lin_load(s, (uint32_t)(base + off), size, WALK_SYSTEM);
}

static void tss_put(struct soft *s, uint64_t base, unsigned off, unsigned size, uint64_t value)
{
    soft_lin_store(s, (uint32_t)(base + off), size, low_bytes(value, size), WALK_SYSTEM);
}

static void read_image(struct soft *s, uint64_t base, const struct layout *l, struct image *m)
{
    bool wide = l->size == 4;

    *m = (struct image){ .cr3 = s->cr3 };
    if (wide) {
        m->cr3 = tss_get(s, base, TSS32_CR3, 4);
        m->trap = tss_get(s, base, TSS32_TRAP, 1) & 1;
    }
    m->ip = tss_get(s, base, l->ip, l->size);
    m->flags = tss_get(s, base, l->flags, l->size);
    for (unsigned i = 0; i < 8; i++)    /* a 16-bit TSS leaves the upper halves all ones */
        m->gpr[i] = tss_get(s, base, l->gpr + l->size * i, l->size) | (wide ? 0 : 0xffff0000);
    for (unsigned i = 0; i < l->n_segs; i++)
        m->seg[i] = (uint16_t)tss_get(s, base, l->seg + l->size * i, 2);
    m->ldt = (uint16_t)tss_get(s, base, l->ldt, 2);
}

/* The dynamic fields of the running task go back to its TSS. */
/* CR3 and the LDT are not saved: nothing that runs in the task can have changed them but a
 * kernel, which is supposed to write the TSS too. */
static void save_task(struct soft *s, uint64_t base, const struct layout *l, uint64_t flags)
{
    tss_put(s, base, l->ip, l->size, s->rip);
    tss_put(s, base, l->flags, l->size, flags);
    for (unsigned i = 0; i < 8; i++)
        tss_put(s, base, l->gpr + l->size * i, l->size, s->gpr[i]);
    for (unsigned i = 0; i < l->n_segs; i++)
        tss_put(s, base, l->seg + l->size * i, 2, s->seg[i].sel);
}

/* The busy bit of the task being left. */
static void leave_tss(struct soft *s)
{
    struct descriptor d;

    if (desc_fetch(s, s->seg[SEG_TR].sel, &d))
        desc_set_busy(s, &d, false);
}

/* ---- the new task's segments: faults are its own ---- */

/* A selector in a TSS was put there by a kernel, so a bad one is #TS, invalid TSS, where a MOV
 * would raise #GP.  The LDT comes first, because the others may be in it. */
static void load_task_ldt(struct soft *s, uint16_t sel)
{
    struct descriptor d;

    s->seg[SEG_LDTR] = null_segment(sel, 0);
    if (null_selector(sel))
        return;
    if (!desc_fetch_global(s, sel, &d) || !desc_system(&d) || desc_type(&d) != SYS_LDT ||
        !desc_present(&d))
        fault_desc(s, OBSTACLE_SEL_LDT, VEC_TS, &d);
    s->seg[SEG_LDTR] = desc_segment(&d);
}

static void load_task_code(struct soft *s, uint16_t sel)
{
    unsigned rpl = sel & 3;
    struct descriptor d;

    if (null_selector(sel))
        fault_because(s, OBSTACLE_SEL_NULL, sel, VEC_TS, delivers_external(s));
    if (!desc_fetch(s, sel, &d) || !desc_code(&d) ||
        (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
        fault_desc(s, OBSTACLE_SEL_CODE, VEC_TS, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    desc_set_accessed(s, &d);
    s->seg[SEG_CS] = desc_segment(&d);
}

static void load_task_stack(struct soft *s, uint16_t sel, unsigned cpl)
{
    struct descriptor d;

    if (null_selector(sel))
        fault_sel_because(s, OBSTACLE_SEL_NULL, VEC_TS, sel);
    if (!desc_fetch(s, sel, &d) || (sel & 3) != cpl || !desc_writable(&d) || desc_dpl(&d) != cpl)
        fault_desc(s, OBSTACLE_SEL_SS, VEC_TS, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_SS, sel);
    desc_set_accessed(s, &d);
    s->seg[SEG_SS] = desc_segment(&d);
}

static void load_task_data(struct soft *s, enum seg seg, uint16_t sel)
{
    struct descriptor d;

    if (null_selector(sel))
        return;
    if (!desc_fetch(s, sel, &d) || !desc_readable(&d) ||
        (!desc_conforming(&d) && ((sel & 3) > desc_dpl(&d) || s->cpl > desc_dpl(&d))))
        fault_desc(s, OBSTACLE_SEL_DATA, VEC_TS, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    desc_set_accessed(s, &d);
    s->seg[seg] = desc_segment(&d);
}

/* The visible parts are loaded all at once and marked unusable, then checked one by one.  If
 * one fails, the handler of the new task sees all selectors and can put the bad one right.
 * [SDM 3A "Task Switching", step 12 and following] */
static void load_task_segments(struct soft *s, const struct task_arrival *a)
{
    static const enum seg data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    unsigned cpl = s->flags & FLAG_VM ? 3 : a->seg[SEG_CS] & 3;

    for (unsigned i = SEG_ES; i <= SEG_GS; i++)         /* the hidden parts follow one by one */
        s->seg[i] = null_segment(a->seg[i], i == SEG_SS ? cpl : 0);
    soft_mode_changed(s);
    load_task_ldt(s, a->ldt);
    if (s->flags & FLAG_VM) {
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
            s->seg[i] = real_segment(s, (enum seg)i, a->seg[i]);
        soft_mode_changed(s);
        return;
    }
    load_task_code(s, a->seg[SEG_CS]);
    load_task_stack(s, a->seg[SEG_SS], cpl);
    soft_mode_changed(s);
    for (unsigned i = 0; i < NELEM(data); i++)
        load_task_data(s, data[i], a->seg[data[i]]);
    soft_mode_changed(s);
}

/* ---- the switch ---- */

/* Each task may have page tables of its own.  A monitor that wants to see CR3 loads sees this one
 * as a MOV to CR3 without length: RETIRE loads CR3, and when the arrival goes on it is the right
 * one already. */
static void load_cr3(struct soft *s, uint64_t cr3)
{
    struct vmexit *x;

    if (!(s->cr0 & CR0_PG) || cr3 == s->cr3)
        return;
    if (!s->ctl.cr3_load_exiting) {
        s->cr3 = cr3;
        soft_tlb_flush(s, false);
        return;
    }
    x = soft_exit_record(s, EXIT_CR_ACCESS);
    x->len = 0;
    x->cr.type = CR_MOV_TO;
    x->cr.nr = 3;
    x->cr.value = cr3;
    soft_leave(s);
}

static void push_error(struct soft *s, unsigned size, uint32_t error)
{
    struct stack st = stack_current(s);

    stack_push(s, &st, size, error);
    soft_write_reg(s, RSP, st.width, st.sp);
}

/* Everything behind the commit point.  An exit in here (a page of the GDT or of the new stack is
 * missing in the nested tables, say) leaves it pending, and it begins again when the guest is
 * entered next; so each step may be made twice.  A fault in here is the new task's: the switch is
 * over, and the handler finds what was loaded so far. */
void task_arrive(struct soft *s)
{
    const struct task_arrival *a = &s->arrival;

    load_cr3(s, a->cr3);
    load_task_segments(s, a);
    if (a->has_error)
        push_error(s, a->wide ? 4 : 2, a->error);
    if ((uint32_t)s->rip > s->seg[SEG_CS].limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, s->rip);
    if (a->trap)
        s->pending_db |= DR6_BT;
    s->arrival.pending = false;
}

/* The commit point: from here on the new task runs, and an instruction that has asked for that has
 * retired.
 *
 * TS is set so that the first floating-point instruction of the new task raises #NM: the
 * kernel then saves the old task's registers of the FPU, which no TSS has room for, and only
 * if somebody needs them.  [SDM 3A "Control Registers", CR0.TS] */
static void become_task(struct soft *s, const struct image *m, const struct segment *tr,
                        uint64_t flags)
{
    s->arrival.by_insn = s->cur;
    s->cur = NULL;
    s->in_system = false;
    s->n_supplied = s->next_supplied = 0;
    s->seg[SEG_TR] = *tr;
    s->cr0 |= CR0_TS;
    soft_set_flags(s, flags);
    for (unsigned i = 0; i < 8; i++)
        s->gpr[i] = m->gpr[i];
    s->rip = s->restart_rip = m->ip;
    s->dr[7] &= ~UINT64_C(0x155);       /* the local breakpoints were the old task's */
    s->arrival.cr3 = m->cr3;
    s->arrival.ldt = m->ldt;
    s->arrival.trap = m->trap;
    memcpy(s->arrival.seg, m->seg, sizeof m->seg);
    s->arrival.pending = true;
}

/* Pages that the first half writes to, and descriptors: what is missing is found out before
 * anything has changed. */
static void probe_switch(struct soft *s, const struct descriptor *d, const struct layout *from,
                         gla_t new_tss)
{
    const struct segment *old = &s->seg[SEG_TR];
    struct descriptor o;

    soft_lin_probe(s, (uint32_t)(old->base + from->ip), from->ldt - from->ip,
                   WALK_WRITE | WALK_SYSTEM);
    soft_lin_probe(s, (uint32_t)(new_tss + TSS_LINK), 2, WALK_WRITE | WALK_SYSTEM);
    soft_lin_probe(s, d->at + 5, 1, WALK_WRITE | WALK_SYSTEM);
    if (desc_fetch(s, old->sel, &o))
        soft_lin_probe(s, o.at + 5, 1, WALK_WRITE | WALK_SYSTEM);
}

/* The steps are those of the manual, in its order.  Up to become_task() a fault belongs to the old
 * task, which has not been left, and an exit begins the switch again; from there on see
 * task_arrive(). */
void task_switch(struct soft *s, struct descriptor *d, enum task_cause cause,
                 const uint32_t *error)
{
    const struct segment old = s->seg[SEG_TR];
    const struct layout *from = layout_of(old.attr & 0xf), *to = layout_of(desc_type(d));
    struct segment tr = desc_segment(d);
    uint64_t old_flags = soft_flags(s), flags;
    struct image m;

    if (tr.limit < to->min)
        fault_sel_because(s, OBSTACLE_TASK_TSS, VEC_TS, d->sel);
    if (old.limit < from->min || !(old.attr & SEG_P))
        fault_sel_because(s, OBSTACLE_TASK_LIMIT, VEC_TS, old.sel);
    read_image(s, tr.base, to, &m);
    if (to->size == 4 && (s->cr0 & CR0_PG) && m.cr3 != s->cr3)
        check_pdptes(s, s->cr0, m.cr3, s->cr4);
    probe_switch(s, d, from, tr.base);
    flags = (m.flags & 0x3f7fd7) | FLAG_ONE;
    if (cause == TASK_CALL || cause == TASK_INT) {
        tss_put(s, tr.base, TSS_LINK, 2, old.sel);
        flags |= FLAG_NT;
    }
    if (cause != TASK_INT)
        s->arrival.event.type = EVENT_NONE;
    s->arrival.steps = s->cur && (old_flags & FLAG_TF) && (cause != TASK_INT || (flags & FLAG_TF));
    s->arrival.wide = to->size == 4;
    s->arrival.has_error = error;
    s->arrival.error = error ? *error : 0;
    if (cause == TASK_IRET)
        old_flags &= ~FLAG_NT;
    save_task(s, old.base, from, old_flags);
    if (cause == TASK_JMP || cause == TASK_IRET)
        leave_tss(s);
    if (cause != TASK_IRET)
        desc_set_busy(s, d, true);
    tr.attr |= TSS_BUSY;
    become_task(s, &m, &tr, flags);
    task_arrive(s);
}

/* A task gate is an indirection: a descriptor that names a TSS.  In the IDT it makes a task of
 * an interrupt handler; a double fault is served so, since that needs no usable stack. */
void task_gate(struct soft *s, const struct descriptor *gate, enum task_cause cause,
               const uint32_t *error)
{
    uint16_t sel = gate_sel(gate);
    struct descriptor d;

    if (null_selector(sel) || !desc_fetch_global(s, sel, &d) || !desc_system(&d) ||
        (desc_type(&d) != SYS_TSS16 && desc_type(&d) != SYS_TSS32))
        fault_sel_because(s, OBSTACLE_TASK_TSS, VEC_GP, sel);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_TASK_TSS, VEC_NP, sel);
    task_switch(s, &d, cause, error);
}

/* IRET with NT set: back to the task whose TSS the link field names.  That one was left by a
 * CALL or an interrupt and is still busy; anything else there is #TS. */
void task_return(struct soft *s)
{
    uint16_t link = (uint16_t)tss_get(s, s->seg[SEG_TR].base, TSS_LINK, 2);
    struct descriptor d;

    if (null_selector(link) || !desc_fetch_global(s, link, &d) || !desc_system(&d) ||
        (desc_type(&d) != SYS_TSS16_BUSY && desc_type(&d) != SYS_TSS32_BUSY))
        fault_sel_because(s, OBSTACLE_TASK_LINK, VEC_TS, link);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, link);
    task_switch(s, &d, TASK_IRET, NULL);
}
