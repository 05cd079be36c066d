/*
 * cpu/soft/ops/sse.c -- MMX, SSE and SSE2, on the host's own registers.
 *
 * As with x87.c: arithmetic is not sensitive, so it may run directly.  But no
 * register is swapped in that the instruction does not name.  Its operands,
 * wherever they are -- XMM registers, memory, general registers -- go to register
 * 0 and register 1 of the host, which runs the one form of the opcode that
 * there is (sse_host.S), and register 0 is the result.
 *
 * What is sensitive is done here: #UD, #NM and #MF, alignment, memory, MXCSR's
 * exceptions.  The host runs with all of them masked; what then stands in MXCSR
 * tells whether the guest, who may have unmasked some, gets #XM instead of a
 * result.  [SDM 1 "SSE and SSE2 Exceptions"]
 */
#include "cpu/soft/exec.h"

enum { MXCSR_UE = 1 << 4, BEFORE_COMPUTING = 7 /* IE DE ZE */ };

/* ---- may it run? ---- */

/* Does the instruction name an MMX register? */
static bool has_mmx(const struct uop *u, const struct sse_op *o)
{
    return o->reg == SSE_M || (o->rm == SSE_M && !u->mem);
}

_Noreturn void sse_not_enabled(struct soft *s)
{
    if (s->cr0 & CR0_EM)
        fault_because(s, OBSTACLE_SSE_EMULATED, s->cr0, VEC_UD, 0);
    fault_because(s, OBSTACLE_SSE_OFF, s->cr4, VEC_UD, 0);
}

/* EM or no OSFXSR: #UD.  TS: #NM, as for x87.c.  An instruction with MMX registers also
 * reports a pending x87 exception, for the registers are the FPU's.  [SDM 3A "Emulation of
 * SSE Extensions"; SDM 2A "MMX Instructions", exceptions] */
static void check_allowed(struct soft *s, const struct uop *u, const struct sse_op *o)
{
    s->cur = u;
    if (o->flags & SSE_FREE)
        return;
    if ((s->cr0 & CR0_EM) || (!(s->cr4 & CR4_OSFXSR) && (o->reg == SSE_X || o->rm == SSE_X)))
        sse_not_enabled(s);
    if (s->cr0 & CR0_TS)
        fpu_not_available(s);
    if (has_mmx(u, o) && (s->fpu.fsw & X87_SUMMARY) && (s->cr0 & CR0_NE))
        fault_because(s, OBSTACLE_FPU_PENDING, s->fpu.fsw, VEC_MF, 0);
}

/* ---- MMX registers: the mantissas of the FPU's, by their physical numbers ---- */

/* MMn is the mantissa of physical register n; the image has registers by distance from TOP. */
static uint8_t *mmx_register(struct soft *s, unsigned nr)
{
    return s->fpu.st[(nr - (s->fpu.fsw >> 11)) & 7];
}

/* "TOS is 0, the entire tag word valid" after an MMX instruction.
 * [SDM 3A "Effect of MMX Instructions on x87 FPU State"] */
static void mmx_mode(struct soft *s)
{
    x87_set_status(&s->fpu, (uint16_t)(s->fpu.fsw & ~UINT16_C(0x3800)));
    s->fpu.ftw = 0xff;
}

/* An MMX write sets the exponent to all ones, so the FPU would see it as no number. */
static void mmx_write(struct soft *s, unsigned nr, const void *from)
{
    memcpy(mmx_register(s, nr), from, 8);
    memset(mmx_register(s, nr) + 8, 0xff, 2);
}

/* ---- operands ---- */

/* Where register nr of a class is. */
static uint8_t *of_class(struct soft *s, unsigned class, unsigned nr)
{
    return class == SSE_X ? s->fpu.xmm[nr] : class == SSE_M ? mmx_register(s, nr & 7)
                          : (uint8_t *)&s->gpr[nr];
}

/* True, and *p is the operand in host memory, if its address is flat, aligned if it must
 * be, and in the TLB. */
INLINE bool find_quickly(struct soft *s, const struct uop *u, unsigned tag, uint8_t **p)
{
    gla_t at = flat_address(s, u, u->av);

    return u->av != AG && !((u->sse->flags & SSE_ALIGNED) && at & 15) &&
           tlb_hit(s, at, u->imm2, tag, p);
}

