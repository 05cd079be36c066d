/*
 * cpu/soft/ops/x87.h -- the FPU's registers, and the two halves of its implementation.
 *
 * x87.c runs instructions; x87_env.c is about the layouts in which FNSTENV and
 * FNSAVE put the registers into memory, and FLDENV and FRSTOR take them back.
 */
#ifndef CPU_SOFT_OPS_X87_H
#define CPU_SOFT_OPS_X87_H

#include "base/types.h"

struct soft;
struct uop;

/* [SDM 1 "FXSAVE and FXRSTOR Instructions"], the 64-bit layout */
struct fxsave {
    uint16_t fcw, fsw;
    uint8_t  ftw;               /* a bit per physical register: not empty */
    uint8_t  reserved;
    uint16_t fop;               /* last non-control instruction: opcode,  */
    uint64_t fip;               /* where it was,                          */
    uint64_t fdp;               /* and where its operand                  */
    uint32_t mxcsr, mxcsr_mask;
    uint8_t  st[8][16];         /* ST(0) to ST(7), 10 bytes of each       */
    uint8_t  xmm[16][16];
    uint8_t  unused[96];
};
_Static_assert(sizeof(struct fxsave) == 512, "the processor's layout");

enum {
    X87_EXCEPTIONS = 0x3f,      /* IE DE ZE OE UE PE of FSW; their masks in FCW */
    X87_PRECISION  = 0x20,
    X87_SUMMARY    = 0x8080,    /* ES, and B, its mirror */
};

/* Load FSW.  The image has the registers by distance from TOP, but it is the
 * physical ones that stay where they are when TOP changes. */
void x87_set_status(struct fxsave *f, uint16_t fsw);

/* ES and B follow the exceptions that are flagged and not masked. */
void x87_summarize(struct fxsave *f);

/* [SDM 2A "FINIT/FNINIT-Initialize Floating-Point Unit"] */
void x87_init(struct fxsave *f);

/* What set_state brings: nothing in it may upset the host's FXRSTOR. */
void x87_sanitize(struct fxsave *f);

/* FNSTENV, FNSAVE, FLDENV, FRSTOR at the operand of u; they may fault. */
void x87_store_env(struct soft *s, const struct uop *u, struct fxsave *f, bool and_registers);
void x87_load_env(struct soft *s, const struct uop *u, struct fxsave *f, bool and_registers);

/* #NM, because CR0.EM or CR0.TS is set. */
_Noreturn void fpu_not_available(struct soft *s);

#endif
