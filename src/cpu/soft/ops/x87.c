/*
 * cpu/soft/ops/x87.c -- floating point, on the host's own FPU.
 *
 * Arithmetic is not sensitive: it sees and changes nothing but the FPU's
 * registers, so by Popek and Goldberg's theorem it may run directly.  The
 * guest's registers are an FXSAVE image; around each instruction they are
 * loaded into the host's FPU and stored again (x87_host.S).  What *is*
 * sensitive stays here: #NM and #MF, the operand's way to and from guest
 * memory, the pointers to the last instruction, EFLAGS and AX.
 *
 * An instruction works on a copy, so one that faults on its operand has
 * changed nothing.  The host never sees an encoding it might not have: the
 * tables below list what exists.
 *
 * With CR0.NE clear an unmasked exception should reach the guest as IRQ 13,
 * by way of FERR#.  That wire is not there: we do as if IGNNE# were asserted.
 * [SDM 1 "Programming with the x87 FPU"]
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/ops/x87.h"

uint64_t x87_on_host(struct fxsave *f, const uint8_t *form, void *operand, uint64_t rflags);
extern const uint8_t x87_register_forms[8][64][4], x87_memory_forms[8][8][4];

/* For each opcode D8 to DF and each ModRM.reg, which ModRM.rm exist; old
 * synonyms that every processor still has are among them. */
