/*
 * vendor.c -- where AMD's processors do otherwise than Intel's, in ring 3.
 *
 * Our CPU is one of Intel's, and so is what generate.c draws: the cases are the same on
 * every host.  On a processor of AMD's a case that falls under a row of this table is not
 * compared, or only as far as the row says; all others are.  `judge --vendor amd` does the
 * same on any host, so what the table takes away can be counted on an Intel one.
 *
 * Two kinds of row: what the two manuals say differently, and what both leave undefined but
 * our CPU does as Intel's processors do.  Undefined flags are not here: no judge is asked
 * about them (undefined() in suits.c).
 *
 * vendor_test() holds every row against encodings it is about and neighbours it is not.
 * A new row: its test of the instruction, its line in `rows`, its samples in `samples`.
 */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#include "generate.h"

const char *const vendor_names[N_VENDORS] = { [VENDOR_INTEL] = "intel", [VENDOR_AMD] = "amd" };

/* CPUID leaf 0 spells the name in EBX, EDX, ECX; Hygon's processors are AMD's design.
 * A processor of anybody else is judged as Intel's.  [SDM 2A "CPUID-CPU Identification"] */
enum vendor host_vendor(void)
{
    unsigned a, name[3];

    if (!__get_cpuid(0, &a, &name[0], &name[2], &name[1]))
        return VENDOR_INTEL;
    return !memcmp(name, "AuthenticAMD", 12) || !memcmp(name, "HygonGenuine", 12) ? VENDOR_AMD : VENDOR_INTEL;
}

/* ---- which instructions a row is about ---- */

/* What a row sees of a case: the instruction decoded, the world's mode, and CL. */
struct seen {
    const ZydisDecodedInstruction *in;
    const ZydisDecodedOperand *op;
    enum world world;
    uint8_t cl;
};

static bool is_one_of(const struct seen *s, const ZydisMnemonic *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (s->in->mnemonic == list[i])
            return true;
    return false;
}

#define IS(s, ...) is_one_of(s, (const ZydisMnemonic[]){ __VA_ARGS__ }, \
                             NELEM(((const ZydisMnemonic[]){ __VA_ARGS__ })))

/* JMP, Jcc, CALL, RET, LOOP and JRCXZ with 66, which REX.W overrides. */
static bool narrow_branch(const struct seen *s)
{
    ZydisBranchType b = s->in->meta.branch_type;

    return s->world == W64 && (b == ZYDIS_BRANCH_TYPE_SHORT || b == ZYDIS_BRANCH_TYPE_NEAR) &&
           (s->in->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE);
}

static bool shifted_out(const struct seen *s)
{
    const ZydisDecodedOperand *count = &s->op[2];

    return IS(s, ZYDIS_MNEMONIC_SHLD, ZYDIS_MNEMONIC_SHRD) && s->in->operand_width == 16 &&
           ((count->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? count->imm.value.u : s->cl) & 31) > 16;
}

static bool wide_far_pointer(const struct seen *s)
{
    bool far = IS(s, ZYDIS_MNEMONIC_LSS) || s->in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

    return far && s->world == W64 && s->in->raw.rex.W && s->in->operand_count_visible &&
           s->op[s->in->operand_count_visible - 1].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool narrow_movsxd(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_MOVSXD) && s->in->operand_width == 16 &&
           s->op[1].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool pushed_selector(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_PUSH) && s->in->operand_width > 16 &&
           s->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(s->op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

static bool bswap16(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_BSWAP) && s->in->operand_width == 16;
}

static bool maybe_unwritten(const struct seen *s)
{
    return s->world == W64 && s->in->operand_width == 32 &&
           IS(s, ZYDIS_MNEMONIC_BSF, ZYDIS_MNEMONIC_BSR, ZYDIS_MNEMONIC_CMPXCHG);
}

static bool lar(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_LAR);
}

static bool prefetch_of_register(const struct seen *s)
{
    return s->in->opcode_map == ZYDIS_OPCODE_MAP_0F && s->in->opcode == 0x0d && s->in->raw.modrm.mod == 3;
}