/* The general way.  A misaligned operand of an instruction that wants alignment is #GP(0). */
static gla_t rm_address(struct soft *s, const struct uop *u, unsigned access)
{
    return u->sse->flags & SSE_ALIGNED ? gen_aligned_address(s, u, u->imm2, 16, access)
                                       : gen_address(s, u, u->imm2, access);
}

/* The r/m operand from memory, u->imm2 bytes. */
static void load_rm(struct soft *s, const struct uop *u, void *to)
{
    unsigned n = u->imm2, access = s->cpl == 3 ? WALK_USER : 0;
    uint64_t v;
    uint8_t *p;

    if (find_quickly(s, u, TAG_R, &p)) {
        memcpy(to, p, n);
        return;
    }
    gla_t at = rm_address(s, u, 0);
    for (unsigned i = 0; i < n; i += 8) {
        v = soft_lin_load(s, at + i, n < 8 ? n : 8, access);
        memcpy((uint8_t *)to + i, &v, n < 8 ? n : 8);
    }
}

/* And to memory.  If it takes two stores, both are probed before. */
static void store_rm(struct soft *s, const struct uop *u, const void *from)
{
    unsigned n = u->imm2, access = WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0);
    uint64_t v = 0;
    uint8_t *p;

    if (find_quickly(s, u, TAG_W, &p)) {
        memcpy(p, from, n);
        return;
    }
    gla_t at = rm_address(s, u, WALK_WRITE);
    if (n > 8)
        soft_lin_probe(s, at, n, access);
    for (unsigned i = 0; i < n; i += 8) {
        memcpy(&v, (const uint8_t *)from + i, n < 8 ? n : 8);
        soft_lin_store(s, at + i, n < 8 ? n : 8, v, access);
    }
}

/* ---- on the host ---- */

/* Does it underflow?  With the exception unmasked, UE is raised for every tiny result, also
 * for an exact one; masked, as the host runs it, only for an inexact one.  Running it once
 * more with results flushed to zero shows the others.  (PE beside UE would be about a
 * result with an unbounded exponent, which is not to be had.) [SDM 1 "Numeric Underflow
 * Exception (#U)"] */
static uint32_t underflow_of_tiny(struct sse_io io, const uint8_t *form, bool mmx)
{
    io.mxcsr |= MXCSR_FTZ;
    (mmx ? sse_mmx_on_host : sse_fp_on_host)(&io, form);
    return io.mxcsr & MXCSR_UE;
}

/* Run under the guest's MXCSR, but with all exceptions masked.  Which ones were raised is
 * read from MXCSR afterwards; one that the guest has unmasked becomes #XM, or #UD if the
 * guest's kernel has not said that it handles #XM (OSXMMEXCPT).  IE, DE and ZE are found
 * before computing, and suppress the others.  [SDM 1 "SSE and SSE2 Exceptions"] */
static void run_fp(struct soft *s, const struct uop *u, struct sse_io *io, bool mmx)
{
    uint32_t masks = s->fpu.mxcsr >> 7 & MXCSR_EXCEPTIONS, unmasked, raised;
    struct sse_io before;

    io->mxcsr = (s->fpu.mxcsr & ~(uint32_t)MXCSR_EXCEPTIONS) | MXCSR_EXCEPTIONS << 7;
    if (!(masks & MXCSR_UE))
        io->mxcsr &= ~(uint32_t)MXCSR_FTZ;
    before = *io;
    (mmx ? sse_mmx_on_host : sse_fp_on_host)(io, u->host);
    raised = io->mxcsr & MXCSR_EXCEPTIONS;
    if (UNLIKELY(!(masks & MXCSR_UE)))
        raised |= underflow_of_tiny(before, u->host, mmx);
    unmasked = raised & ~masks;
    if (unmasked & BEFORE_COMPUTING)
        raised &= BEFORE_COMPUTING;         /* nothing was computed */
    s->fpu.mxcsr |= raised;
    if (UNLIKELY(unmasked) && (s->cr4 & CR4_OSXMMEXCPT))
        fault_because(s, OBSTACLE_SIMD, s->fpu.mxcsr, VEC_XM, 0);
    if (UNLIKELY(unmasked))
        fault_because(s, OBSTACLE_SIMD_UNKNOWN, s->cr4, VEC_UD, 0);
}

/* Choose the way to the host by what state the instruction touches. */
static void run_on_host(struct soft *s, const struct uop *u, struct sse_io *io)
{
    bool mmx = u->sse->reg == SSE_M || u->sse->rm == SSE_M;

    if (u->sse->flags & SSE_FP) {
        run_fp(s, u, io, mmx);
    } else if (mmx) {
        io->mxcsr = MXCSR_RESET;
        sse_mmx_on_host(io, u->host);
    } else {
        sse_on_host(io, u->host);
    }
}

