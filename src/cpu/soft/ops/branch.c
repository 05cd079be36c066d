/*
 * cpu/soft/ops/branch.c -- near jumps, calls and returns; Jcc, LOOP, JCXZ.
 *
 * The last micro-operation of a block.  A direct branch has its targets worked
 * out by the decoder: taken in u->imm, not taken (or the return address) in
 * u->disp; FOLLOW remembers the blocks there.  An indirect one goes by JUMP.
 * A target beyond the CS limit, or not canonical, is #GP(0) at the branch.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* ---- Jcc and JMP ---- */

/* A handler for each of the sixteen conditions.  [SDM 2A "Jcc-Jump if Condition Is Met"] */
#define JCC(cc)                                                                 \
static void jcc##cc(struct soft *s, const struct uop *u)                        \
{                                                                               \
    BRANCH(s, u, cc_cond(s, cc));                                               \
}
JCC_CONDITIONS(JCC)
#define JCC_ROW(cc) jcc##cc,
static op_fn *const jcc_rows[16] = { JCC_CONDITIONS(JCC_ROW) };

/* Used to fuse a Jcc with the operation before it (alu_and_jcc); *cc is the condition. */
bool is_jcc(op_fn *fn, unsigned *cc)
{
    for (*cc = 0; *cc < 16; ++*cc)
        if (jcc_rows[*cc] == fn)
            return true;
    return false;
}

/* A direct jump goes where the link leads, with no look-up. */
static void jmp_rel(struct soft *s, const struct uop *u)
{
    FOLLOW(s, u, 0);
}

/* ---- LOOP and JCXZ: the counter is as wide as addresses ---- */

/* Count RCX, ECX or CX down by one without touching a flag.  False: it is 0 now.  [SDM 2A
 * "LOOP/LOOPcc-Loop According to ECX Counter"] */
INLINE bool loop_counts(struct soft *s, const struct uop *u)
{
    uint64_t left = low_bytes(s->gpr[RCX] - 1, u->asize);

    reg_set(s, RCX, 0, u->asize, left);
    return left != 0;
}

static void loop(struct soft *s, const struct uop *u)
{
    if (loop_counts(s, u))
        FOLLOW(s, u, 0);
    FOLLOW(s, u, 1);
}

/* LOOPE goes on while the counter is not 0 and ZF is 1: a search that ends at the first
 * difference. */
static void loope(struct soft *s, const struct uop *u)
{
    if (loop_counts(s, u) && cc_zf(s))
        FOLLOW(s, u, 0);
    FOLLOW(s, u, 1);
}

static void loopne(struct soft *s, const struct uop *u)
{
    if (loop_counts(s, u) && !cc_zf(s))
        FOLLOW(s, u, 0);
    FOLLOW(s, u, 1);
}

/* JCXZ tests the counter and does not change it; it guards a loop that may run zero times. */
static void jcxz(struct soft *s, const struct uop *u)
{
    if (low_bytes(s->gpr[RCX], u->asize) == 0)
        FOLLOW(s, u, 0);
    FOLLOW(s, u, 1);
}

/* ---- the general ways, any stack and any mode ---- */

_Noreturn static void fault_outside(struct soft *s, uint64_t to)
{
    fault_because(s, s->mode == MODE_LONG64 ? OBSTACLE_CANONICAL : OBSTACLE_BRANCH_LIMIT, to,
                  VEC_GP, 0);
}

/* In 64-bit mode a target must be canonical (bits 63:47 all equal), elsewhere within the
 * limit of CS.  It is checked before anything is pushed: the fault is the branch's, with the
 * stack as before it.  [SDM 3A "Canonical Addressing"] */
static void check_target(struct soft *s, uint64_t to)
{
    bool ok = s->mode == MODE_LONG64 ? (uint64_t)((int64_t)(to << 16) >> 16) == to
                                     : to <= s->seg[SEG_CS].limit;

    if (!ok)
        fault_outside(s, to);
}

/* Direct branches whose target the decoder found to be outside. */
static void branch_outside(struct soft *s, const struct uop *u)
{
    s->cur = u;
    fault_outside(s, u->imm);
}

/* Conditional branches whose target is outside fault only when they are taken, and LOOP has
 * counted nothing then.  So whether it will be taken is found out first. */