static bool undefined_opcode(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1);
}

static bool loads_mxcsr(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_LDMXCSR, ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_FXRSTOR64);
}

static bool saves_fpu(const struct seen *s)
{
    return IS(s, ZYDIS_MNEMONIC_FXSAVE, ZYDIS_MNEMONIC_FXSAVE64);
}

/* ---- the table ---- */

enum { ANY = -1 };

enum row {
    NARROW_BRANCH, SHIFTED_OUT, WIDE_FAR_POINTER, NARROW_MOVSXD, PUSHED_SELECTOR, BSWAP16,
    MAYBE_UNWRITTEN, LAR_BITS, PREFETCH_OF_REGISTER, UNDEFINED_OPCODE, LOADS_MXCSR, SAVES_FPU,
    LOCK_MOV_CR, N_ROWS
};

static const struct vendor_row {
    const char *form;
    bool (*is)(const struct seen *s);
    int  our_vector;            /* only where our CPU ends with this one; ANY: always      */
    bool low_half;              /* the low halves of registers are compared, and all else  */
    const char *amd;            /* what AMD's processors do                                */
    const char *where;
} rows[N_ROWS] = {
    [NARROW_BRANCH] = { "near branch with 66, 64-bit mode", narrow_branch, ANY, false,
      "16-bit operands: RIP is cut to 16 bits, CALL and RET move 2 bytes; Intel's ignore 66",
      "[APM 3 \"JMP (Near)\"], [SDM 2A \"JMP-Jump\"]" },
    [SHIFTED_OUT] = { "SHLD, SHRD of 16 bits by more than 16", shifted_out, ANY, false,
      "another result: it is undefined", "[APM 3 \"SHLD\"], [SDM 2B \"SHLD-Double Precision Shift Left\"]" },
    [WIDE_FAR_POINTER] = { "far CALL, JMP, LSS of m16:64", wide_far_pointer, ANY, false,
      "REX.W is ignored: the pointer is m16:32", "[APM 3 \"CALL (Far)\"], [SDM 2A \"CALL-Call Procedure\"]" },
    [NARROW_MOVSXD] = { "MOVSXD r16, memory", narrow_movsxd, ANY, false,
      "reads 4 bytes, of which 2 may not be there; Intel's read 2",
      "[APM 3 \"MOVSXD\"], [SDM 2B \"MOVSX/MOVSXD-Move With Sign-Extension\"]" },
    [PUSHED_SELECTOR] = { "PUSH of a selector, 32 or 64 bits", pushed_selector, ANY, false,
      "zero-extends it; Intel's leave the upper bytes in memory as they were",
      "[APM 3 \"PUSH\"], [SDM 2B \"PUSH-Push Word, Doubleword, or Quadword Onto the Stack\"]" },
    [BSWAP16] = { "BSWAP r16", bswap16, ANY, false,
      "another result: it is undefined", "[APM 3 \"BSWAP\"], [SDM 2A \"BSWAP-Byte Swap\"]" },
    [MAYBE_UNWRITTEN] = { "BSF, BSR, CMPXCHG of 32 bits, 64-bit mode", maybe_unwritten, ANY, true,
      "a destination that keeps its value may lose its upper half",
      "[APM 3 \"BSF\"], [SDM 2A \"BSF-Bit Scan Forward\"]" },
    [LAR_BITS] = { "LAR", lar, ANY, false,
      "other bits 19:16: they are undefined", "[APM 3 \"LAR\"], [SDM 2A \"LAR-Load Access Rights Byte\"]" },
    [PREFETCH_OF_REGISTER] = { "0F 0D with a register", prefetch_of_register, ANY, false,
      "#UD: PREFETCH is of memory; to Intel's it is a NOP", "[APM 3 \"PREFETCH\"], [SDM 2B \"NOP-No Operation\"]" },
    [UNDEFINED_OPCODE] = { "UD0, UD1 across the end of memory", undefined_opcode, VEC_PF, false,
      "#UD: there is no ModRM byte to fetch", "[APM 3 \"UD0, UD1, UD2\"], [SDM 2B \"UD-Undefined Instruction\"]" },
    [LOADS_MXCSR] = { "LDMXCSR, FXRSTOR with a reserved bit", loads_mxcsr, VEC_GP, false,
      "bit 17, MM, is not reserved", "[APM 1 \"MXCSR Register\"], [SDM 1 \"MXCSR Control and Status Register\"]" },
    [SAVES_FPU] = { "FXSAVE", saves_fpu, ANY, false,
      "MXCSR_MASK says that there is a bit 17; the pointers may not be saved",
      "[APM 2 \"FXSAVE and FXRSTOR Instructions\"], [SDM 1 \"MXCSR Control and Status Register\"]" },
    /* Not decoded: Zydis says "illegal LOCK" of it, as Intel's processors do. */
    [LOCK_MOV_CR] = { "LOCK MOV CR", NULL, VEC_UD, false,
      "MOV CR8, hence #GP in ring 3", "[APM 3 \"MOV CRn\"], [SDM 2A \"LOCK-Assert LOCK# Signal Prefix\"]" },
};
static uint32_t rows_of(const struct seen *s)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < N_ROWS; i++)
        if (rows[i].is && rows[i].is(s))
            found |= (uint32_t)BIT(i);
    return found;
}

