/*
 * cpu/decode.c -- from bytes to one instruction with its operands; see decode.h.
 *
 * Zydis does the hard part, the tables of all opcodes.  Here its answer becomes ours:
 * registers as numbers, what is written down apart from what is implied, and the few
 * places where a processor differs from Zydis 4.0.
 */
#include "cpu/decode.h"

#include <string.h>

#include <Zydis/Zydis.h>

#include "cpu/state.h"

static ZydisDecoder decoders[N_CODE_WIDTHS];

/* One decoder of Zydis for each width of code.  What CPUID does not announce keeps its old
 * meaning, as on a CPU that has never heard of it: LZCNT is BSR, TZCNT is BSF, ENDBR a NOP. */
void decode_init(void)
{
    static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } modes[N_CODE_WIDTHS] = {
        [CODE16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        [CODE32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        [CODE64] = { ZYDIS_MACHINE_MODE_LONG_64,   ZYDIS_STACK_WIDTH_64 },
    };
    static const ZydisDecoderMode off[] = {
        ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD,
        ZYDIS_DECODER_MODE_CLDEMOTE, ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
    };

    for (unsigned i = 0; i < N_CODE_WIDTHS; i++) {
        ZydisDecoderInit(&decoders[i], modes[i].mode, modes[i].stack);
        for (unsigned k = 0; k < NELEM(off); k++)
            ZydisDecoderEnableMode(&decoders[i], off[k], ZYAN_FALSE);
    }
}

/* ---- registers ---- */

/* A general register of any width.  Zydis has segment, control and SIMD registers in the
 * same enum. */
static bool is_gpr(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_R15;
}

static bool is_high_byte(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
}

/* Encodings 4 to 7 of a byte register are AH, CH, DH, BH; with a REX prefix they are SPL,
 * BPL, SIL, DIL.  Zydis counts all of these in one row. */
static uint8_t gpr_number(ZydisRegister r)
{
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
        return (uint8_t)(r - ZYDIS_REGISTER_AL);
    if (is_high_byte(r))
        return (uint8_t)(r - ZYDIS_REGISTER_AH);
    if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(4 + r - ZYDIS_REGISTER_SPL);
    ZyanI8 id = ZydisRegisterGetId(r);
    return id >= 0 && id < N_GPRS ? (uint8_t)id : NO_REG;
}

/* ---- operands ---- */

/* The memory operand.  RIP-relative addresses are worked out here and become plain ones.
 *
 * "If mod = 00, base = 101 is a 32-bit displacement without a base": with REX.B too, which
 * Zydis 4.0 forgets of 32-bit addresses in 64-bit mode.  [SDM 2A "Addressing-Mode Encoding
 * of ModR/M and SIB Bytes"] */
static void fill_memory_operand(struct decoded *d, const ZydisDecodedInstruction *in,
                     const ZydisDecodedOperand *o, uint64_t rip)
{
    bool no_base = in->raw.modrm.mod == 0 && in->raw.modrm.rm == 4 && in->raw.sib.base == 5 &&
                   in->address_width != 16;

    d->has_mem = true;
    d->mem.seg = o->mem.segment ? (uint8_t)ZydisRegisterGetId(o->mem.segment) : SEG_DS;
    d->mem.disp = no_base ? in->raw.disp.value : o->mem.disp.value;
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP)
        d->mem.disp += (int64_t)(rip + in->length);
    else if (o->mem.base && !no_base)
        d->mem.base = gpr_number(o->mem.base);
    if (o->mem.index) {
        d->mem.index = gpr_number(o->mem.index);
        d->mem.scale = o->mem.scale;
    }
}

/* Immediate and memory operand have places of their own in struct decoded: an instruction
 * has one of each at most, but for ENTER, whose second immediate goes to imm2. */
static enum operand_kind fill_operand(struct decoded *d, const ZydisDecodedInstruction *in,
                                      const ZydisDecodedOperand *o, uint64_t rip)
{
    switch (o->type) {
    case ZYDIS_OPERAND_TYPE_MEMORY:
        fill_memory_operand(d, in, o, rip);
        return OPERAND_MEM;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (d->n_operands && d->operand[0].kind == OPERAND_IMM)
            d->imm2 = (uint16_t)o->imm.value.u;         /* ENTER's level */
        else
            d->imm = o->imm.is_signed ? (uint64_t)o->imm.value.s : o->imm.value.u;
        return OPERAND_IMM;
    case ZYDIS_OPERAND_TYPE_POINTER:
        d->imm = o->ptr.offset;
        d->imm2 = o->ptr.segment;
        return OPERAND_FAR;
    default:
        return is_gpr(o->reg.value) ? OPERAND_GPR : OPERAND_OTHER;
    }
}

