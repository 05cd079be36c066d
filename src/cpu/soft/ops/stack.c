/*
 * cpu/soft/ops/stack.c -- PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.
 *
 * The common ones, general registers on a flat stack, have fast variants.  The
 * others go element by element through SS with a copy of SP, which becomes SP
 * when nothing can fault any more.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* ---- general: any mode, any operand ---- */

/* How much of RSP is the stack pointer, in bytes: SS.B says so, not the operand size.  [SDM
 * 1 "Address-Size Attribute for Stack"] */
static unsigned sp_size(const struct soft *s)
{
    return s->mode == MODE_LONG64 ? 8 : s->seg[SEG_SS].attr & SEG_DB ? 4 : 2;
}

/* Push and pop by a copy of the stack pointer, sp, so that a fault in the middle of an
 * instruction leaves the register as it was. */
static void push_at(struct soft *s, uint64_t *sp, unsigned n, uint64_t v)
{
    *sp = low_bytes(*sp - n, sp_size(s));
    soft_store(s, SEG_SS, *sp, n, v);
}

static uint64_t pop_at(struct soft *s, uint64_t *sp, unsigned n)
{
    uint64_t v = soft_load(s, SEG_SS, low_bytes(*sp, sp_size(s)), n);

    *sp = low_bytes(*sp + n, sp_size(s));
    return v;
}

/* Nothing can fault any more: the copy becomes RSP, ESP or SP. */
static void commit_sp(struct soft *s, uint64_t sp)
{
    reg_set(s, RSP, 0, sp_size(s), sp);
}

/* PUSH of a register or of memory.  PUSH ESP pushes the value of before.  [SDM 2B
 * "PUSH-Push Word, Doubleword, or Quadword Onto the Stack"] */
SLOW void push_rm(struct soft *s, const struct uop *u)
{
    s->cur = u;
    soft_push(s, u->opsize, soft_read_rm(s, u, u->opsize));
    NEXT(s, u);
}

/* The immediate is sign-extended by the decoder and cut to the operand size here. */
SLOW void push_imm(struct soft *s, const struct uop *u)
{
    s->cur = u;
    soft_push(s, u->opsize, low_bytes(u->imm, u->opsize));
    NEXT(s, u);
}

/* The register is written after the stack pointer: POP ESP gives the value popped. */
SLOW void pop_r(struct soft *s, const struct uop *u)
{
    uint64_t v;

    s->cur = u;
    v = soft_pop(s, u->opsize);
    reg_set(s, u->rm, u->rm8, u->opsize, v);
    NEXT(s, u);
}

/* "If the ESP register is used as a base register ... the effective address is
 * computed after the POP increments ESP."  [SDM 2B "POP"] */
static void pop_m(struct soft *s, const struct uop *u)
{
    uint64_t old = s->gpr[RSP], sp = old, v, ea;

    s->cur = u;
    v = pop_at(s, &sp, u->opsize);
    commit_sp(s, sp);
    ea = soft_ea(s, u);
    s->gpr[RSP] = old;
    soft_store(s, u->seg, ea, u->opsize, v);
    commit_sp(s, sp);
    NEXT(s, u);
}

/* In real and virtual-8086 mode an SP of 7, 9, 11, 13 or 15 is #GP before anything is pushed.
 * (With 1, 3 or 5 the first word that does not fit is #SS, and there is no room for that
 * one's frame either: the processor shuts down.)
 * [SDM 2B "PUSHA/PUSHAD-Push All General-Purpose Registers"] */
static void check_odd_sp(struct soft *s)
{
    uint64_t sp = low_bytes(s->gpr[RSP], sp_size(s));

    if (s->mode <= MODE_V86 && (sp & 1) && sp >= 7 && sp <= 15)
        fault_because(s, OBSTACLE_SP_ODD, sp, VEC_GP, 0);
}

/* All eight registers, ESP among them as it was before.  POPA drops that one: it would change
 * the stack under its own feet.  A fault half way leaves in memory what was pushed before it,
 * below SP, where it counts for nothing: processors do so too, as tests/judge can see. */
static void pusha(struct soft *s, const struct uop *u)
{
    uint64_t sp = s->gpr[RSP];

    s->cur = u;
    check_odd_sp(s);
    for (unsigned r = RAX; r <= RDI; r++)
        push_at(s, &sp, u->opsize, low_bytes(s->gpr[r], u->opsize));
    commit_sp(s, sp);
    NEXT(s, u);
}

/* All are read before any is written, for a fault must leave the registers alone. */
static void popa(struct soft *s, const struct uop *u)
{
    uint64_t sp = s->gpr[RSP], v[8];

    s->cur = u;
    for (unsigned r = 0; r < 8; r++)
        v[r] = pop_at(s, &sp, u->opsize);
    for (unsigned r = RAX; r <= RDI; r++)
        if (r != RSP)
            reg_set(s, r, 0, u->opsize, v[7 - r]);
    commit_sp(s, sp);
    NEXT(s, u);
}