uint32_t vendor_rows(const struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    return rows_of(&(struct seen){ in, op, t->world, (uint8_t)t->gpr[RCX] });
}

uint32_t vendor_rows_illegal_lock(const uint8_t *code, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i++)
        if (code[i] == 0x0f)
            return code[i + 1] >= 0x20 && code[i + 1] <= 0x23 ? (uint32_t)BIT(LOCK_MOV_CR) : 0;
    return 0;
}

/* The row that keeps this case from being compared at all; -1: none does. */
int vendor_excuse(enum vendor v, const struct test *t, const struct outcome *our)
{
    for (unsigned i = 0; v == VENDOR_AMD && i < N_ROWS; i++)
        if (t->vendor_rows & BIT(i) && (rows[i].our_vector == ANY || rows[i].our_vector == our->vector) &&
            (!rows[i].low_half || t->n > 1))
            return (int)i;
    return -1;
}

bool vendor_low_half(enum vendor v, const struct test *t)
{
    bool low = false;

    for (unsigned i = 0; v == VENDOR_AMD && i < N_ROWS; i++)
        low |= rows[i].low_half && t->vendor_rows & BIT(i);
    return low;
}

void vendor_list(const uint64_t excused[MAX_VENDOR_ROWS])
{
    for (unsigned i = 0; i < N_ROWS; i++)
        printf("# %8lu not compared: %s -- AMD: %s %s\n", (long)excused[i], rows[i].form, rows[i].amd, rows[i].where);
}

/* ---- its test ---- */

enum { NONE = N_ROWS };