static const uint8_t register_forms[8][8] = {
    { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
    { 0xff, 0xff, 0x01, 0xff, 0x33, 0x7f, 0xff, 0xff },
    { 0xff, 0xff, 0xff, 0xff, 0x00, 0x02, 0x00, 0x00 },
    { 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x00 },
    { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
    { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00 },
    { 0xff, 0xff, 0xff, 0x02, 0xff, 0xff, 0xff, 0xff },
    { 0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0x00 },
};

/* What an instruction with a memory operand does with it. */
enum { ABSENT, LOAD, STORE, LOAD_ENV, STORE_ENV, LOAD_ALL, STORE_ALL };
#define L(n) { LOAD, n }
#define S(n) { STORE, n }
#define NONE { ABSENT, 0 }

/* The same for memory forms: what becomes of the operand, and its size.  FISTTP
 * (reg 1 of DB, DD, DF) came with SSE3, which we do not have. */
static const struct memory_form { uint8_t what, size; } memory_forms[8][8] = {
    { L(4), L(4), L(4), L(4), L(4), L(4), L(4), L(4) },
    { L(4), NONE, S(4), S(4), { LOAD_ENV, 0 }, L(2), { STORE_ENV, 0 }, S(2) },
    { L(4), L(4), L(4), L(4), L(4), L(4), L(4), L(4) },
    { L(4), NONE, S(4), S(4), NONE, L(10), NONE, S(10) },
    { L(8), L(8), L(8), L(8), L(8), L(8), L(8), L(8) },
    { L(8), NONE, S(8), S(8), { LOAD_ALL, 0 }, NONE, { STORE_ALL, 0 }, S(2) },
    { L(2), L(2), L(2), L(2), L(2), L(2), L(2), L(2) },
    { L(2), NONE, S(2), S(2), L(10), L(8), S(10), S(8) },
};

/* An ESC instruction as the manual names its parts. */
struct esc { uint8_t opcode, modrm, reg, rm; };     /* opcode: 0 for D8 ... 7 for DF */

/* The decoder has put opcode and ModRM into the immediate. */
static struct esc esc_of(const struct uop *u)
{
    uint8_t modrm = (uint8_t)(u->imm >> 8);

    return (struct esc){ u->imm & 7, modrm, modrm >> 3 & 7, modrm & 7 };
}

/* Is it the register form with these two bytes, as the manual writes them? */
#define IS(e, op, byte) ((e)->opcode == (op) - 0xd8 && (e)->modrm == (byte))

/* Those that do not wait for a pending exception: FNINIT, FNCLEX and what the
 * 8087 and 287 had beside them; FNSTSW, FNSTCW, FNSTENV, FNSAVE. */
static bool waits(const struct esc *e, bool mem)
{
    if (mem)
        return !((e->opcode == 1 && e->reg >= 6) || (e->opcode == 5 && e->reg >= 6));
    return !((e->opcode == 3 && e->reg == 4) || IS(e, 0xdf, 0xe0));
}

/* Control instructions leave the pointers to the last instruction alone. */
static bool is_control(const struct esc *e, bool mem)
{
    return !waits(e, mem) || (mem && e->opcode == 1 && e->reg >= 4) ||
           (mem && e->opcode == 5 && e->reg == 4);
}

/* ES says that an exception is flagged that is not masked; the next waiting instruction
 * reports it.  [SDM 1 "x87 FPU Status Register"] */
void x87_summarize(struct fxsave *f)
{
    f->fsw &= (uint16_t)~X87_SUMMARY;
    if (f->fsw & ~f->fcw & X87_EXCEPTIONS)
        f->fsw |= X87_SUMMARY;
}

/* The image holds ST(0) first.  A new TOP makes other physical registers ST(0), so the
 * array is turned by the difference. */
void x87_set_status(struct fxsave *f, uint16_t fsw)
{
    unsigned turn = ((fsw >> 11) - (f->fsw >> 11)) & 7;
    uint8_t old[8][16];

    memcpy(old, f->st, sizeof old);
    for (unsigned i = 0; i < 8; i++)
        memcpy(f->st[i], old[(i + turn) & 7], sizeof f->st[i]);
    f->fsw = fsw;
}

/* All exceptions masked, 64-bit precision, rounding to nearest; all registers empty. */
void x87_init(struct fxsave *f)
{
    x87_set_status(f, 0);
    f->fcw = 0x37f;
    f->fop = 0;
    f->ftw = 0;
    f->fip = f->fdp = 0;
}

/* Reserved bits of the control word and of MXCSR take the values that hardware has. */
void x87_sanitize(struct fxsave *f)
{
    f->fcw = (f->fcw & 0x1f3f) | 0x40;
    f->mxcsr &= 0xffff;
    x87_summarize(f);
}

/* ---- the host's part ---- */

/* Run it on f; the last-instruction pointers and MXCSR stay the guest's. */
static uint64_t on_host(struct fxsave *f, const uint8_t *form, void *operand, uint64_t rflags)
{
    uint8_t kept[offsetof(struct fxsave, st) - offsetof(struct fxsave, fop)];

    memcpy(kept, &f->fop, sizeof kept);
    rflags = x87_on_host(f, form, operand, (rflags & FLAGS_ARITH) | FLAG_ONE | FLAG_IF);
    memcpy(&f->fop, kept, sizeof kept);
    return rflags;
}

/* As on_host(), with the exceptions that IGNNE# hides put aside. */
static uint64_t run_ignoring(struct fxsave *f, const uint8_t *form, void *operand, uint64_t rflags)
{
    uint16_t hidden = 0;

    if (f->fsw & X87_SUMMARY) {
        hidden = f->fsw & X87_EXCEPTIONS;
        f->fsw &= (uint16_t)~(X87_SUMMARY | X87_EXCEPTIONS);
    }
    rflags = on_host(f, form, operand, rflags);
    f->fsw |= hidden;
    x87_summarize(f);
    return rflags;
}

/* ---- memory forms ---- */

/* The operand may be at an address of any kind, and up to ten bytes long: in parts of
 * eight. */
static void load_operand(struct soft *s, const struct uop *u, uint8_t *to, unsigned size)
{
    uint64_t at = soft_ea(s, u), part;

    for (unsigned n = 0; n < size; n += 8) {
        unsigned some = size - n < 8 ? size - n : 8;
        part = soft_load(s, u->seg, low_bytes(at + n, u->asize), some);
        memcpy(to + n, &part, some);
    }
}

/* All of it is probed before the first part is written. */
static void store_operand(struct soft *s, const struct uop *u, const uint8_t *from, unsigned size)
{
    unsigned access = WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0);
    gla_t at = soft_linear(s, u->seg, soft_ea(s, u), size, access);

    soft_lin_probe(s, at, size, access);
    for (unsigned n = 0; n < size; n += 8) {
        unsigned some = size - n < 8 ? size - n : 8;
        uint64_t part = 0;
        memcpy(&part, from + n, some);
        soft_lin_store(s, at + n, some, part, access);
    }
}

/* An unmasked exception other than "inexact" keeps the result from being
 * stored.  [SDM 1 "Handling x87 FPU Exceptions in Software"] */
static bool result_stored(const struct fxsave *f)
{
    return !(f->fsw & ~f->fcw & X87_EXCEPTIONS & ~X87_PRECISION);
}

/* ESC with a memory operand.  Stores run the host's instruction into a buffer first:
 * whether its result is to be stored is known only afterwards. */
static void memory_operation(struct soft *s, const struct uop *u, struct fxsave *f,
                             const struct esc *e)
{
    const struct memory_form *m = &memory_forms[e->opcode][e->reg];
    const uint8_t *form = x87_memory_forms[e->opcode][e->reg];
    uint8_t operand[16] = { 0 };

    switch (m->what) {
    case ABSENT:    fault_because(s, OBSTACLE_NO_INSN, 0, VEC_UD, 0);
    case LOAD_ENV:  x87_load_env(s, u, f, false);  return;
    case LOAD_ALL:  x87_load_env(s, u, f, true);   return;
    case STORE_ENV: x87_store_env(s, u, f, false); return;
    case STORE_ALL: x87_store_env(s, u, f, true);  return;
    case LOAD:
        load_operand(s, u, operand, m->size);
        run_ignoring(f, form, operand, 0);
        return;
    default:
        if (waits(e, true)) {
            run_ignoring(f, form, operand, 0);
            if (!result_stored(f))
                return;
        } else {
            memcpy(operand, e->opcode == 1 ? &f->fcw : &f->fsw, 2);     /* FNSTCW, FNSTSW */
        }
        store_operand(s, u, operand, m->size);
    }
}

/* ---- register forms ---- */

/* ESC with a register.  Those that would touch the host's FPU state as a whole are done in
 * C. */
static void register_operation(struct soft *s, struct fxsave *f, const struct esc *e)
{
    const uint8_t *form = x87_register_forms[e->opcode][e->modrm & 63];
    bool compares = (e->opcode == 3 || e->opcode == 7) && (e->reg == 5 || e->reg == 6);
    uint64_t flags;

    if (!(register_forms[e->opcode][e->reg] >> e->rm & 1))
        fault_because(s, OBSTACLE_NO_INSN, 0, VEC_UD, 0);
    if (IS(e, 0xdf, 0xe0)) {                /* FNSTSW AX */
        soft_write_reg(s, RAX, 2, f->fsw);
    } else if (IS(e, 0xdb, 0xe2)) {         /* FNCLEX */
        f->fsw &= 0x7f00;
    } else if (IS(e, 0xdb, 0xe3)) {
        x87_init(f);
    } else if (!waits(e, false)) {
        ;                                   /* FNENI, FNDISI, FNSETPM: of the 8087 and 287 */
    } else {
        flags = run_ignoring(f, form, NULL, soft_flags(s));
        if (compares)                       /* FCOMI and its kin */
            soft_set_flags(s, (soft_flags(s) & ~FLAGS_ARITH) | (flags & FLAGS_ARITH));
    }
}

/* ---- one instruction ---- */

/* Remember where this instruction and its operand were, for a handler of #MF.  [SDM 1 "x87
 * FPU Instruction and Operand (Data) Pointers"] */
static void point_at(struct soft *s, const struct uop *u, struct fxsave *f, const struct esc *e)
{
    f->fop = (uint16_t)(e->opcode << 8 | e->modrm);
    f->fip = rip_mask(s, uop_rip(s, u));
    if (u->mem)
        f->fdp = soft_ea(s, u);
}

/* Of EM and TS together EM is told: it is the one that a kernel sets and forgets. */
_Noreturn void fpu_not_available(struct soft *s)
{
    fault_because(s, s->cr0 & CR0_EM ? OBSTACLE_FPU_EMULATED : OBSTACLE_FPU_SWITCHED, s->cr0,
                  VEC_NM, 0);
}

/* One x87 instruction.  First what forbids it: EM or TS, by which a kernel saves and loads
 * FPU state only for tasks that use it; then an exception that an earlier instruction has
 * left pending.  [SDM 3A "Control Registers"] */
SLOW void x87(struct soft *s, const struct uop *u)
{
    struct esc e = esc_of(u);
    _Alignas(16) struct fxsave f = s->fpu;

    s->cur = u;
    if (s->cr0 & (CR0_EM | CR0_TS))
        fpu_not_available(s);
    if (waits(&e, u->mem) && (f.fsw & X87_SUMMARY) && (s->cr0 & CR0_NE))
        fault_because(s, OBSTACLE_FPU_PENDING, f.fsw, VEC_MF, 0);
    if (u->mem)
        memory_operation(s, u, &f, &e);
    else
        register_operation(s, &f, &e);
    if (!is_control(&e, u->mem))
        point_at(s, u, &f, &e);
    s->fpu = f;
}

void op_x87(struct soft *s, const struct uop *u)
{
    x87(s, u);
    NEXT(s, u);
}

/* FWAIT looks at MP and TS together.  [SDM 2A "WAIT/FWAIT-Wait"] */
void op_fwait(struct soft *s, const struct uop *u)
{
    s->cur = u;
    if ((s->cr0 & CR0_MP) && (s->cr0 & CR0_TS))
        fpu_not_available(s);
    if ((s->fpu.fsw & X87_SUMMARY) && (s->cr0 & CR0_NE))
        fault_because(s, OBSTACLE_FPU_PENDING, s->fpu.fsw, VEC_MF, 0);
    NEXT(s, u);
}
