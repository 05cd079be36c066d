/*
 * cpu/soft/decode.c -- from bytes to micro-operations, once per block.
 *
 * Zydis says what the instruction is.  Here that becomes a struct uop: operands
 * as indices, the addressing variant, and a handler, chosen by the family's
 * select function (ops/) from the table in mnemonics.h.  What no family of user-mode
 * integer instructions wants goes to the system side; what that does not know
 * either is #UD, as on a CPU that does not have it.
 *
 * A block ends at a branch, at a system operation, at the page's end or after
 * BLOCK_INSNS instructions; the last two get an op_fall that goes on.
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/mnemonics.h"

#include <Zydis/Zydis.h>

static ZydisDecoder decoders[3];            /* 16, 32, 64 bits */

void soft_decode_init(void)
{
    static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } modes[3] = {
        { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        { ZYDIS_MACHINE_MODE_LONG_64,   ZYDIS_STACK_WIDTH_64 },
    };
    /* What CPUID does not announce keeps its old meaning: LZCNT is BSR, TZCNT
     * is BSF, ENDBR a NOP. */
    static const ZydisDecoderMode off[] = {
        ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD,
        ZYDIS_DECODER_MODE_CLDEMOTE, ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
    };

    sse_table_init();
    for (unsigned i = 0; i < 3; i++) {
        ZydisDecoderInit(&decoders[i], modes[i].mode, modes[i].stack);
        for (unsigned k = 0; k < NELEM(off); k++)
            ZydisDecoderEnableMode(&decoders[i], off[k], ZYAN_FALSE);
    }
}

static const ZydisDecoder *decoder_for(const struct soft *s)
{
    switch (s->mode) {
    case MODE_LONG64:                   return &decoders[2];
    case MODE_PROT32: case MODE_LONG32: return &decoders[1];
    default:                            return &decoders[0];
    }
}

/* ---- which family ---- */

#define FAMILY(m, f) [ZYDIS_MNEMONIC_##m] = select_##f,
static select_fn *const families[ZYDIS_MNEMONIC_MAX_VALUE + 1] = { MNEMONIC_LIST(FAMILY) };

/* ---- operands ---- */

struct decoded {
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t left;
};

static bool is_gpr(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_R15;
}

static uint8_t reg_index(ZydisRegister r)
{
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
        return (uint8_t)(r - ZYDIS_REGISTER_AL);
    if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
        return (uint8_t)(r - ZYDIS_REGISTER_AH);
    if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(4 + r - ZYDIS_REGISTER_SPL);
    ZyanI8 id = ZydisRegisterGetId(r);
    return id >= 0 && id < N_GPRS ? (uint8_t)id : NO_REG;
}

static uint8_t reg_byte(ZydisRegister r)
{
    return (uint8_t)(8 * reg_index(r) + (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH));
}

static void put_reg(struct uop *u, bool as_rm, ZydisRegister r)
{
    if (as_rm) {
        u->rm = reg_index(r);
        u->rm8 = reg_byte(r);
    } else {
        u->reg = reg_index(r);
        u->reg8 = reg_byte(r);
    }
}

static void put_mem(struct uop *u, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o,
                    uint64_t next)
{
    /* "If mod = 00, base = 101 is a 32-bit displacement without a base": with REX.B
     * too, which Zydis 4.0 forgets of 32-bit addresses in 64-bit mode. */
    bool no_base = in->raw.modrm.mod == 0 && in->raw.modrm.rm == 4 && in->raw.sib.base == 5 &&
                   in->address_width != 16;

    u->mem = true;
    u->seg = o->mem.segment ? (uint8_t)ZydisRegisterGetId(o->mem.segment) : SEG_DS;
    u->disp = no_base ? in->raw.disp.value : o->mem.disp.value;
    u->base = u->index = NO_REG;
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP)
        u->disp += (int64_t)next;
    else if (o->mem.base && !no_base)
        u->base = reg_index(o->mem.base);
    if (o->mem.index) {
        u->index = reg_index(o->mem.index);
        u->scale = o->mem.scale;
    }
}