/* Only what is written down in assembly ("visible"); implied operands the handlers know. */
static void fill_operands(struct decoded *d, const ZydisDecodedInstruction *in,
                          const ZydisDecodedOperand *o, uint64_t rip)
{
    for (unsigned k = 0; k < in->operand_count_visible && k < MAX_WRITTEN; k++) {
        struct decoded_operand *to = &d->operand[k];
        to->kind = (uint8_t)fill_operand(d, in, &o[k], rip);
        to->bytes = (uint8_t)(o[k].size / 8);
        if (to->kind == OPERAND_GPR) {
            to->reg = gpr_number(o[k].reg.value);
            to->reg_byte = (uint8_t)(8 * to->reg + is_high_byte(o[k].reg.value));
        }
        d->n_operands++;
    }
}

/* ---- prefixes ---- */

/* The segment of an implicit operand (strings, XLAT): DS unless a prefix says
 * otherwise, and in 64-bit mode only FS and GS count. */
static uint8_t implicit_segment(const ZydisDecodedInstruction *in)
{
    ZydisInstructionAttributes a = in->attributes;

    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_FS)
        return SEG_FS;
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_GS)
        return SEG_GS;
    if (in->machine_mode == ZYDIS_MACHINE_MODE_LONG_64)
        return SEG_DS;
    return a & ZYDIS_ATTRIB_HAS_SEGMENT_CS ? SEG_CS : a & ZYDIS_ATTRIB_HAS_SEGMENT_SS ? SEG_SS :
           a & ZYDIS_ATTRIB_HAS_SEGMENT_ES ? SEG_ES : SEG_DS;
}

/* F2 and F3 mean REP only where the instruction knows it.  For string instructions Zydis
 * does not tell all: F2 repeats MOVS, STOS and LODS too, and the last of several prefixes
 * counts. */
static void fill_prefixes(struct decoded *d, const ZydisDecodedInstruction *in)
{
    ZydisInstructionAttributes a = in->attributes;

    d->seg = implicit_segment(in);
    d->rep = a & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE);
    d->repne = a & ZYDIS_ATTRIB_HAS_REPNE;
    d->lock = a & ZYDIS_ATTRIB_HAS_LOCK;
    if (in->meta.category != ZYDIS_CATEGORY_STRINGOP)
        return;
    for (unsigned i = 0; i < in->raw.prefix_count; i++)
        if (in->raw.prefixes[i].value >= 0xf2) {
            d->repne = in->raw.prefixes[i].value == 0xf2;
            d->rep = !d->repne;
        }
}

/* Of MMX and SSE opcodes a prefix is a part.  The last of F2 and F3 counts, and 66 only
 * without them. */
static uint8_t simd_prefix(const ZydisDecodedInstruction *in)
{
    uint8_t found = 0;

    for (unsigned i = 0; i < in->raw.prefix_count; i++) {
        uint8_t p = in->raw.prefixes[i].value;
        if (p == 0xf2 || p == 0xf3)
            found = p;
        else if (p == 0x66 && !found)
            found = p;
    }
    return found;
}

/* The raw fields, for instructions that are chosen by opcode and not by mnemonic (SSE,
 * x87). */
static void fill_encoding(struct encoding *e, const ZydisDecodedInstruction *in)
{
    e->opcode = in->opcode;
    e->map = in->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ? 0 :
             in->opcode_map == ZYDIS_OPCODE_MAP_0F ? 1 : 2;
    e->has_modrm = in->attributes & ZYDIS_ATTRIB_HAS_MODRM;
    e->mod = in->raw.modrm.mod;
    e->reg = (uint8_t)(in->raw.modrm.reg | in->raw.rex.R << 3);
    e->rm = (uint8_t)(in->raw.modrm.rm | in->raw.rex.B << 3);
    e->rex_w = in->raw.rex.W;
    e->simd_prefix = simd_prefix(in);
    e->vex = in->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

/* ---- an instruction ---- */

/* DECODE_SHORT: the instruction goes on beyond `avail`.  Nothing else is known of *d then. */
enum decode_result decode_insn(enum code_width width, const uint8_t *bytes, size_t avail,
                               uint64_t rip, struct decoded *d)
{
    ZydisDecodedInstruction in;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZyanStatus z = ZydisDecoderDecodeFull(&decoders[width], bytes, avail, &in, o);

    if (!ZYAN_SUCCESS(z))
        return z == ZYDIS_STATUS_NO_MORE_DATA        ? DECODE_SHORT
             : z == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? DECODE_TOO_LONG : DECODE_INVALID;
    memset(d, 0, sizeof *d);
    d->mnemonic = (uint16_t)in.mnemonic;
    d->len = in.length;
    d->opsize = in.operand_width / 8;
    d->asize = in.address_width / 8;
    d->far = in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    d->x87 = in.meta.isa_ext == ZYDIS_ISA_EXT_X87;
    d->mem.base = d->mem.index = NO_REG;
    fill_prefixes(d, &in);
    fill_operands(d, &in, o, rip);
    fill_encoding(&d->enc, &in);
    return DECODED;
}