/* Register 0 or 1 of a class in what goes to the host. */
static void *place_in_io(struct sse_io *io, unsigned class, unsigned nr)
{
    return class == SSE_X ? (void *)io->xmm[nr] : class == SSE_M ? (void *)&io->mm[nr]
                          : (void *)&io->gpr[nr];
}

static const uint8_t class_bytes[] = { [SSE_X] = 16, [SSE_M] = 8, [SSE_G] = 8 };

/* Operand reg into register 0, r/m into register 1. */
static void gather_operands(struct soft *s, const struct uop *u, struct sse_io *io)
{
    const struct sse_op *o = u->sse;

    memset(io, 0, sizeof *io);
    memcpy(place_in_io(io, o->reg, 0), of_class(s, o->reg, u->reg), class_bytes[o->reg]);
    if (u->mem)
        load_rm(s, u, place_in_io(io, o->rm, 1));
    else
        memcpy(place_in_io(io, o->rm, 1), of_class(s, o->rm, u->rm), class_bytes[o->rm]);
}

/* reg = reg OP r/m */
SLOW void compute(struct soft *s, const struct uop *u)
{
    const struct sse_op *o = u->sse;
    struct sse_io io;

    check_allowed(s, u, o);
    gather_operands(s, u, &io);
    if (has_mmx(u, o))
        mmx_mode(s);                        /* even if MXCSR's exceptions follow */
    run_on_host(s, u, &io);
    if (o->reg == SSE_M)
        mmx_write(s, u->reg & 7, &io.mm[0]);
    else
        memcpy(of_class(s, o->reg, u->reg), place_in_io(&io, o->reg, 0), class_bytes[o->reg]);
}

/* COMISS and its kin: the result is in RFLAGS. */
SLOW void compare(struct soft *s, const struct uop *u)
{
    struct sse_io io;

    check_allowed(s, u, u->sse);
    gather_operands(s, u, &io);
    run_on_host(s, u, &io);
    soft_set_flags(s, (soft_flags(s) & ~FLAGS_ARITH) | (io.flags & FLAGS_ARITH));
}

/* rm = rm SHIFT imm8.  The host runs the form that takes its count from a register. */
SLOW void shift(struct soft *s, const struct uop *u)
{
    const struct sse_op *o = u->sse;
    struct sse_io io = { .xmm[1][0] = (uint8_t)u->imm, .mm[1] = u->imm };

    check_allowed(s, u, o);
    if (o->rm == SSE_M)
        mmx_mode(s);
    memcpy(place_in_io(&io, o->rm, 0), of_class(s, o->rm, u->rm), class_bytes[o->rm]);
    run_on_host(s, u, &io);
    if (o->rm == SSE_M)
        mmx_write(s, u->rm & 7, &io.mm[0]);
    else
        memcpy(s->fpu.xmm[u->rm], io.xmm[0], 16);
}

/* PSRLDQ, PSLLDQ: by bytes.  The 16 bytes that are wanted are cut out of a row of zeros,
 * the register, and zeros again. */
SLOW void shift_bytes(struct soft *s, const struct uop *u)
{
    uint8_t *x = s->fpu.xmm[u->rm], wide[48] = { 0 };
    unsigned by = u->imm < 16 ? (unsigned)u->imm : 16;

    check_allowed(s, u, u->sse);
    memcpy(wide + 16, x, 16);
    memcpy(x, u->sse->group == 3 ? wide + 16 + by : wide + 16 - by, 16);
}

/* ---- moves ---- */

/* Write n bytes of v, from byte o->from on, into a register at byte o->to.  The rest of an
 * XMM register becomes 0, or stays (SSE_KEEP). */
static void put_register(struct soft *s, unsigned class, unsigned nr, const struct sse_op *o,
                         unsigned n, const uint8_t *v)
{
    uint8_t *r;

    if (class == SSE_M) {
        mmx_write(s, nr & 7, v);
        return;
    }
    r = of_class(s, class, nr);
    if (!(o->flags & SSE_KEEP))
        memset(r, 0, class_bytes[class]);
    memcpy(r + o->to, v + o->from, n);
}

