/*
 * cpu/soft/system/iret.c -- IRET: the way back from an interrupt or exception.
 *
 * It pops what delivery pushed (deliver.c): RIP, CS and RFLAGS always, RSP and SS if the
 * return goes to an outer ring, and in 64-bit mode always.  Besides, IRET is how a kernel
 * enters virtual-8086 mode (RFLAGS.VM set in the popped word) and how a task that was
 * called returns to its caller (RFLAGS.NT set, task.c).
 *
 * As with every far transfer, nothing is committed before all checks have passed.
 * [SDM 2A "IRET/IRETD/IRETQ-Interrupt Return"]
 */
#include "cpu/soft/system/system.h"

#define FLAGS_IRET16 (FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT)
#define FLAGS_IRET32 (FLAGS_IRET16 | FLAG_RF | FLAG_AC | FLAG_ID)

/* Of the popped word only the bits in `mask` count; the others stay.  A 16-bit IRET cannot
 * reach the upper half. */
static void load_flags(struct soft *s, uint64_t value, uint64_t mask, unsigned size)
{
    if (size == 2)
        mask &= 0xffff;
    soft_set_flags(s, (soft_flags(s) & ~mask) | (value & mask));
}

/* Which flags a return may change at this CPL and IOPL. */
/* A program that executes IRET must not gain by it: IF may be changed only with a CPL that
 * IOPL allows, IOPL itself only in ring 0.  The word is not refused, these bits are ignored:
 * an operating system in a ring it does not expect finds out nothing.  That such differences
 * do not trap is what makes the x86 hard to virtualize by trapping alone. */
static uint64_t return_mask(const struct soft *s)
{
    uint64_t mask = FLAGS_IRET32;

    if (s->cpl <= iopl(s))
        mask |= FLAG_IF;
    if (s->cpl == 0)
        mask |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
    return mask;
}

/* The 8086's IRET: IP, CS, FLAGS, no checks but the limit. */
static void iret_real(struct soft *s, unsigned size)
{
    struct stack st = stack_current(s);
    uint64_t rip = stack_pop(s, &st, size), flags;
    struct segment cs = real_segment(s, SEG_CS, (uint16_t)stack_pop(s, &st, size));

    flags = stack_pop(s, &st, size);
    if (rip > cs.limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, rip);
    soft_write_reg(s, RSP, st.width, st.sp);
    load_flags(s, flags, FLAGS_IRET32 | FLAG_IF | FLAG_IOPL, size);
    enter_code(s, &cs, rip);
}

/* IF of the popped word stands for VIF  [SDM 3B "Virtual-8086 Mode Extensions"] */
static void iret_vme(struct soft *s)
{
    struct stack st = stack_current(s);
    uint64_t rip = stack_pop(s, &st, 2), flags;
    struct segment cs = real_segment(s, SEG_CS, (uint16_t)stack_pop(s, &st, 2));

    flags = stack_pop(s, &st, 2);
    if ((flags & FLAG_TF) || ((flags & FLAG_IF) && (s->flags & FLAG_VIP)))
        gp_because(s, OBSTACLE_V86_FLAGS, flags);
    if (rip > cs.limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, rip);
    soft_write_reg(s, RSP, st.width, st.sp);
    flags |= flags & FLAG_IF ? FLAG_VIF : 0;
    load_flags(s, flags, (FLAGS_IRET16 & ~FLAG_TF) | FLAG_VIF, 4);
    enter_code(s, &cs, rip);
}

/* In virtual-8086 mode IRET is sensitive, since it would change IF.  With IOPL below 3 it
 * traps to the kernel, which emulates it; with VME the CPU itself does, on VIF. */
static void iret_v86(struct soft *s, unsigned size)
{
    struct stack st = stack_current(s);
    uint64_t rip, flags;
    struct segment cs;

    if (iopl(s) < 3) {
        if (!(s->cr4 & CR4_VME) || size != 2)
            gp_because(s, OBSTACLE_V86_IOPL, iopl(s));
        iret_vme(s);
        return;
    }
    rip = stack_pop(s, &st, size);
    cs = real_segment(s, SEG_CS, (uint16_t)stack_pop(s, &st, size));
    flags = stack_pop(s, &st, size);
    if (rip > cs.limit)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, rip);
    soft_write_reg(s, RSP, st.width, st.sp);
    load_flags(s, flags, FLAGS_IRET32 | FLAG_IF, size);
    enter_code(s, &cs, rip);
}

/* EIP, CS and EFLAGS are popped; ESP, SS, ES, DS, FS, GS follow. */
static void iret_to_v86(struct soft *s, struct stack *st, uint64_t rip, uint16_t cs, uint64_t flags)
{
    static const enum seg order[] = { SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    uint64_t sp = stack_pop(s, st, 4);
    uint16_t sel[NELEM(order)];
    struct segment code;

    for (unsigned i = 0; i < NELEM(order); i++)
        sel[i] = (uint16_t)stack_pop(s, st, 4);
    if (rip > 0xffff)
        gp_because(s, OBSTACLE_BRANCH_LIMIT, rip);
    load_flags(s, flags, FLAGS_IRET32 | FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_VIF | FLAG_VIP, 4);
    for (unsigned i = 0; i < NELEM(order); i++)
        s->seg[order[i]] = real_segment(s, order[i], sel[i]);
    code = real_segment(s, SEG_CS, cs);
    s->gpr[RSP] = sp;
    enter_code(s, &code, rip);
}

/* Back to the same ring or outward.  The flags are loaded late, when no check can fail any
 * more, but by the rights of the ring that executes IRET: hence the mask is worked out first. */
static void iret_protected(struct soft *s, unsigned size)
{
    struct stack st = stack_current(s);
    uint64_t mask = return_mask(s), rip = stack_pop(s, &st, size), flags, sp;
    uint16_t sel = (uint16_t)stack_pop(s, &st, size);
    bool was64 = code64(s), outer;
    struct segment cs;

    flags = stack_pop(s, &st, size);
    if ((flags & FLAG_VM) && size == 4 && s->cpl == 0 && !long_mode(s)) {
        iret_to_v86(s, &st, rip, sel, flags);
        return;
    }
    cs = return_code(s, sel);
    outer = (cs.sel & 3) != s->cpl;
    if (outer || was64) {       /* 64-bit mode always pops SS:RSP */
        sp = stack_pop(s, &st, size);
        st = outer_stack(s, (uint16_t)stack_pop(s, &st, size), sp, &cs);
    }
    check_target(s, &cs, rip);
    load_flags(s, flags, mask, size);
    stack_commit(s, &st);
    enter_code(s, &cs, rip);
    if (outer) {
        drop_inner_segments(s);
        soft_mode_changed(s);
    }
}

void op_iret(struct soft *s, const struct uop *u)
{
    if (real_mode(s)) {
        iret_real(s, u->opsize);
    } else if (v86_mode(s)) {
        iret_v86(s, u->opsize);
    } else if (s->flags & FLAG_NT) {
        if (long_mode(s))
            gp_because(s, OBSTACLE_TASK_LONG, 0);
        task_return(s);
    } else {
        iret_protected(s, u->opsize);
    }
}