/* Encodings that a row is about, and neighbours of theirs that no row is. */
static const struct sample {
    enum world world;
    uint8_t cl, code[8];
    unsigned row;               /* NONE: no row */
} samples[] = {
    { W64, 0, { 0x66, 0xe9 }, NARROW_BRANCH },                          /* JMP rel32 */
    { W64, 0, { 0xe9 }, NONE },
    { W64, 0, { 0x66, 0xeb }, NARROW_BRANCH },                          /* JMP rel8 */
    { W32, 0, { 0x66, 0xeb }, NONE },
    { W64, 0, { 0x66, 0xe8 }, NARROW_BRANCH },                          /* CALL rel32 */
    { W32S, 0, { 0x66, 0xe8 }, NONE },
    { W64, 0, { 0x66, 0xc3 }, NARROW_BRANCH },                          /* RET near, far */
    { W64, 0, { 0x66, 0xcb }, NONE },
    { W64, 0, { 0x66, 0xc2 }, NARROW_BRANCH },                          /* RET imm16 */
    { W64, 0, { 0x66, 0xca }, NONE },
    { W64, 0, { 0x66, 0x75 }, NARROW_BRANCH },                          /* JNZ rel8 */
    { W64, 0, { 0x75 }, NONE },
    { W64, 0, { 0x66, 0x0f, 0x84 }, NARROW_BRANCH },                    /* JZ rel32 */
    { W16, 0, { 0x66, 0x0f, 0x84 }, NONE },
    { W64, 0, { 0x66, 0xe2 }, NARROW_BRANCH },                          /* LOOP */
    { W64, 0, { 0x67, 0xe2 }, NONE },
    { W64, 0, { 0x66, 0xe3 }, NARROW_BRANCH },                          /* JRCXZ, JECXZ */
    { W64, 0, { 0x67, 0xe3 }, NONE },
    { W64, 0, { 0x66, 0xff, 0xe0 }, NARROW_BRANCH },                    /* JMP rax, far */
    { W64, 0, { 0x66, 0xff, 0x28 }, NONE },
    { W64, 0, { 0x66, 0xff, 0xd0 }, NARROW_BRANCH },                    /* CALL rax, PUSH */
    { W64, 0, { 0x66, 0xff, 0xf0 }, NONE },
    { W64, 0, { 0x66, 0x0f, 0xa4, 0xc0, 17 }, SHIFTED_OUT },
    { W64, 0, { 0x66, 0x0f, 0xa4, 0xc0, 16 }, NONE },
    { W32, 0, { 0x66, 0x0f, 0xac, 0xc0, 31 }, SHIFTED_OUT },
    { W32, 0, { 0x66, 0x0f, 0xac, 0xc0, 32 }, NONE },
    { W32, 40, { 0x66, 0x0f, 0xad, 0xc0 }, NONE },
    { W32, 20, { 0x66, 0x0f, 0xad, 0xc0 }, SHIFTED_OUT },
    { W64, 20, { 0x0f, 0xa5, 0xc0 }, NONE },
    { W16, 20, { 0x0f, 0xa5, 0xc0 }, SHIFTED_OUT },
    { W64, 0, { 0x66, 0xd3, 0xe0 }, NONE },                             /* SHL ax, cl */
    { W64, 0, { 0x48, 0xff, 0x18 }, WIDE_FAR_POINTER },                 /* CALL far */
    { W64, 0, { 0xff, 0x18 }, NONE },
    { W64, 0, { 0x48, 0xff, 0x28 }, WIDE_FAR_POINTER },                 /* JMP far, near */
    { W64, 0, { 0x48, 0xff, 0x20 }, NONE },
    { W64, 0, { 0x48, 0x0f, 0xb2, 0x00 }, WIDE_FAR_POINTER },           /* LSS */
    { W64, 0, { 0x0f, 0xb2, 0x00 }, NONE },
    { W64, 0, { 0x48, 0xcb }, NONE },                                   /* RET far */
    { W64, 0, { 0x66, 0x63, 0x00 }, NARROW_MOVSXD },                    /* MOVSXD */
    { W64, 0, { 0x63, 0x00 }, NONE },
    { W64, 0, { 0x66, 0x63, 0xc0 }, NONE },                             /* of a register; ARPL */
    { W32, 0, { 0x66, 0x63, 0x00 }, NONE },
    { W32, 0, { 0x06 }, PUSHED_SELECTOR },                              /* PUSH ES */
    { W32, 0, { 0x66, 0x06 }, NONE },
    { W16, 0, { 0x66, 0x16 }, PUSHED_SELECTOR },                        /* PUSH SS */
    { W16, 0, { 0x16 }, NONE },
    { W32, 0, { 0x50 }, NONE },                                         /* PUSH EAX */
    { W64, 0, { 0x66, 0x0f, 0xc8 }, BSWAP16 },                          /* BSWAP */
    { W64, 0, { 0x0f, 0xc8 }, NONE },
    { W64, 0, { 0x0f, 0xbc, 0xc0 }, MAYBE_UNWRITTEN },                  /* BSF */
    { W64, 0, { 0x48, 0x0f, 0xbc, 0xc0 }, NONE },
    { W64, 0, { 0x0f, 0xbd, 0xc0 }, MAYBE_UNWRITTEN },                  /* BSR */
    { W32, 0, { 0x0f, 0xbd, 0xc0 }, NONE },
    { W64, 0, { 0x0f, 0xb1, 0xc8 }, MAYBE_UNWRITTEN },                  /* CMPXCHG */
    { W64, 0, { 0x66, 0x0f, 0xb1, 0xc8 }, NONE },
    { W64, 0, { 0x0f, 0x02, 0xc0 }, LAR_BITS },                         /* LAR, LSL */
    { W64, 0, { 0x0f, 0x03, 0xc0 }, NONE },
    { W64, 0, { 0x0f, 0x0d, 0xc8 }, PREFETCH_OF_REGISTER },             /* PREFETCHW */
    { W64, 0, { 0x0f, 0x0d, 0x08 }, NONE },
    { W64, 0, { 0x0f, 0x1f, 0xc0 }, NONE },                             /* NOP eax */
    { W64, 0, { 0x0f, 0xff, 0xc0 }, UNDEFINED_OPCODE },                 /* UD0, UD2 */
    { W64, 0, { 0x0f, 0x0b }, NONE },
    { W64, 0, { 0x0f, 0xb9, 0xc0 }, UNDEFINED_OPCODE },                 /* UD1 */
    { W64, 0, { 0x0f, 0xae, 0x10 }, LOADS_MXCSR },                      /* LDMXCSR, STMXCSR */
    { W64, 0, { 0x0f, 0xae, 0x18 }, NONE },
    { W64, 0, { 0x0f, 0xae, 0x08 }, LOADS_MXCSR },                      /* FXRSTOR */
    { W64, 0, { 0x48, 0x0f, 0xae, 0x08 }, LOADS_MXCSR },
    { W64, 0, { 0x0f, 0xae, 0x00 }, SAVES_FPU },                        /* FXSAVE */
    { W64, 0, { 0x48, 0x0f, 0xae, 0x00 }, SAVES_FPU },
    { W64, 0, { 0xf0, 0x0f, 0x20, 0xc0 }, LOCK_MOV_CR },
    { W64, 0, { 0xf0, 0x0f, 0xb6, 0x00 }, NONE },
    { W32, 0, { 0x66, 0xf0, 0x0f, 0x22, 0xc0 }, LOCK_MOV_CR },
    { W64, 0, { 0x0f, 0x20, 0xc0 }, NONE },
};