/* reg = r/m */
SLOW void load(struct soft *s, const struct uop *u)
{
    const struct sse_op *o = u->sse;
    uint8_t v[16] = { 0 };

    check_allowed(s, u, o);
    if (u->mem)
        load_rm(s, u, v);
    if (has_mmx(u, o))
        mmx_mode(s);
    if (!u->mem)
        memcpy(v, of_class(s, o->rm, u->rm), o->rm == SSE_G ? u->imm2 : class_bytes[o->rm]);
    put_register(s, o->reg, u->reg, o, u->imm2, v);
}

/* r/m = reg */
SLOW void store(struct soft *s, const struct uop *u)
{
    const struct sse_op *o = u->sse;
    uint8_t v[16];

    check_allowed(s, u, o);
    memcpy(v, of_class(s, o->reg, u->reg), class_bytes[o->reg]);
    if (u->mem)
        store_rm(s, u, v + o->from);
    if (has_mmx(u, o))
        mmx_mode(s);
    if (!u->mem)
        put_register(s, o->rm, u->rm, o, u->imm2, v);
}

/* The bytes of reg whose sign bit is set in r/m, to DS:rDI. */
SLOW void maskmov(struct soft *s, const struct uop *u)
{
    const struct sse_op *o = u->sse;
    unsigned n = u->imm2, access = WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0);
    uint8_t v[16], mask[16];

    check_allowed(s, u, o);
    memcpy(v, of_class(s, o->reg, u->reg), n);
    memcpy(mask, of_class(s, o->rm, u->rm), n);
    gla_t at = soft_linear(s, u->seg, low_bytes(s->gpr[RDI], u->asize), n, WALK_WRITE);
    for (unsigned i = 0; i < n; i++)
        if (mask[i] & 0x80)
            soft_lin_probe(s, at + i, 1, access);
    for (unsigned i = 0; i < n; i++)
        if (mask[i] & 0x80)
            soft_lin_store(s, at + i, 1, v[i], access);
    if (o->reg == SSE_M)
        mmx_mode(s);
}

/* All FPU registers empty: x87 code may run again.  [SDM 2A "EMMS-Empty MMX Technology
 * State"] */
SLOW void emms(struct soft *s, const struct uop *u)
{
    check_allowed(s, u, u->sse);
    mmx_mode(s);
    s->fpu.ftw = 0;
}

/* ---- the handlers ----
 *
 * Most operands are whole XMM registers, or 16 bytes of memory that the TLB
 * knows: those are moved, and given to the host, where they are. */

/* Nothing forbids SSE: check_allowed() would let it pass. */
INLINE bool is_sse_on(const struct soft *s)
{
    return !(s->cr0 & (CR0_EM | CR0_TS)) && (s->cr4 & CR4_OSFXSR);
}

/* Where r/m is, if it is all of an XMM register, or so much memory; else NULL. */
INLINE uint8_t *whole_rm(struct soft *s, const struct uop *u, unsigned tag)
{
    uint8_t *p;

    if (UNLIKELY(u->imm2 != 16 || u->sse->rm != SSE_X || !is_sse_on(s)))
        return NULL;
    if (!u->mem)
        return s->fpu.xmm[u->rm];
    return find_quickly(s, u, tag, &p) ? p : NULL;
}

void sse_load(struct soft *s, const struct uop *u)
{
    const uint8_t *rm = whole_rm(s, u, TAG_R);

    if (LIKELY(rm != NULL))
        memmove(s->fpu.xmm[u->reg], rm, 16);
    else
        load(s, u);
    NEXT(s, u);
}

void sse_store(struct soft *s, const struct uop *u)
{
    uint8_t *rm = whole_rm(s, u, TAG_W);

    if (LIKELY(rm != NULL))
        memmove(rm, s->fpu.xmm[u->reg], 16);
    else
        store(s, u);
    NEXT(s, u);
}

void sse_compute(struct soft *s, const struct uop *u)
{
    const uint8_t *rm = u->sse->flags & SSE_FP || u->sse->reg != SSE_X ? NULL
                      : whole_rm(s, u, TAG_R);

    if (LIKELY(rm != NULL))
        sse_in_place_on_host(s->fpu.xmm[u->reg], rm, u->host);
    else
        compute(s, u);
    NEXT(s, u);
}

/* The rest are rare: the work in a SLOW function, then on to the next instruction. */
#define HANDLER(name) \
void sse_##name(struct soft *s, const struct uop *u) \
{ \
    name(s, u); \
    NEXT(s, u); \
}
HANDLER(compare)
HANDLER(shift)
HANDLER(shift_bytes)
HANDLER(maskmov)
HANDLER(emms)
