/*
 * aim.c -- where the operands of a drawn instruction point.
 *
 * Its registers, its displacement or the memory it will read are set so that
 * operands mostly fall into the window, often across one of its edges; branches
 * find targets and far ones selectors, right and wrong ones.
 */
#include <string.h>

#include "generate.h"

/* ---- memory operands ---- */

int gpr_of(ZydisRegister r)
{
    return r ? ZydisRegisterGetId(r) : -1;
}

bool rip_relative(const ZydisDecodedOperand *o)
{
    return o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP;
}

static uint64_t address_of(const struct test *t, const ZydisDecodedInstruction *in,
                           const ZydisDecodedOperand *o)
{
    uint64_t a = (uint64_t)o->mem.disp.value;

    if (rip_relative(o))
        a += t->at + t->len + in->length;
    else if (o->mem.base)
        a += t->gpr[gpr_of(o->mem.base)];
    if (o->mem.index)
        a += t->gpr[gpr_of(o->mem.index)] * o->mem.scale;
    return low_bytes(a, in->address_width / 8);
}

/* Offsets in the window where memory operands go. */
uint64_t target(bool locked)
{
    static const uint16_t edges[] = { 0x9000, READ_ONLY, READ_ONLY + 0x1000, SCRATCH, 0xa000, 0xe000,
                                      0xffff, 0, CODE };

    if (locked)                             /* Linux makes who splits a lock wait */
        return MIDDLE + 16 * (rnd() % 8);
    if (one_in(5) && who == SILICON)
        return (uint64_t)(edges[rnd() % NELEM(edges)] - 12 + (int)(rnd() % 24));
    return MIDDLE + (rnd() % 3 ? rnd() % 64 : 0x1000 - 8 + rnd() % 16);
}

void set_low(uint64_t *r, uint64_t v, unsigned width)
{
    *r = width == 64 ? v : (*r & ~(BIT(width) - 1)) | (v & (BIT(width) - 1));
}

/* By its base register, its index, or its displacement; false if none can. */
static bool aim(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o)
{
    bool locked = (in->attributes & ZYDIS_ATTRIB_HAS_LOCK) || in->mnemonic == ZYDIS_MNEMONIC_XCHG;
    uint64_t to = target(locked), align = o->size >= 128 && rnd() % 4 ? 15 : 0;
    uint64_t by = (to & ~align) + origin(t, selector_of(t, o->mem.segment)) - address_of(t, in, o);
    int r = o->mem.base && !rip_relative(o) ? gpr_of(o->mem.base)
          : o->mem.index && o->mem.scale == 1 ? gpr_of(o->mem.index) : -1;

    if (o->mem.base && o->mem.base == o->mem.index)
        return false;
    if (r >= 0) {
        set_low(&t->gpr[r], t->gpr[r] + by, in->address_width);
    } else if (!o->mem.index && in->raw.disp.size >= 16) {
        uint64_t disp = (uint64_t)in->raw.disp.value + by;
        memcpy(t->code + t->len + in->raw.disp.offset, &disp, in->raw.disp.size / 8);
    } else {
        return false;
    }
    return true;
}

void clip(struct test *t)
{
    for (int i = 0; i < 16; i++)
        if (t->world != W64)
            t->gpr[i] = i < 8 ? (uint32_t)t->gpr[i] : 0;
}

static void put_image(uint64_t at, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++, at++)
        if (at >= SCRATCH && at < READ_ONLY)
            image[at] = (uint8_t)(v >> 8 * i);
}

unsigned stack_width(const struct test *t)
{
    return t->world == W64 ? 64 : t->world == W32 || (t->world == W32S && t->ss != LDT_DATA16) ? 32 : 16;
}

static void aim_strings(struct test *t, unsigned aw)
{
    uint64_t from = target(false);

    set_low(&t->gpr[RSI], from + origin(t, t->ds), aw);
    set_low(&t->gpr[RDI], (rnd() % 4 ? target(false) : from + rnd() % 9) + origin(t, t->es), aw);
    if (rnd() % 8)
        set_low(&t->gpr[RCX], rnd() % 40, aw);
}

