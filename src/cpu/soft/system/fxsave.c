/*
 * cpu/soft/system/fxsave.c -- FXSAVE, FXRSTOR, LDMXCSR, STMXCSR.
 *
 * The image that cpu_state and the interpreter keep is the very one that
 * FXSAVE64 writes.  Without REX.W the pointers to the last instruction have 32
 * bits and a selector, which is 0: CPUID leaf 7 says so.  Outside 64-bit mode
 * there are eight XMM registers.  What follows them in the image is not touched.
 * [SDM 2A "FXSAVE-Save x87 FPU, MMX Technology, and SSE State"]
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/ops/sse.h"
#include "cpu/soft/system/system.h"

#include <Zydis/Mnemonic.h>

static unsigned access_of(const struct soft *s)
{
    return s->cpl == 3 ? WALK_USER : 0;
}

/* Header and x87 registers, then 16 XMM registers, or 8 outside 64-bit mode. */
static unsigned bytes_used(const struct soft *s)
{
    return (unsigned)offsetof(struct fxsave, xmm) + (code64(s) ? 256 : 128);
}

/* The linear address of the image.  What forbids it is checked in the processor's order,
 * the alignment last. */
static gla_t image_at(struct soft *s, const struct uop *u, unsigned access)
{
    gla_t at;

    if (s->cr0 & (CR0_EM | CR0_TS))
        fpu_not_available(s);
    at = gen_address(s, u, sizeof(struct fxsave), access);
    if (at & 15)                        /* checked last; SSE's operands first */
        fault_because(s, OBSTACLE_OPERAND_16, at, VEC_GP, 0);
    return at;
}

/* With REX.W the pointers have 64 bits. */
static bool has_wide_pointers(const struct uop *u)
{
    return u->mnemonic == ZYDIS_MNEMONIC_FXSAVE64 || u->mnemonic == ZYDIS_MNEMONIC_FXRSTOR64;
}

/* The probe comes first: after it no store can fault, so memory never holds half an image. */
void op_fxsave(struct soft *s, const struct uop *u)
{
    gla_t at = image_at(s, u, WALK_WRITE);
    struct fxsave f = s->fpu;
    uint64_t part;

    f.mxcsr_mask = MXCSR_DEFINED;
    if (!has_wide_pointers(u)) {
        f.fip = (uint32_t)f.fip;
        f.fdp = (uint32_t)f.fdp;
    }
    soft_lin_probe(s, at, sizeof f, access_of(s) | WALK_WRITE);
    for (unsigned i = 0; i < bytes_used(s); i += 8) {
        memcpy(&part, (const uint8_t *)&f + i, 8);
        soft_lin_store(s, at + i, 8, part, access_of(s));
    }
}

/* Into a copy, which becomes the FPU's state when nothing can fault any more.  Reserved
 * bits of MXCSR are #GP(0).  [SDM 2A "FXRSTOR-Restore x87 FPU, MMX, XMM, and MXCSR State"] */
void op_fxrstor(struct soft *s, const struct uop *u)
{
    gla_t at = image_at(s, u, 0);
    struct fxsave f = s->fpu;
    uint64_t part;

    for (unsigned i = 0; i < bytes_used(s); i += 8) {
        part = soft_lin_load(s, at + i, 8, access_of(s));
        memcpy((uint8_t *)&f + i, &part, 8);
    }
    if (f.mxcsr & ~(uint32_t)MXCSR_DEFINED)
        fault_because(s, OBSTACLE_MXCSR_RESERVED, f.mxcsr, VEC_GP, 0);
    if (!has_wide_pointers(u)) {
        f.fip = (uint32_t)f.fip;
        f.fdp = (uint32_t)f.fdp;
    }
    x87_sanitize(&f);
    s->fpu = f;
}

/* The conditions of every SSE instruction.  [SDM 3A "Emulation of SSE Extensions"] */
static void check_sse(struct soft *s)
{
    if ((s->cr0 & CR0_EM) || !(s->cr4 & CR4_OSFXSR))
        sse_not_enabled(s);
    if (s->cr0 & CR0_TS)
        fpu_not_available(s);
}

void op_ldmxcsr(struct soft *s, const struct uop *u)
{
    uint32_t value;

    check_sse(s);
    value = (uint32_t)gen_load(s, u, 4);
    if (value & ~(uint32_t)MXCSR_DEFINED)
        fault_because(s, OBSTACLE_MXCSR_RESERVED, value, VEC_GP, 0);
    s->fpu.mxcsr = value;
}

void op_stmxcsr(struct soft *s, const struct uop *u)
{
    check_sse(s);
    gen_store(s, u, 4, s->fpu.mxcsr);
}