SLOW void branch_outside_if(struct soft *s, const struct uop *u)
{
    uint64_t count = low_bytes(s->gpr[RCX], u->asize);
    bool taken;

    s->cur = u;
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_LOOP:   taken = count != 1; break;
    case ZYDIS_MNEMONIC_LOOPE:  taken = count != 1 && cc_zf(s); break;
    case ZYDIS_MNEMONIC_LOOPNE: taken = count != 1 && !cc_zf(s); break;
    case ZYDIS_MNEMONIC_JCXZ: case ZYDIS_MNEMONIC_JECXZ: case ZYDIS_MNEMONIC_JRCXZ:
        taken = count == 0; break;
    default: taken = cc_cond(s, u->imm2); break;
    }
    if (taken)
        fault_outside(s, u->imm);
    if (u->mnemonic == ZYDIS_MNEMONIC_LOOP || u->mnemonic == ZYDIS_MNEMONIC_LOOPE ||
        u->mnemonic == ZYDIS_MNEMONIC_LOOPNE)
        loop_counts(s, u);
    FOLLOW(s, u, 1);
}

/* CALL pushes the address of the next instruction, which the decoder left in u->disp. */
SLOW void call_rel(struct soft *s, const struct uop *u)
{
    s->cur = u;
    soft_push(s, u->opsize, (uint64_t)u->disp);
    FOLLOW(s, u, 0);
}

/* The target is read before the push: it may lie on the stack, "CALL [ESP]". */
SLOW void call_indirect(struct soft *s, const struct uop *u)
{
    uint64_t to;

    s->cur = u;
    to = soft_read_rm(s, u, u->opsize);
    check_target(s, to);
    soft_push(s, u->opsize, u->imm);
    JUMP(s, to);
}

/* JMP to the address in a register or in memory. */
SLOW void jmp_indirect(struct soft *s, const struct uop *u)
{
    uint64_t to;

    s->cur = u;
    to = soft_read_rm(s, u, u->opsize);
    check_target(s, to);
    JUMP(s, to);
}

/* RET n takes n bytes of parameters off the stack, behind the return address.  If the
 * target is bad the pop is undone.  [SDM 2B "RET-Return From Procedure"] */
SLOW void ret(struct soft *s, const struct uop *u)
{
    uint64_t sp = s->gpr[RSP], to;

    s->cur = u;
    to = soft_pop(s, u->opsize);
    if (s->mode == MODE_LONG64 ? (uint64_t)((int64_t)(to << 16) >> 16) != to
                               : to > s->seg[SEG_CS].limit) {
        s->gpr[RSP] = sp;
        fault_outside(s, to);
    }
    if (u->imm)
        reg_set(s, RSP, 0, s->mode == MODE_LONG64 ? 8 : s->seg[SEG_SS].attr & SEG_DB ? 4 : 2,
                s->gpr[RSP] + u->imm);
    JUMP(s, to);
}

/* ---- flat stacks of n bytes an element: 8 in 64-bit mode, 4 in flat 32-bit ---- */

/* Canonical?  In flat 32-bit mode any target is within the limit. */
INLINE bool target_ok(unsigned n, uint64_t to)
{
    return n == 4 || (uint64_t)((int64_t)(to << 16) >> 16) == to;
}

/* Fast variants: the stack is flat and its elements are as wide as RSP or ESP.  If the page
 * of the stack is not in the TLB, or the target is bad, the general handler does it all and
 * finds out why. */
#define FLAT_STACK(n)                                                           \
static void call_rel##n(struct soft *s, const struct uop *u)                    \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RSP] - n, n);                                \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, sp, n, TAG_W, &p)))                                \
        TAIL(call_rel, s, u);                                                   \
    mem_put(p, n, (uint64_t)u->disp);                                           \
    s->gpr[RSP] = sp;                                                           \
    FOLLOW(s, u, 0);                                                            \
}                                                                               \
static void ret##n(struct soft *s, const struct uop *u)                         \
{                                                                               \
    uint64_t to;                                                                \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, low_bytes(s->gpr[RSP], n), n, TAG_R, &p)))         \
        TAIL(ret, s, u);                                                        \
    to = mem_get(p, n);                                                         \
    if (UNLIKELY(!target_ok(n, to)))                                            \
        TAIL(ret, s, u);                                                        \
    s->gpr[RSP] = low_bytes(s->gpr[RSP] + n + u->imm, n);                       \
    JUMP(s, to);                                                                \
}                                                                               \
static void call_r##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RSP] - n, n), to = reg_get(s, u->rm, 0, n);  \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!target_ok(n, to) || !tlb_hit(s, sp, n, TAG_W, &p)))           \
        TAIL(call_indirect, s, u);                                              \
    mem_put(p, n, u->imm);                                                      \
    s->gpr[RSP] = sp;                                                           \
    JUMP(s, to);                                                                \
}                                                                               \
static void jmp_r##n(struct soft *s, const struct uop *u)                       \
{                                                                               \
    uint64_t to = reg_get(s, u->rm, 0, n);                                      \
    if (UNLIKELY(!target_ok(n, to)))                                            \
        TAIL(jmp_indirect, s, u);                                               \
    JUMP(s, to);                                                                \
}
FLAT_STACK(4)
FLAT_STACK(8)