/* How the address is worked out: see exec.h. */
static enum addressing addressing(const struct soft *s, const struct uop *u)
{
    if (!s->flat || u->seg == SEG_FS || u->seg == SEG_GS)
        return AG;
    if (s->mode == MODE_LONG64)
        return u->asize == 8 ? A64 : u->asize == 4 ? A32 : AG;
    return u->asize == 4 && u->seg != SEG_CS ? A32 : AG;
}

static uint64_t immediate(const ZydisDecodedOperand *o)
{
    return o->imm.is_signed ? (uint64_t)o->imm.value.s : o->imm.value.u;
}

/* The form of the explicit operands; the destination goes to rm, unless it is
 * the register of "reg, mem". */
static enum form operands(struct uop *u, struct insn *i, const struct decoded *d, uint64_t next)
{
    const ZydisDecodedOperand *a = &d->op[0], *b = &d->op[1];
    unsigned n = d->in.operand_count_visible;
    bool mem = false;

    for (unsigned k = 0; k < n; k++) {
        const ZydisDecodedOperand *o = &d->op[k];
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            put_mem(u, &d->in, o, next);
            mem = true;
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            *(k == 1 && d->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? &u->disp : (int64_t *)&u->imm) =
                (int64_t)immediate(o);      /* the second one is ENTER's */
        } else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && !is_gpr(o->reg.value)) {
            return F_OTHER;
        }
    }
    i->n_operands = n;
    i->n = n ? a->size / 8 : 0;
    i->n2 = n > 1 ? b->size / 8 : 0;
    i->log = cc_log2(i->n);
    i->op1_cl = n > 1 && b->type == ZYDIS_OPERAND_TYPE_REGISTER && b->reg.value == ZYDIS_REGISTER_CL;
    if (n > 2) {
        i->op2_imm = d->op[2].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
        i->op2_cl = d->op[2].type == ZYDIS_OPERAND_TYPE_REGISTER;
    }
    if (!n)
        return F_NONE;
    if (a->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return F_I;
    if (n == 1) {
        if (!mem)
            put_reg(u, true, a->reg.value);
        return mem ? F_M : F_R;
    }
    if (b->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        if (!mem)
            put_reg(u, true, a->reg.value);
        return mem ? F_MI : F_RI;
    }
    if (!mem) {
        put_reg(u, true, a->reg.value);
        put_reg(u, false, b->reg.value);
        return F_RR;
    }
    put_reg(u, false, a->type == ZYDIS_OPERAND_TYPE_MEMORY ? b->reg.value : a->reg.value);
    return a->type == ZYDIS_OPERAND_TYPE_MEMORY ? F_MR : F_RM;
}

static void fill_prefixes(struct uop *u, const ZydisDecodedInstruction *in)
{
    ZydisInstructionAttributes a = in->attributes;

    u->rep = a & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE);
    u->repne = a & ZYDIS_ATTRIB_HAS_REPNE;
    u->lock = a & ZYDIS_ATTRIB_HAS_LOCK;
    if (in->meta.category != ZYDIS_CATEGORY_STRINGOP)
        return;
    /* F2 repeats MOVS, STOS and LODS too; the last of several prefixes counts. */
    for (unsigned i = 0; i < in->raw.prefix_count; i++)
        if (in->raw.prefixes[i].value >= 0xf2) {
            u->repne = in->raw.prefixes[i].value == 0xf2;
            u->rep = !u->repne;
        }
}

/* ---- one instruction ---- */

/* Ends a block that ends at no branch: go on behind it. */
static void op_fall(struct soft *s, const struct uop *u)
{
    FOLLOW(s, u, 0);
}

