/*
 * cpu/accesses.c -- memory operands; see accesses.h.
 *
 * Zydis names them: base, index, scale, displacement, and the ones that are not
 * written down, such as PUSH's.  Of those it tells the stack pointer and not that
 * a push goes below it.
 */
#include "cpu/accesses.h"

#include <Zydis/Zydis.h>

#include "base/x86.h"
#include "cpu/exit.h"

/* Decode with implied operands.  The width of the stack matters here, which decode.h leaves
 * out: the hidden operands of PUSH and POP depend on it. */
static bool decode_all(const struct cpu_state *s, unsigned bits, const uint8_t *bytes, size_t n,
                       ZydisDecodedInstruction *i, ZydisDecodedOperand *o)
{
    static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } modes[] = {
        { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
    };
    ZydisDecoder d;
    unsigned m = bits / 32;
    bool protected = (s->cr0 & CR0_PE) && !(s->rflags & FLAG_VM);
    bool wide = protected && (s->seg[SEG_SS].attr & SEG_DB);
    ZydisStackWidth stack = m == 2 ? modes[m].stack
                          : wide ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
    return ZYAN_SUCCESS(ZydisDecoderInit(&d, modes[m].mode, stack)) &&
           ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, n, i, o));
}

/* What a register holds; RIP counts from the end of the instruction. */
static uint64_t register_value(const struct cpu_state *s, const ZydisDecodedInstruction *i,
                               ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return 0;
    if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
        return s->rip + i->length;
    if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
        return s->gpr[r - ZYDIS_REGISTER_AH] >> 8 & 0xff;
    int id = ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r));
    uint64_t v = id >= 0 && id < N_GPRS ? s->gpr[id] : 0;
    unsigned bits = ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, r);
    return bits < 64 ? v & (BIT(bits) - 1) : v;
}

/* In 64-bit mode only FS and GS have a base.  [SDM 3A "Segmentation in IA-32e Mode"] */
static gla_t segment_base(const struct cpu_state *s, unsigned code_bits, ZydisRegister r)
{
    static const struct { ZydisRegister r; int seg; } segs[] = {
        { ZYDIS_REGISTER_ES, SEG_ES }, { ZYDIS_REGISTER_CS, SEG_CS }, { ZYDIS_REGISTER_SS, SEG_SS },
        { ZYDIS_REGISTER_DS, SEG_DS }, { ZYDIS_REGISTER_FS, SEG_FS }, { ZYDIS_REGISTER_GS, SEG_GS },
    };
    for (size_t k = 0; k < NELEM(segs); k++)
        if (segs[k].r == r)
            return code_bits == 64 && segs[k].seg < SEG_FS ? 0 : s->seg[segs[k].seg].base;
    return 0;
}

/* Hidden operands with such a base are what PUSH, POP, CALL and RET move. */
static bool is_stack_register(ZydisRegister r)
{
    return r == ZYDIS_REGISTER_RSP || r == ZYDIS_REGISTER_ESP || r == ZYDIS_REGISTER_SP;
}

/* BT and its like reach beyond their operand, by a bit number in a register.
 * [SDM 2A "BT-Bit Test"] */
static int64_t bit_displacement(const struct cpu_state *s, const ZydisDecodedInstruction *i,
                                const ZydisDecodedOperand *o, unsigned bytes)
{
    bool bt = i->mnemonic == ZYDIS_MNEMONIC_BT || i->mnemonic == ZYDIS_MNEMONIC_BTS ||
              i->mnemonic == ZYDIS_MNEMONIC_BTR || i->mnemonic == ZYDIS_MNEMONIC_BTC;
    if (!bt || i->operand_count_visible < 2 || o[1].type != ZYDIS_OPERAND_TYPE_REGISTER || !bytes)
        return 0;
    uint64_t v = register_value(s, i, o[1].reg.value);
    int64_t bit = bytes == 8 ? (int64_t)v : bytes == 4 ? (int32_t)v : (int16_t)v;
    return (bit >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4)) * (int64_t)bytes;
}

/* Segment base + (base + index * scale + displacement), cut to the address size.  A push writes
 * below the stack pointer, of which Zydis knows nothing. */
static void linear_address(const struct cpu_state *s, unsigned code_bits,
                           const ZydisDecodedInstruction *i, const ZydisDecodedOperand *all,
                           const ZydisDecodedOperand *o, struct operand *out)
{
    uint64_t off = register_value(s, i, o->mem.base) +
                   (o->mem.index ? register_value(s, i, o->mem.index) * o->mem.scale : 0) +
                   (o->mem.disp.has_displacement ? (uint64_t)o->mem.disp.value : 0);
    unsigned bits = i->address_width;
    bool stack = is_stack_register(o->mem.base) && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    if (stack) {
        bits = i->stack_width;
        if (out->access == ACCESS_W)
            off -= out->len;
    }
    off += (uint64_t)bit_displacement(s, i, all, out->len);
    if (bits < 64)
        off &= BIT(bits) - 1;
    out->at = segment_base(s, code_bits, o->mem.segment) + off;
    if (code_bits != 64)
        out->at = (uint32_t)out->at;
}

/* A REP with a count of 0 touches nothing, whatever its registers hold. */
unsigned operands_of(const struct cpu_state *s, unsigned bits, const uint8_t *bytes, size_t n,
                     struct operand out[MAX_OPERANDS])
{
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    unsigned found = 0;
    if (!decode_all(s, bits, bytes, n, &i, o))
        return 0;
    bool rep = i.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
                               ZYDIS_ATTRIB_HAS_REPNE);
    bool idle_rep = rep && !low_bytes(s->gpr[RCX], i.address_width / 8);
    for (unsigned k = 0; k < i.operand_count && found < MAX_OPERANDS && !idle_rep; k++) {
        if (o[k].type != ZYDIS_OPERAND_TYPE_MEMORY ||
            (o[k].mem.type != ZYDIS_MEMOP_TYPE_MEM && o[k].mem.type != ZYDIS_MEMOP_TYPE_MIB))
            continue;
        bool r = o[k].actions & ZYDIS_OPERAND_ACTION_MASK_READ;
        bool w = o[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
        out[found] = (struct operand){
            .len = o[k].size / 8, .strides = rep,
            .access = (uint8_t)((r ? ACCESS_R : 0) | (w ? ACCESS_W : 0)),
        };
        linear_address(s, bits, &i, o, &o[k], &out[found]);
        if (out[found].access && out[found].len)
            found++;
    }
    return found;
}

/* `times` iterations of a REP touch one range: it grows upward, or downward with DF set. */
void operands_repeat(struct operand *o, unsigned n, const struct cpu_state *s, uint64_t times)
{
    for (unsigned k = 0; k < n; k++) {
        if (!o[k].strides || times < 2 || times > UINT32_MAX / o[k].len)
            continue;
        if (s->rflags & FLAG_DF)
            o[k].at -= (times - 1) * o[k].len;
        o[k].len *= (uint32_t)times;
    }
}

/* Two ranges overlap if either begins in the other; the subtraction is modulo 2^64, so a
 * range that wraps is right, too. */
bool operands_touch(const struct operand *o, unsigned n, gla_t at, uint64_t len, unsigned access)
{
    for (unsigned k = 0; k < n; k++)
        if ((o[k].access & access) && (at - o[k].at < o[k].len || o[k].at - at < len))
            return true;
    return false;
}
