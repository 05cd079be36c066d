/*
 * cpu/soft/ops/x87_env.c -- the FPU's environment in memory, in its four layouts.
 *
 * Seven words or doublewords by operand size: control, status and tag word,
 * then the pointers to the last instruction and operand, which real and
 * virtual-8086 mode pack as 20-bit or 32-bit linear addresses.  FNSAVE lets the
 * registers follow, ten bytes each, ST(0) first.
 * [SDM 1 "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE"]
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/ops/x87.h"

enum { VALID, ZERO, SPECIAL, EMPTY };           /* two bits of the full tag word */

/* TOP, the number of the physical register that is ST(0) now: bits 13:11 of the status
 * word. */
static unsigned top_of(const struct fxsave *f)
{
    return f->fsw >> 11 & 7;
}

/* The tag of a register that is not empty.  An 80-bit number has its leading 1 written out
 * (bit 63 of the mantissa); zero has neither exponent nor mantissa, and what has no leading
 * 1 is denormal or no number that the FPU makes.  [SDM 1 "x87 FPU Tag Word"] */
static unsigned classify(const uint8_t st[16])
{
    uint64_t mantissa;
    uint16_t exponent;

    memcpy(&mantissa, st, 8);
    memcpy(&exponent, st + 8, 2);
    exponent &= 0x7fff;
    if (!exponent && !mantissa)
        return ZERO;
    return exponent == 0x7fff || !(mantissa >> 63) ? SPECIAL : VALID;
}

/* The FXSAVE image has one bit for each register (not empty), the environment two (its
 * class).  Tags are by physical number, the registers in the image by distance from TOP. */
static uint16_t full_tags(const struct fxsave *f)
{
    unsigned tags = 0;

    for (unsigned r = 0; r < 8; r++) {
        unsigned tag = f->ftw >> r & 1 ? classify(f->st[(r - top_of(f)) & 7]) : EMPTY;
        tags |= tag << 2 * r;
    }
    return (uint16_t)tags;
}

/* And back: what is not EMPTY exists, and its class is found out from its value when it is
 * needed. */
static uint8_t short_tags(uint16_t tags)
{
    unsigned bits = 0;

    for (unsigned r = 0; r < 8; r++)
        bits |= (unsigned)((tags >> 2 * r & 3) != EMPTY) << r;
    return (uint8_t)bits;
}

/* ---- the seven fields ---- */

enum { N_FIELDS = 7 };

/* Real and virtual-8086 mode have linear addresses where others have offset and selector. */
static bool has_packed_pointers(const struct soft *s)
{
    return s->mode == MODE_REAL || s->mode == MODE_V86;
}

/* The seven fields, in order; n is their size.  With 32-bit fields in protected mode:
 *
 *   31            16 15             0
 *   reserved (ones)  control word        0
 *   reserved (ones)  status word         4
 *   reserved (ones)  tag word            8
 *   instruction pointer                 12
 *   0 0 opcode(10:0) its selector       16
 *   operand pointer                     20
 *   reserved (ones)  its selector       24
 *
 * This CPU keeps no selectors: they are 0, and CPUID says so. */
static void to_fields(const struct soft *s, const struct fxsave *f, unsigned n,
                      uint32_t out[N_FIELDS])
{
    unsigned high = n == 2 ? 0xf : 0xffff;      /* of the pointers, above bit 15 */

    out[0] = f->fcw;
    out[1] = f->fsw;
    out[2] = full_tags(f);
    if (has_packed_pointers(s)) {
        out[3] = f->fip & 0xffff;
        out[4] = (uint32_t)(f->fip >> 16 & high) << 12 | (f->fop & 0x7ff);
        out[5] = f->fdp & 0xffff;
        out[6] = (uint32_t)(f->fdp >> 16 & high) << 12;
    } else {
        out[3] = (uint32_t)f->fip;
        out[4] = n == 4 ? (uint32_t)(f->fop & 0x7ff) << 16 : 0;
        out[5] = (uint32_t)f->fdp;
        out[6] = 0;
    }
    for (unsigned i = 0; n == 4 && i < 3; i++)
        out[i] |= 0xffff0000;                   /* reserved; processors write ones */
    if (n == 4 && !has_packed_pointers(s))
        out[6] |= 0xffff0000;
}

