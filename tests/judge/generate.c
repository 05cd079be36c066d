/*
 * generate.c -- random cases, reproducible by (seed, number).
 *
 * An opcode is drawn, the bytes behind it are random, and Zydis says what that
 * is.  Whatever our engine's tables know is wanted, less what a judge cannot
 * run.  Then registers, displacement or memory are set so that memory operands
 * mostly fall into the window, often at an edge of it.
 *
 * Two kinds: one instruction with any operands, and a run of instructions on
 * registers, where blocks, links and lazy flags have a chance to be wrong.
 */
#include <stdio.h>
#include <string.h>

#include "generate.h"

const struct part parts[5] = {
    { CODE, CODE_END, true }, { SCRATCH, READ_ONLY, true }, { READ_ONLY, READ_ONLY + 0x1000, false },
    { TARGETS, LAST, true }, { LAST, WINDOW_BYTES, true },
};

const struct ldt_row ldt[LDT_ROWS] = {
    [LDT_CODE16 >> 3]     = { .base = WINDOW, .limit = 0xffff, .contents = 2 },
    [LDT_DATA16 >> 3]     = { .base = WINDOW, .limit = 0xffff },
    [LDT_CODE32 >> 3]     = { .base = WINDOW, .limit = 0xffff, .contents = 2, .big = true },
    [LDT_DATA32 >> 3]     = { .base = WINDOW + 0x8000, .limit = 0x5fff, .big = true },
    [LDT_READ_ONLY >> 3]  = { .base = WINDOW, .limit = 0xffff, .big = true, .read_exec_only = true },
    [LDT_DOWN >> 3]       = { .base = WINDOW, .limit = 0x9fff, .contents = 1, .big = true },
    [LDT_ABSENT >> 3]     = { .base = WINDOW, .limit = 0xffff, .big = true, .absent = true },
    [LDT_CONFORMING >> 3] = { .base = WINDOW, .limit = 0xffff, .contents = 3, .big = true,
                              .absent = true },     /* Linux allows no other */
    [LDT_EXECUTE >> 3]    = { .base = WINDOW, .limit = 0xffff, .contents = 2, .big = true,
                              .read_exec_only = true },
};

uint8_t image[WINDOW_BYTES];
static uint8_t pattern[WINDOW_BYTES];       /* of 256 cases */
static uint64_t state;
static ZydisDecoder decoders[3];            /* 16, 32, 64 bits */
static ZydisFormatter formatter;
enum judge who;
unsigned only_mnemonic;

uint64_t rnd(void)                          /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

static void seed_with(uint64_t seed, uint64_t n)
{
    state = (seed * 0x9e3779b97f4a7c15 ^ (n + 1) * 0xd1342543de82ef95) | 1;
    for (int i = 0; i < 4; i++)
        rnd();
}

bool one_in(unsigned n)
{
    return rnd() % n == 0;
}

/* Values near the edges are where the bugs are. */
uint64_t value(void)
{
    static const uint64_t edges[] = { 0, 1, ~UINT64_C(0), 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
                                      0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, BIT(63) };

    return rnd() % 3 ? rnd() >> rnd() % 64 : edges[rnd() % NELEM(edges)];
}

/* ---- worlds ---- */

uint64_t world_base(enum world w)
{
    return w == REAL ? 0 : WINDOW;
}

static unsigned bits_of(const struct test *t)
{
    return t->world == W64 ? 64 : t->world == W32 || t->world == W32S ? 32 : 16;
}

const ZydisDecoder *decoder(const struct test *t)
{
    return &decoders[bits_of(t) == 16 ? 0 : bits_of(t) == 32 ? 1 : 2];
}

/* What to add to an offset in the window to get one in this segment. */
uint64_t origin(const struct test *t, uint16_t sel)
{
    if (t->world == REAL)
        return 0;
    return sel & 4 ? WINDOW - ldt[sel >> 3].base : WINDOW;
}

uint64_t window_offset(const struct test *t, uint16_t sel, uint64_t off)
{
    return off - origin(t, sel);
}

uint16_t selector_of(const struct test *t, ZydisRegister seg)
{
    switch (seg) {
    case ZYDIS_REGISTER_CS: return t->cs;
    case ZYDIS_REGISTER_SS: return t->ss;
    case ZYDIS_REGISTER_ES: return t->es;
    default:                return t->ds;
    }
}