/* JMP through memory: jump tables, and calls into shared libraries by way of their tables. */
#define FLAT_JMP_M(n, av)                                                       \
static void jmp_m##n##_##av(struct soft *s, const struct uop *u)                \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_R, &p)))            \
        TAIL(jmp_indirect, s, u);                                               \
    uint64_t to = mem_get(p, n);                                                \
    if (UNLIKELY(!target_ok(n, to)))                                            \
        TAIL(jmp_indirect, s, u);                                               \
    JUMP(s, to);                                                                \
}
FLAT_JMP_M(4, A32)
FLAT_JMP_M(8, A64)

/* ---- choosing ---- */

/* Where a relative branch goes: relative to the next instruction, and truncated to the
 * operand size.  With a 16-bit operand a near branch clears the upper half of EIP. */
static uint64_t target(const struct uop *u, const struct insn *i)
{
    return low_bytes(i->next + u->imm, i->mode == MODE_LONG64 ? 8 : u->opsize == 2 ? 2 : 4);
}

/* The handler of a JMP or CALL through a register or memory.  u->imm is what CALL will
 * push. */
static op_fn *indirect(struct uop *u, const struct insn *i, bool call)
{
    unsigned n = i->n;

    u->imm = i->next;
    if (n == i->stack && i->form == F_R)
        return call ? n == 4 ? call_r4 : call_r8 : n == 4 ? jmp_r4 : jmp_r8;
    if (!call && n == i->stack && n == 8 && i->av == A64)
        return jmp_m8_A64;
    if (!call && n == i->stack && n == 4 && i->av == A32)
        return jmp_m4_A32;
    return call ? call_indirect : jmp_indirect;
}

/* The four branches that look at the counter. */
static op_fn *select_loop(unsigned mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_LOOP:   return loop;
    case ZYDIS_MNEMONIC_LOOPE:  return loope;
    case ZYDIS_MNEMONIC_LOOPNE: return loopne;
    default:                    return jcxz;
    }
}

/* The decoder works out direct targets here, once, so that the handler need only follow the
 * link. */
op_fn *select_branch(struct uop *u, const struct insn *i, bool *ends)
{
    *ends = true;
    if (i->mode == MODE_LONG64)
        u->opsize = 8;                  /* near branches: 66 is ignored, as on Intel */
    if (u->mnemonic == ZYDIS_MNEMONIC_RET) {
        u->imm &= 0xffff;
        return u->opsize == i->stack ? u->opsize == 4 ? ret4 : ret8 : ret;
    }
    if (i->form != F_I)
        return indirect(u, i, u->mnemonic == ZYDIS_MNEMONIC_CALL);
    u->imm = target(u, i);
    u->disp = (int64_t)i->next;
    if (i->mode == MODE_LONG64 ? !target_ok(8, u->imm) : u->imm > i->cs_limit) {
        u->imm2 = (uint16_t)i->cc;
        return u->mnemonic == ZYDIS_MNEMONIC_JMP || u->mnemonic == ZYDIS_MNEMONIC_CALL
               ? branch_outside : branch_outside_if;
    }
    if (u->mnemonic == ZYDIS_MNEMONIC_JMP)
        return jmp_rel;
    if (u->mnemonic == ZYDIS_MNEMONIC_CALL)
        return u->opsize == i->stack ? u->opsize == 4 ? call_rel4 : call_rel8 : call_rel;
    if (i->cc_branch)
        return jcc_rows[i->cc];
    return select_loop(u->mnemonic);
}