/* Registers and operands as soft.h promises them to the system side. */
static op_fn *system_operation(struct soft *s, struct uop *u, const struct decoded *d,
                               uint64_t next)
{
    const ZydisDecodedInstruction *in = &d->in;
    bool steady;

    (void)s;
    u->imm2 = 0;
    for (unsigned k = 0; k < in->operand_count_visible; k++) {
        const ZydisDecodedOperand *o = &d->op[k];
        if (o->type == ZYDIS_OPERAND_TYPE_POINTER) {
            u->imm = o->ptr.offset;
            u->imm2 = o->ptr.segment;
        } else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            put_mem(u, in, o, next);
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            u->imm = immediate(o);
        }
    }
    if (in->attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        u->reg = (uint8_t)(in->raw.modrm.reg | in->raw.rex.R << 3);
        u->rm = (uint8_t)(in->raw.modrm.rm | in->raw.rex.B << 3);
        u->reg8 = (uint8_t)(8 * u->reg);
        u->rm8 = (uint8_t)(8 * u->rm);
    }
    if (in->operand_count_visible && d->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        u->imm = low_bytes(u->imm, 8);
    u->opcode = (uint16_t)(in->opcode | (in->opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x0f00 : 0));
    u->sys = soft_system_op(in->mnemonic, &steady);
    return !u->sys ? NULL : steady ? op_steady : op_system;
}

/* The opcodes that a system mnemonic shares with a user one (MOV to CR0, PUSH
 * DS, far JMP) have an operand that is no general register, or are far. */