/* ENTER builds the frame of a procedure.  With a nesting level, as Pascal has, it copies the
 * frame pointers of the procedures around it, so that their variables can be found.
 * [SDM 2A "ENTER-Make Stack Frame for Procedure Parameters"] */
static void enter(struct soft *s, const struct uop *u)
{
    unsigned level = (unsigned)u->disp & 31, n = u->opsize;
    uint64_t sp = s->gpr[RSP], bp = s->gpr[RBP], frame;

    s->cur = u;
    push_at(s, &sp, n, low_bytes(bp, n));
    frame = (s->gpr[RSP] & ~low_bytes(~UINT64_C(0), sp_size(s))) | sp;      /* all of ESP */
    for (unsigned i = 1; i < level; i++) {
        bp = low_bytes(bp - n, sp_size(s));
        push_at(s, &sp, n, soft_load(s, SEG_SS, bp, n));
    }
    if (level)
        push_at(s, &sp, n, low_bytes(frame, n));
    sp = low_bytes(sp - (u->imm & 0xffff), sp_size(s));
    /* A fault must come now, not at the first use of the frame: "a write using
     * the final value of the stack pointer". */
    soft_lin_load(s, soft_linear(s, SEG_SS, sp, n, WALK_WRITE), n,
                  WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0));
    soft_write_reg(s, RBP, n, frame);
    commit_sp(s, sp);
    NEXT(s, u);
}

/* The end of a procedure: SP = BP, then pop BP.  [SDM 2A "LEAVE-High Level Procedure Exit"] */
SLOW void leave(struct soft *s, const struct uop *u)
{
    uint64_t sp = low_bytes(s->gpr[RBP], sp_size(s)), v;

    s->cur = u;
    v = pop_at(s, &sp, u->opsize);
    commit_sp(s, sp);
    reg_set(s, RBP, 0, u->opsize, v);
    NEXT(s, u);
}

/* ---- flags ---- */

/* The privilege level up to which IN, OUT, CLI and STI are allowed. */
static unsigned iopl(const struct soft *s)
{
    return (unsigned)(s->flags >> 12) & 3;
}

/* PUSHF in V86 mode with IOPL < 3: only its 16-bit form, and only with VME,
 * which shows VIF in the place of IF.  [SDM 3B "Virtual-8086 Mode Extensions"] */
static void pushf(struct soft *s, const struct uop *u)
{
    uint64_t f = soft_flags(s) & ~(FLAG_VM | FLAG_RF);

    s->cur = u;
    if (s->mode == MODE_V86 && iopl(s) < 3) {
        if (!(s->cr4 & CR4_VME) || u->opsize != 2)
            fault_because(s, OBSTACLE_V86_IOPL, iopl(s), VEC_GP, 0);
        f = (f & ~FLAG_IF) | FLAG_IOPL | (f & FLAG_VIF ? FLAG_IF : 0);
    }
    soft_push(s, u->opsize, low_bytes(f, u->opsize));
    NEXT(s, u);
}

/* What POPF can change at most.  VM, VIF and VIP are not among them, and RF is cleared. */
#define FLAGS_POPF16 (FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT)
#define FLAGS_POPF32 (FLAGS_POPF16 | FLAG_RF | FLAG_AC | FLAG_ID)

/* The flags that POPF may change at this privilege: IOPL in ring 0 only, IF up to IOPL.
 * [SDM 2B "POPF/POPFD/POPFQ"] */
static uint64_t popf_mask(const struct soft *s, unsigned n)
{
    uint64_t mask = n == 2 ? FLAGS_POPF16 : FLAGS_POPF32;

    if (s->cpl > 0)
        mask &= ~FLAG_IOPL;
    if (s->cpl > iopl(s))
        mask &= ~FLAG_IF;
    return mask;
}

/* In virtual-8086 mode with VME a change of IF goes to VIF instead, which the monitor of
 * the 8086 program looks at.  [SDM 3B "Virtual-8086 Mode Extensions"] */
static void popf_vme(struct soft *s, uint64_t f)
{
    uint64_t mask = FLAGS_POPF16 & ~(FLAG_IF | FLAG_IOPL);
    uint64_t old = soft_flags(s);

    soft_set_flags(s, (old & ~(mask | FLAG_VIF)) | (f & mask) | (f & FLAG_IF ? FLAG_VIF : 0));
}

/* POPF is the classic of what cannot be virtualized by trapping: in an outer ring the change of
 * IF is ignored without a fault, so a kernel that was moved there never notices, and neither
 * does its monitor.  [Robin and Irvine 2000; SDM 2B "POPF/POPFD/POPFQ"] */