static void choose_segments(struct test *t)
{
    static const uint16_t data[] = { LDT_DATA32, LDT_READ_ONLY, LDT_DOWN, LDT_DATA16, LDT_CODE32,
                                     LDT_DATA32, LDT_DOWN, SEL_DATA, 0 };
    static const uint16_t stack[] = { LDT_DATA32, LDT_DOWN, LDT_DATA16 };

    t->cs = t->world == W64 ? SEL_CODE64 : t->world == W32 ? SEL_CODE32 : LDT_CODE32;
    t->ss = t->ds = t->es = SEL_DATA;
    if (t->world == W16) {
        t->cs = LDT_CODE16;
        t->ss = t->ds = t->es = LDT_DATA16;
    } else if (t->world == W32S) {
        t->ss = stack[rnd() % NELEM(stack)];
        t->ds = data[rnd() % NELEM(data)];
        t->es = data[rnd() % NELEM(data)];
    } else if (t->world == REAL) {
        t->cs = t->ss = t->ds = t->es = 0;
    }
}

/* ---- opcodes ---- */

/* First bytes after prefixes, as likely as any other; 0f is followed by `second`. */
static const uint8_t second[] = {
    0x00, 0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0d, 0x18, 0x1f, 0x20, 0x21, 0x22, 0x23,
    0x30, 0x32, 0x35, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c,
    0x4d, 0x4e, 0x4f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c,
    0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c,
    0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa3, 0xa4, 0xa4, 0xa5, 0xa5, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xac,
    0xad, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb6, 0xb7, 0xb8, 0xba, 0xba, 0xba, 0xbb, 0xbc,
    0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3, 0xc7, 0xc7, 0xc8, 0xca, 0xcd, 0xcf, 0xf0,
};

static uint8_t first_byte(const struct test *t)
{
    static const uint8_t groups[] = { 0xf6, 0xf7, 0xff, 0xd0, 0xd1, 0xd2, 0xd3, 0xc0, 0xc1 };
    uint8_t b;

    if (one_in(6))
        return groups[rnd() % NELEM(groups)];
    do
        b = (uint8_t)rnd();
    while (b == 0x0f || (b >= 0xd8 && b <= 0xdf) || (t->world == W64 && (b & 0xf0) == 0x40));
    return b;
}

/* MMX and SSE: an opcode after 0F of the rows that have them, and a prefix. */
static unsigned put_simd(const struct test *t, uint8_t *b)
{
    static const struct { uint8_t from, to; } rows[] = {
        { 0x10, 0x17 }, { 0x28, 0x2f }, { 0x50, 0x7f }, { 0x50, 0x7f }, { 0xc2, 0xc6 }, { 0xd1, 0xfe },
        { 0xae, 0xae },
    };
    static const uint8_t prefixes[] = { 0x66, 0xf3, 0xf2 };
    unsigned n = 0, row = (unsigned)(rnd() % NELEM(rows));

    for (unsigned k = one_in(16) ? 2 : rnd() % 4 != 0; k; k--)
        b[n++] = prefixes[rnd() % 3];
    if (t->world == W64 && one_in(2))
        b[n++] = 0x40 | (rnd() & 15);
    b[n++] = 0x0f;
    b[n++] = (uint8_t)(rows[row].from + rnd() % (rows[row].to - rows[row].from + 1u));
    return n;
}

static unsigned put_opcode(const struct test *t, uint8_t *b)
{
    unsigned n = 0;
    bool two = one_in(3);
    uint8_t op = two ? second[rnd() % NELEM(second)] : first_byte(t);

    if (one_in(4))
        b[n++] = 0x66;
    if (one_in(8))
        b[n++] = 0x67;
    if (one_in(16))
        b[n++] = 0xf0;
    if (one_in(8) && t->world != W64)
        b[n++] = (uint8_t[]){ 0x26, 0x2e, 0x36, 0x3e }[rnd() % 4];
    if (two ? op == 0xb8 : op >= 0xa4 && op <= 0xaf && one_in(2))
        b[n++] = !two && one_in(2) ? 0xf2 : 0xf3;
    if (one_in(100) && who == SILICON)
        for (unsigned k = (unsigned)(rnd() % 12); k; k--)
            b[n++] = 0x3e;                  /* to 15 bytes, and beyond */
    if (t->world == W64 && one_in(2))
        b[n++] = 0x40 | (rnd() & 15);
    if (two)
        b[n++] = 0x0f;
    if (two && op == 0xf0) {                /* MOVBE */
        b[n++] = 0x38;
        op |= one_in(2);
    }
    b[n++] = op;
    return n;
}

/* ---- a case ---- */

static void describe(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    size_t n = strlen(t->text);
    char line[128];

    if (in)
        ZydisFormatterFormatInstruction(&formatter, in, op, in->operand_count_visible, line,
                                        sizeof line, t->at + t->len, ZYAN_NULL);
    snprintf(t->text + n, sizeof t->text - n, "%s; ", in ? line : "jcc +0");
}