static bool is_far(const ZydisDecodedInstruction *in)
{
    return in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static const ZydisDecodedOperand *memory_operand(const struct decoded *d)
{
    const ZydisDecodedOperand *o = d->op;

    while (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
        o++;
    return o;
}

/* The last of F2 and F3 counts, and 66 only without them. */
static uint8_t mandatory_prefix(const ZydisDecodedInstruction *in)
{
    uint8_t found = SSE_NP;

    for (unsigned i = 0; i < in->raw.prefix_count; i++) {
        uint8_t p = in->raw.prefixes[i].value;
        if (p == 0xf2 || p == 0xf3)
            found = p == 0xf3 ? SSE_F3 : SSE_F2;
        else if (p == 0x66 && found == SSE_NP)
            found = SSE_66;
    }
    return found;
}

static op_fn *mmx_or_sse(struct soft *s, struct uop *u, const struct decoded *d, uint64_t next)
{
    const ZydisDecodedInstruction *in = &d->in;
    struct sse_insn i = {
        .prefix = mandatory_prefix(in), .opcode = in->opcode, .wide = in->raw.rex.W,
        .modrm = (uint8_t)(in->raw.modrm.mod << 6 | in->raw.modrm.reg << 3),
        .imm = (uint8_t)in->raw.imm[0].value.u,
    };
    op_fn *fn = in->opcode_map == ZYDIS_OPCODE_MAP_0F ? sse_select(u, &i) : NULL;

    if (!fn || !(in->attributes & ZYDIS_ATTRIB_HAS_MODRM))
        return fn;
    u->reg = (uint8_t)(in->raw.modrm.reg | in->raw.rex.R << 3);
    u->rm = (uint8_t)(in->raw.modrm.rm | in->raw.rex.B << 3);
    if (in->raw.modrm.mod != 3) {
        put_mem(u, in, memory_operand(d), next);
        u->av = addressing(s, u);
    }
    return fn;
}

static op_fn *choose(struct soft *s, struct uop *u, const struct decoded *d,
                     uint64_t rip, uint64_t next, bool *ends)
{
    const ZydisDecodedInstruction *in = &d->in;
    struct insn i = { .mode = s->mode, .flat = s->flat, .rip = rip, .next = next };
    select_fn *select = families[in->mnemonic];
    op_fn *fn = NULL;

    if (in->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return op_ud;
    if (in->mnemonic == ZYDIS_MNEMONIC_FWAIT)
        return op_fwait;
    if (in->meta.isa_ext == ZYDIS_ISA_EXT_X87) {
        if (in->raw.modrm.mod != 3)
            put_mem(u, in, memory_operand(d), next);
        u->imm = (uint64_t)in->raw.modrm.mod << 14 | (uint64_t)in->raw.modrm.reg << 11 |
                 (uint64_t)in->raw.modrm.rm << 8 | in->opcode;
        return op_x87;
    }
    if ((fn = mmx_or_sse(s, u, d, next)))
        return fn;
    i.cc = in->opcode & 15;
    i.cs_limit = s->seg[SEG_CS].limit;
    i.cc_branch = (in->opcode & 0xf0) == (in->opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x80 : 0x70);
    i.stack = s->mode == MODE_LONG64 ? 8 : s->flat ? 4 : 0;
    if (select && !is_far(in) && (i.form = operands(u, &i, d, next)) != F_OTHER) {
        u->av = i.av = addressing(s, u);
        fn = select(u, &i, ends);
    }
    if (fn)
        return fn;
    fn = system_operation(s, u, d, next);
    *ends = true;
    return fn ? fn : op_ud;
}

/* The segment of an implicit operand (strings, XLAT): DS unless a prefix says
 * otherwise, and in 64-bit mode only FS and GS count. */
static uint8_t override(const ZydisDecodedInstruction *in)
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

static op_fn *decode_one(struct soft *s, struct uop *u, struct decoded *d,
                         uint64_t rip, bool *ends)
{
    const ZydisDecodedInstruction *in = &d->in;
    uint64_t next = rip_mask(s, rip + in->length);

    u->len = in->length;
    u->opsize = in->operand_width / 8;
    u->asize = in->address_width / 8;
    u->mnemonic = (uint16_t)in->mnemonic;
    u->seg = override(in);
    u->base = u->index = NO_REG;
    u->av = AG;
    fill_prefixes(u, in);
    return choose(s, u, d, rip, next, ends);
}

/* ---- a block ---- */

static void finish(struct uop *u, unsigned n_uops, unsigned n)
{
    unsigned k = 0;

    for (unsigned m = 0; m < n_uops && k < n; m++)
        u[m].left = (uint8_t)(n - k++);
}

/* A comparison and the conditional jump on it: the first handler does both. */
static void fuse(struct uop *first, const struct uop *jump)
{
    unsigned cc;
    op_fn *both = is_jcc(jump->fn, &cc) ? alu_and_jcc(first->fn, cc) : NULL;

    if (both)
        first->fn = both;
}

unsigned soft_decode(struct soft *s, const uint8_t *hva, size_t avail, uint64_t rip,
                     unsigned max, struct uop *u, unsigned *n_insns, unsigned *n_bytes)
{
    unsigned n = 0, off = 0, looked_at = 0;
    bool ends = false;

    while (n < max && !ends) {
        struct decoded d;
        struct uop *at = &u[n];
        ZyanStatus z = ZydisDecoderDecodeFull(decoder_for(s), hva + off, avail - off, &d.in, d.op);

        if ((z == ZYDIS_STATUS_NO_MORE_DATA || z == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) &&
            avail - off < 15) {
            if (!n)
                return 0;
            break;                              /* let it begin the next block */
        }
        memset(at, 0, sizeof *at);
        at->off = (uint16_t)off;
        if (ZYAN_SUCCESS(z)) {
            at->fn = decode_one(s, at, &d, rip_mask(s, rip + off), &ends);
        } else {
            at->fn = z == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? op_gp : op_ud;
            at->len = 1;
            ends = true;
            /* Any of its bytes may be the reason: a write to one changes the answer. */
            looked_at = off + (avail - off < 15 ? (unsigned)(avail - off) : 15);
        }
        off += at->len;
        n++;
    }
    *n_insns = n;
    *n_bytes = looked_at > off ? looked_at : off;
    if (n > 1)
        fuse(&u[n - 2], &u[n - 1]);
    finish(u, n, n);
    if (ends)
        return n;
    memset(&u[n], 0, sizeof u[n]);
    u[n].fn = op_fall;
    u[n].off = (uint16_t)off;
    u[n].imm = rip_mask(s, rip + off);
    return n + 1;
}