static bool sample_holds(const struct sample *s)
{
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    struct test t = { .world = s->world, .gpr[RCX] = s->cl };
    uint8_t code[24] = { 0 };
    uint32_t want = s->row == NONE ? 0 : (uint32_t)BIT(s->row), found = 0;

    memcpy(code, s->code, sizeof s->code);
    ZyanStatus z = ZydisDecoderDecodeFull(decoder(&t), code, sizeof code, &in, op);
    if (ZYAN_SUCCESS(z))
        found = vendor_rows(&t, &in, op);
    else if (z == ZYDIS_STATUS_ILLEGAL_LOCK)
        found = vendor_rows_illegal_lock(code, sizeof code);
    else
        found = UINT32_MAX;
    if (found != want)
        printf("# vendor table: %02x %02x %02x %02x in world %d is under rows %#x, should be %#x\n", code[0],
               code[1], code[2], code[3], s->world, found, want);
    return found == want;
}

bool vendor_test(void)
{
    uint32_t tried = 0;
    bool ok = true;

    for (unsigned i = 0; i < NELEM(samples); i++) {
        ok &= sample_holds(&samples[i]);
        if (samples[i].row != NONE)
            tried |= (uint32_t)BIT(samples[i].row);
    }
    for (unsigned i = 0; i < N_ROWS; i++)
        if (!(tried & BIT(i)))
            printf("# vendor table: no sample of row %u, %s\n", i, rows[i].form);
    return ok && tried == FIELD(N_ROWS - 1, 0);
}