/* The bit number of BT and its kin reaches 512 bytes up and down. */
static bool aim_bits(struct test *t, const ZydisDecodedOperand *op)
{
    int r = gpr_of(op[1].reg.value);

    if (op[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return true;
    if (r == gpr_of(op[0].mem.base) || r == gpr_of(op[0].mem.index))
        return false;
    t->gpr[r] = (uint64_t)((int64_t)(rnd() % 8192) - 4096);
    clip(t);
    return true;
}

static bool is_bits(unsigned m)
{
    return m == ZYDIS_MNEMONIC_BT || m == ZYDIS_MNEMONIC_BTS || m == ZYDIS_MNEMONIC_BTR ||
           m == ZYDIS_MNEMONIC_BTC;
}

bool aim_all(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    if (in->meta.category == ZYDIS_CATEGORY_STRINGOP)
        aim_strings(t, in->address_width);
    if (in->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || in->mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU)
        set_low(&t->gpr[RDI], target(false) + origin(t, t->ds), in->address_width);
    if (in->mnemonic == ZYDIS_MNEMONIC_XLAT)
        set_low(&t->gpr[RBX], MIDDLE + origin(t, t->ds), in->address_width);
    if (in->mnemonic == ZYDIS_MNEMONIC_LEAVE || in->mnemonic == ZYDIS_MNEMONIC_ENTER)
        set_low(&t->gpr[RBP], MIDDLE + 0x100 + origin(t, t->ss), stack_width(t));
    if (in->mnemonic == ZYDIS_MNEMONIC_ENTER) {
        t->code[t->len + in->length - 2] &= 1;              /* frame size < 512 */
        t->code[t->len + in->length - 1] &= 31;
    }
    for (unsigned k = 0; k < in->operand_count_visible; k++) {
        if (op[k].type != ZYDIS_OPERAND_TYPE_MEMORY || in->meta.category == ZYDIS_CATEGORY_STRINGOP ||
            in->mnemonic == ZYDIS_MNEMONIC_XLAT)
            continue;
        if (is_bits(in->mnemonic) && !aim_bits(t, op))
            return false;
        if (in->mnemonic == ZYDIS_MNEMONIC_LEA || in->mnemonic == ZYDIS_MNEMONIC_NOP)
            continue;
        if (who == SILICON && one_in(16))
            continue;                       /* wherever it points: most likely a fault */
        if (!aim(t, in, &op[k]))
            return false;
    }
    return true;
}

/* ---- branches ---- */

static uint16_t some_selector(void)
{
    static const uint16_t sels[] = {
        SEL_CODE32, SEL_DATA, SEL_CODE64, LDT_CODE16, LDT_DATA16, LDT_CODE32, LDT_DATA32,
        LDT_READ_ONLY, LDT_DOWN, LDT_ABSENT, LDT_CONFORMING, LDT_EXECUTE, 0, 3, 0x10, 0x08, 0x1b,
        0x40, 0x50, 0x43, 0x63, 0x20, 0x28, 0x33 - 3, LDT_CODE16 - 1, LDT_DATA16 - 3, 0x4f,
        0x57, 0x83, 0xffff,
    };

    /* Not Linux's 7b, whose limit is the number of the processor we are on. */
    return one_in(32) ? (uint16_t)rnd() | 0x80 : sels[rnd() % NELEM(sels)];
}

static uint16_t code_selector(void)
{
    static const uint16_t sels[] = { SEL_CODE32, SEL_CODE64, LDT_CODE16, LDT_CODE32, LDT_EXECUTE };

    return rnd() % 3 ? sels[rnd() % NELEM(sels)] : some_selector();
}

static uint64_t code_target(const struct test *t, uint16_t cs)
{
    return who == SILICON && one_in(16) ? value() : TARGETS + rnd() % 0x800 + origin(t, cs);
}

/* What an IRET of this operand size finds on the stack; a far RET's is a part of it. */
static void put_frame(const struct test *t, uint64_t at, unsigned n)
{
    uint16_t cs = code_selector(), ss = rnd() % 3 ? t->ss : some_selector();
    uint64_t frame[5] = { code_target(t, cs), cs, (t->flags ^ rnd()) & (FLAGS_ARITH | FLAG_DF |
                          FLAG_AC | FLAG_NT | FLAG_ID | FLAG_IOPL | FLAG_IF | FLAG_RF | FLAG_VM),
                          MIDDLE + rnd() % 256 + origin(t, t->ss), ss };

    if (t->world != W64)
        frame[2] &= ~FLAG_VM;
    for (unsigned i = 0; i < 5; i++)
        put_image(at + i * n, frame[i], n);
}

static bool aim_far(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    unsigned n = in->operand_width / 8;
    uint16_t cs = code_selector();
    uint64_t to = code_target(t, cs);
    uint8_t *code = t->code + t->len;

    if (op[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
        memcpy(code + in->length - 2 - n, &to, n);
        memcpy(code + in->length - 2, &cs, 2);
    } else if (op[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
        uint64_t at = address_of(t, in, &op[0]) - origin(t, selector_of(t, op[0].mem.segment));
        put_image(at, to, n);
        put_image(at + n, cs, 2);
    } else {                                /* RETF n, IRET */
        /* Linux takes the #AC of an IRET that loads AC for a split lock, and retries. */
        t->gpr[RSP] &= ~UINT64_C(7);
        put_frame(t, (stack_width(t) == 16 ? t->gpr[RSP] & 0xffff : t->gpr[RSP]) - origin(t, t->ss), n);
        if (in->mnemonic == ZYDIS_MNEMONIC_RET && in->raw.imm[0].size)
            code[in->length - 1] = 0;
    }
    return true;
}

bool aim_branch(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    uint8_t *code = t->code + t->len;
    uint64_t to = code_target(t, t->cs), sp = t->gpr[RSP];
    unsigned n = in->operand_width / 8;

    if (in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || in->mnemonic == ZYDIS_MNEMONIC_IRET ||
        in->mnemonic == ZYDIS_MNEMONIC_IRETD || in->mnemonic == ZYDIS_MNEMONIC_IRETQ)
        return aim_far(t, in, op);
    if (in->mnemonic == ZYDIS_MNEMONIC_RET) {
        put_image((stack_width(t) == 16 ? sp & 0xffff : sp) - origin(t, t->ss), to, 8);
        if (in->raw.imm[0].size)
            code[in->length - 1] &= 1;
    } else if (in->meta.branch_type == ZYDIS_BRANCH_TYPE_NONE) {
        return true;
    } else if (op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        int64_t by = (int64_t)(rnd() % 64);
        if (who == UNICORN || rnd() % 4)
            memcpy(code + in->raw.imm[0].offset, &by, in->raw.imm[0].size / 8);
    } else if (op[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        if (gpr_of(op[0].reg.value) == RSP)
            return false;
        t->gpr[gpr_of(op[0].reg.value)] = to;
        clip(t);
    } else {
        put_image(address_of(t, in, &op[0]) - origin(t, selector_of(t, op[0].mem.segment)), to, n);
    }
    return true;
}

/* LAR, VERR, MOV to Sreg and the like are about selectors: let them meet some. */
void aim_selectors(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    unsigned m = in->mnemonic, k = in->operand_count_visible > 1;
    bool sreg = op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                ZydisRegisterGetClass(op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;

    if (m == ZYDIS_MNEMONIC_POP && sreg)
        put_image((stack_width(t) == 16 ? t->gpr[RSP] & 0xffff : t->gpr[RSP]) - origin(t, t->ss),
                  some_selector(), 2);
    if (m == ZYDIS_MNEMONIC_LDS || m == ZYDIS_MNEMONIC_LES || m == ZYDIS_MNEMONIC_LSS)
        put_image(address_of(t, in, &op[1]) - origin(t, selector_of(t, op[1].mem.segment)) +
                  in->operand_width / 8, some_selector(), 2);
    if (m != ZYDIS_MNEMONIC_LAR && m != ZYDIS_MNEMONIC_LSL && m != ZYDIS_MNEMONIC_VERR &&
        m != ZYDIS_MNEMONIC_VERW && m != ZYDIS_MNEMONIC_ARPL && !(m == ZYDIS_MNEMONIC_MOV && sreg))
        return;
    if (m == ZYDIS_MNEMONIC_ARPL)
        k = 0;
    if (op[k].type == ZYDIS_OPERAND_TYPE_REGISTER)
        set_low(&t->gpr[gpr_of(op[k].reg.value)], some_selector(), 16);
    else if (op[k].type == ZYDIS_OPERAND_TYPE_MEMORY)
        put_image(address_of(t, in, &op[k]) - origin(t, selector_of(t, op[k].mem.segment)),
                  some_selector(), 2);
}