/* What a guest may have made up is corrected before the host's FPU gets to see it
 * (x87_sanitize). */
static void from_fields(const struct soft *s, struct fxsave *f, unsigned n,
                        const uint32_t in[N_FIELDS])
{
    f->fcw = (uint16_t)in[0];
    x87_set_status(f, (uint16_t)in[1]);
    f->ftw = short_tags((uint16_t)in[2]);
    if (has_packed_pointers(s)) {
        f->fip = (in[3] & 0xffff) | (in[4] >> 12) << 16;
        f->fop = in[4] & 0x7ff;
        f->fdp = (in[5] & 0xffff) | (in[6] >> 12) << 16;
    } else {
        f->fip = in[3];
        f->fdp = in[5];
        if (n == 4)
            f->fop = in[4] >> 16 & 0x7ff;
    }
    x87_sanitize(f);
}

/* ---- to and from memory ---- */

static unsigned field_size(const struct uop *u)
{
    return u->opsize == 2 ? 2 : 4;
}

static unsigned access_of(const struct soft *s)
{
    return s->cpl == 3 ? WALK_USER : 0;
}

/* The linear address of it all, checked for its whole length. */
static gla_t environment_at(struct soft *s, const struct uop *u, bool and_registers,
                            unsigned access)
{
    unsigned bytes = N_FIELDS * field_size(u) + (and_registers ? 80 : 0);

    return soft_linear(s, u->seg, soft_ea(s, u), bytes, access);
}

/* FNSTENV masks all exceptions afterwards, so that a handler can go on computing; FNSAVE
 * leaves the FPU as FNINIT does.  The probe comes first: after it no store can fault. */
void x87_store_env(struct soft *s, const struct uop *u, struct fxsave *f, bool and_registers)
{
    unsigned n = field_size(u), access = access_of(s) | WALK_WRITE;
    gla_t at = environment_at(s, u, and_registers, access);
    uint32_t field[N_FIELDS];

    soft_lin_probe(s, at, N_FIELDS * n + (and_registers ? 80 : 0), access);
    to_fields(s, f, n, field);
    for (unsigned i = 0; i < N_FIELDS; i++, at += n)
        soft_lin_store(s, at, n, field[i], access);
    if (!and_registers) {
        f->fcw |= X87_EXCEPTIONS;
        x87_summarize(f);
        return;
    }
    for (unsigned i = 0; i < 8 * 5; i++, at += 2) {     /* words, lest #AC ask for more than n */
        uint16_t word;
        memcpy(&word, f->st[i / 5] + i % 5 * 2, 2);
        soft_lin_store(s, at, 2, word, access);
    }
    x87_init(f);
}

/* FLDENV and FRSTOR. f is the caller's copy, so a fault in the middle changes nothing. */
void x87_load_env(struct soft *s, const struct uop *u, struct fxsave *f, bool and_registers)
{
    unsigned n = field_size(u), access = access_of(s);
    gla_t at = environment_at(s, u, and_registers, access);
    uint32_t field[N_FIELDS];

    for (unsigned i = 0; i < N_FIELDS; i++, at += n)
        field[i] = (uint32_t)soft_lin_load(s, at, n, access);
    from_fields(s, f, n, field);
    for (unsigned i = 0; and_registers && i < 8 * 5; i++, at += 2) {
        uint16_t word = (uint16_t)soft_lin_load(s, at, 2, access);
        memcpy(f->st[i / 5] + i % 5 * 2, &word, 2);
    }
}