/* Illegal LOCK, and more than 15 bytes: #UD and #GP, whatever it would have been.
 * Not of the VEX family, of which our CPU reads fewer bytes than one that has it. */
static bool append_illegal(struct test *t, ZyanStatus z, uint8_t opcode)
{
    bool vex = opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62 || opcode == 0x8f;

    if (vex || (z != ZYDIS_STATUS_ILLEGAL_LOCK && z != ZYDIS_STATUS_INSTRUCTION_TOO_LONG))
        return false;
    strcpy(t->text, z == ZYDIS_STATUS_ILLEGAL_LOCK ? "illegal LOCK" : "too long");
    t->vendor_rows = z == ZYDIS_STATUS_ILLEGAL_LOCK ? vendor_rows_illegal_lock(t->code, 16) : 0;
    t->len += 24;
    t->n = 1;
    return true;
}

static bool append(struct test *t, bool run)
{
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t *b = t->code + t->len;
    unsigned n = one_in(4) ? put_simd(t, b) : put_opcode(t, b);
    ZyanStatus z;

    for (unsigned i = n; i < 24; i++)
        b[i] = (uint8_t)rnd();
    z = ZydisDecoderDecodeFull(decoder(t), b, 24, &in, op);
    if (!ZYAN_SUCCESS(z))
        return who == SILICON && !run && append_illegal(t, z, b[n - 1]);
    if (!suitable(t, &in, op, run) || (!run && !aim_all(t, &in, op)))
        return false;
    for (int again = 0; again < 2; again++) {
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder(t), b, 24, &in, op)))
            return false;
        if (!again && !run && !aim_branch(t, &in, op))
            return false;
    }
    if (!run)
        aim_selectors(t, &in, op);
    uint64_t f = undefined(&in, op, t);
    if (run && (f || (who == UNICORN && in.mnemonic == ZYDIS_MNEMONIC_CMPXCHG)))
        return false;                       /* the next one might read it */
    t->ignore |= f;
    t->vendor_rows |= vendor_rows(t, &in, op);
    t->mnemonic = in.mnemonic;
    t->width = in.operand_width;
    for (unsigned k = 0; k < in.operand_count; k++)
        t->wide_memory |= op[k].type == ZYDIS_OPERAND_TYPE_MEMORY && op[k].size >= 128;
    if (in.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || in.mnemonic == ZYDIS_MNEMONIC_IRET ||
        in.mnemonic == ZYDIS_MNEMONIC_IRETD || in.mnemonic == ZYDIS_MNEMONIC_IRETQ)
        t->step = who == SILICON;           /* it may lead to itself */
    describe(t, &in, op);
    t->len += in.length;
    t->n++;
    return true;
}

static void choose_image(uint64_t seed, uint64_t n)
{
    static uint64_t made_for = ~UINT64_C(0);

    if (made_for != seed * 1000003 + n / 256) {
        seed_with(seed, ~(n / 256));
        for (unsigned i = SCRATCH; i < WINDOW_BYTES; i += 8) {
            uint64_t v = value();
            memcpy(pattern + i, &v, 8);
        }
        for (unsigned i = 0; i < PAGE_SIZE; i++)
            pattern[READ_ONLY + i] = (uint8_t)(i * 37 + (i >> 5));
        memset(pattern + CODE, 0xcc, CODE_END - CODE);
        memset(pattern + TARGETS, 0xcc, PAGE_SIZE);
        made_for = seed * 1000003 + n / 256;
    }
    memcpy(image, pattern, sizeof image);
}

/* Numbers that are near the edges of their formats, or each other. */
static uint64_t number(void)
{
    static const uint32_t edges[] = { 0, 1, 0x7fffff, 0x800000, 0x3f800000, 0x7f7fffff, 0x7f800000,
                                      0x7f800001, 0x7fc00000, 0x4effffff, 0x4f000000, 0x33800000 };
    static const uint64_t edges64[] = { 0, 1, FIELD(51, 0), BIT(52), 0x3ff0000000000000,
                                        0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff0000000000001,
                                        0x7ff8000000000000, 0x41dfffffffc00000, 0x43e0000000000000,
                                        0x36a0000000000000, 0x3810000000000000, 0x47efffffe0000000 };
    uint64_t sign = rnd() & (BIT(63) | BIT(31)), low = edges[rnd() % NELEM(edges)];

    switch (rnd() % 4) {
    case 0:  return value();
    case 1:  return (low | (uint64_t)edges[rnd() % NELEM(edges)] << 32) ^ sign;
    case 2:  return (edges64[rnd() % NELEM(edges64)] + rnd() % 3) ^ (sign & BIT(63));
    default: return rnd();
    }
}