static void popf(struct soft *s, const struct uop *u)
{
    bool vme = s->mode == MODE_V86 && iopl(s) < 3;
    uint64_t sp = s->gpr[RSP], f, mask = popf_mask(s, u->opsize);

    s->cur = u;
    if (vme && (!(s->cr4 & CR4_VME) || u->opsize != 2))
        fault_because(s, OBSTACLE_V86_IOPL, iopl(s), VEC_GP, 0);
    f = pop_at(s, &sp, u->opsize);
    if (vme && ((f & FLAG_TF) || ((f & FLAG_IF) && (s->flags & FLAG_VIP))))
        fault_because(s, OBSTACLE_V86_FLAGS, f, VEC_GP, 0);
    commit_sp(s, sp);
    if (vme)
        popf_vme(s, f);
    else
        soft_set_flags(s, ((soft_flags(s) & ~mask) | (f & mask)) & ~FLAG_RF);
    s->rip = u->imm;                    /* IF, TF or AC may have changed: see the run loop */
    s->cur = NULL;
}

/* ---- fast: flat stacks ---- */

/* PUSH, POP and LEAVE when the stack is flat and the operand is as wide as the stack
 * pointer.  A miss in the TLB hands the instruction to the general handler. */
#define FLAT(n)                                                                 \
static void push_r##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RSP] - n, n);                                \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, sp, n, TAG_W, &p)))                                \
        TAIL(push_rm, s, u);                                                    \
    mem_put(p, n, s->gpr[u->rm]);                                               \
    s->gpr[RSP] = sp;                                                           \
    NEXT(s, u);                                                                 \
}                                                                               \
static void push_i##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RSP] - n, n);                                \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, sp, n, TAG_W, &p)))                                \
        TAIL(push_imm, s, u);                                                   \
    mem_put(p, n, u->imm);                                                      \
    s->gpr[RSP] = sp;                                                           \
    NEXT(s, u);                                                                 \
}                                                                               \
static void pop_r##n(struct soft *s, const struct uop *u)                       \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RSP], n);                                    \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, sp, n, TAG_R, &p)))                                \
        TAIL(pop_r, s, u);                                                      \
    s->gpr[RSP] = low_bytes(sp + n, n);                                         \
    s->gpr[u->rm] = mem_get(p, n);                                              \
    NEXT(s, u);                                                                 \
}                                                                               \
static void leave##n(struct soft *s, const struct uop *u)                       \
{                                                                               \
    uint64_t sp = low_bytes(s->gpr[RBP], n);                                    \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, sp, n, TAG_R, &p)))                                \
        TAIL(leave, s, u);                                                      \
    s->gpr[RSP] = low_bytes(sp + n, n);                                         \
    s->gpr[RBP] = mem_get(p, n);                                                \
    NEXT(s, u);                                                                 \
}
FLAT(4)
FLAT(8)

/* ---- choosing ---- */

/* `flat` holds if i->stack, the width of a flat stack or 0, is the operand's size. */
static op_fn *select_push(const struct uop *u, const struct insn *i)
{
    bool flat = u->opsize == i->stack, four = u->opsize == 4;

    if (i->form == F_I)
        return flat ? four ? push_i4 : push_i8 : push_imm;
    return flat && i->form == F_R ? four ? push_r4 : push_r8 : push_rm;
}

/* POP to memory is rare enough for one handler. */
static op_fn *select_pop(const struct uop *u, const struct insn *i)
{
    bool flat = u->opsize == i->stack, four = u->opsize == 4;

    if (i->form == F_M)
        return pop_m;
    return flat ? four ? pop_r4 : pop_r8 : pop_r;
}

/* In 64-bit mode stack operations are 64 bits wide, or 16 with a prefix; 32 bits cannot be
 * had.  POPF ends its block, because it may allow interrupts, turn on single-stepping or
 * alignment checks. */
op_fn *select_stack(struct uop *u, const struct insn *i, bool *ends)
{
    if (i->mode == MODE_LONG64 && u->opsize == 4)
        u->opsize = 8;                  /* no 32-bit stack operations there */
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:  return select_push(u, i);
    case ZYDIS_MNEMONIC_POP:   return select_pop(u, i);
    case ZYDIS_MNEMONIC_PUSHA: case ZYDIS_MNEMONIC_PUSHAD: return pusha;
    case ZYDIS_MNEMONIC_POPA:  case ZYDIS_MNEMONIC_POPAD:  return popa;
    case ZYDIS_MNEMONIC_PUSHF: case ZYDIS_MNEMONIC_PUSHFD: case ZYDIS_MNEMONIC_PUSHFQ:
        return pushf;
    case ZYDIS_MNEMONIC_ENTER: return enter;
    case ZYDIS_MNEMONIC_LEAVE:
        return u->opsize == i->stack ? u->opsize == 4 ? leave4 : leave8 : leave;
    default:
        *ends = true;
        u->imm = i->next;
        return popf;
    }
}