static void choose_fpu(struct test *t)
{
    struct fxsave *f = &t->fpu;

    memset(f, 0, sizeof *f);
    f->fcw = 0x37f;
    f->fsw = (uint16_t)(rnd() & 0x3800);
    f->ftw = (uint8_t)rnd();
    for (unsigned i = 0; i < 16; i++)
        for (unsigned k = 0; k < 16; k += 8) {
            uint64_t v = number();
            memcpy(f->xmm[i] + k, &v, 8);
        }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = number(), exponent = rnd();
        memcpy(f->st[i], &v, 8);
        memcpy(f->st[i] + 8, &exponent, 2);
    }
    f->mxcsr = rnd() % 3 ? 0x1f80 : (uint32_t)rnd() & 0xffff;
    if (who == UNICORN)
        f->mxcsr = 0x1f80;
}

static void choose_registers(struct test *t)
{
    for (int i = 0; i < 16; i++)
        t->gpr[i] = value();
    set_low(&t->gpr[RSP], MIDDLE + 0x800 + 8 * (rnd() % 16) + origin(t, t->ss), stack_width(t));
    if (t->world == W64 || t->world == W32 || t->world == REAL)
        t->gpr[RSP] = MIDDLE + 0x800 + 8 * (rnd() % 16) + origin(t, t->ss);
    if (one_in(16) && who == SILICON)
        set_low(&t->gpr[RSP], target(false) + origin(t, t->ss), stack_width(t));
    clip(t);
    choose_fpu(t);
    t->flags = FLAG_ONE | (rnd() & FLAGS_ARITH) | (rnd() % 4 ? 0 : FLAG_DF);
    if (one_in(8) && who == SILICON)
        t->flags |= FLAG_AC;
}

/* Mostly in the middle of the page; sometimes across its end, or the window's. */
static void choose_place(struct test *t, bool run)
{
    unsigned at = CODE + (unsigned)(rnd() % 0x400);

    if (who == SILICON && !run && one_in(16))
        at = (one_in(2) ? CODE_END : CODE_END - 0x1000) - 1 - (unsigned)(rnd() % 15);
    else if (t->world == W16 && !run && one_in(32))
        at = WINDOW_BYTES - 1 - (unsigned)(rnd() % 15);
    t->at = at + origin(t, t->cs);
}

static void put_code(const struct test *t)
{
    unsigned at = (unsigned)(t->at - origin(t, t->cs)), end = at < CODE_END ? CODE_END : WINDOW_BYTES;

    if (at >= LAST)
        memset(image + LAST, 0xcc, PAGE_SIZE);
    for (unsigned i = 0; i < t->len && at + i < end; i++)
        image[at + i] = t->code[i];
}

void generate(struct test *t, enum judge j, uint64_t seed, uint64_t n)
{
    static const enum world of_unicorn[] = { W64, W32, REAL }, of_silicon[] = { W64, W64, W32, W32S, W16 };
    bool run;

    who = j;
    choose_image(seed, n);
    seed_with(seed, n);
    run = one_in(4);
    unsigned wanted = run ? 2 + (unsigned)(rnd() % 6) : 1;
    memset(t, 0, sizeof *t);
    t->world = j == UNICORN ? of_unicorn[rnd() % 3] : of_silicon[rnd() % 5];
    choose_segments(t);
    choose_place(t, run);
    t->step = j == SILICON && !run && one_in(2);
    choose_registers(t);
    while (t->n < wanted) {
        if (run && one_in(6)) {
            t->code[t->len] = 0x70 | (rnd() & 15);
            t->code[t->len + 1] = 0;
            describe(t, NULL, NULL);
            t->len += 2;
            t->n++;
        } else if (!append(t, run) && !run) {
            choose_registers(t);            /* aiming may have left them half set */
        }
    }
    put_code(t);
}

void generate_init(void)
{
    static const ZydisMachineMode modes[3] = { ZYDIS_MACHINE_MODE_LEGACY_16,
        ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64 };
    static const ZydisStackWidth widths[3] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
        ZYDIS_STACK_WIDTH_64 };
    static const ZydisDecoderMode off[] = { ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT };

    for (unsigned i = 0; i < 3; i++) {
        ZydisDecoderInit(&decoders[i], modes[i], widths[i]);
        for (unsigned k = 0; k < NELEM(off); k++)
            ZydisDecoderEnableMode(&decoders[i], off[k], ZYAN_FALSE);
    }
    suits_init();
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
}
