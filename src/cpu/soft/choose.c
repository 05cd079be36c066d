/*
 * cpu/soft/choose.c -- a decoded instruction gets its handler and becomes a micro-operation.
 *
 * cpu/decode.h has said what the instruction is.  Here its operands go to their places in
 * struct uop, and the mnemonic chooses: the table in mnemonics.h names the family of ops/
 * that it belongs to, and the family's select function picks the handler made for this
 * operation, size and form of operands.  An instruction that no family of user-mode integer
 * code wants goes to the system side; one that is not known there either is #UD, as on a
 * CPU that does not have it.
 *
 * Begin with choose_handler().
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/mnemonics.h"

#include <Zydis/Mnemonic.h>

/* ---- which family ---- */

#define FAMILY(m, f) [ZYDIS_MNEMONIC_##m] = select_##f,
static select_fn *const families[ZYDIS_MNEMONIC_MAX_VALUE + 1] = { MNEMONIC_LIST(FAMILY) };

/* ---- operands to their places ---- */

static void place_reg(struct uop *u, bool as_rm, const struct decoded_operand *o)
{
    if (as_rm) {
        u->rm = o->reg;
        u->rm8 = o->reg_byte;
    } else {
        u->reg = o->reg;
        u->reg8 = o->reg_byte;
    }
}

static void place_mem(struct uop *u, const struct decoded *d)
{
    u->mem = true;
    u->seg = d->mem.seg;
    u->base = d->mem.base;
    u->index = d->mem.index;
    u->scale = d->mem.scale;
    u->disp = d->mem.disp;
}

/* ModRM.reg and ModRM.rm as numbers, for those who know what kind of register is meant. */
static void place_modrm(struct uop *u, const struct decoded *d)
{
    u->reg = d->enc.reg;
    u->rm = d->enc.rm;
    u->reg8 = (uint8_t)(8 * u->reg);
    u->rm8 = (uint8_t)(8 * u->rm);
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

static bool all_plain(const struct decoded *d)
{
    for (unsigned k = 0; k < d->n_operands; k++)
        if (d->operand[k].kind == OPERAND_OTHER)
            return false;
    return true;
}

static void describe_operands(struct insn *i, const struct decoded *d)
{
    const struct decoded_operand *o = d->operand;

    i->n_operands = d->n_operands;
    i->n = d->n_operands ? o[0].bytes : 0;
    i->n2 = d->n_operands > 1 ? o[1].bytes : 0;
    i->log = cc_log2(i->n);
    i->op1_cl = d->n_operands > 1 && o[1].kind == OPERAND_GPR && o[1].bytes == 1 &&
                o[1].reg_byte == 8 * RCX;
    if (d->n_operands > 2) {
        i->op2_imm = o[2].kind == OPERAND_IMM;
        i->op2_cl = o[2].kind == OPERAND_GPR;
    }
}

/* The form of the operands that are written down; the destination goes to rm, unless it is
 * the register of "reg, mem".  F_OTHER: one of them is none for user-mode integer code. */
static enum form place_operands(struct uop *u, struct insn *i, const struct decoded *d)
{
    const struct decoded_operand *a = &d->operand[0], *b = &d->operand[1];
    unsigned n = d->n_operands;

    if (!all_plain(d))
        return F_OTHER;
    describe_operands(i, d);
    if (d->has_mem)
        place_mem(u, d);
    if (!n)
        return F_NONE;
    if (a->kind == OPERAND_IMM) {
        if (n > 1)
            u->disp = d->imm2;          /* ENTER's level */
        return F_I;
    }
    if (n == 1 || b->kind == OPERAND_IMM) {
        if (!d->has_mem)
            place_reg(u, true, a);
        return n == 1 ? (d->has_mem ? F_M : F_R) : d->has_mem ? F_MI : F_RI;
    }
    if (!d->has_mem) {
        place_reg(u, true, a);
        place_reg(u, false, b);
        return F_RR;
    }
    place_reg(u, false, a->kind == OPERAND_MEM ? b : a);
    return a->kind == OPERAND_MEM ? F_MR : F_RM;
}

/* ---- who handles it ---- */

static op_fn *integer_operation(struct soft *s, struct uop *u, const struct decoded *d,
                                uint64_t rip, bool *ends)
{
    select_fn *select = families[d->mnemonic];
    struct insn i = {
        .mode = s->mode, .flat = s->flat, .rip = rip, .next = rip_mask(s, rip + d->len),
        .cc = d->enc.opcode & 15, .cs_limit = s->seg[SEG_CS].limit,
        .cc_branch = (d->enc.opcode & 0xf0) == (d->enc.map == 1 ? 0x80 : 0x70),
        .stack = s->mode == MODE_LONG64 ? 8 : s->flat ? 4 : 0,
    };

    if (!select || d->far)
        return NULL;
    i.form = place_operands(u, &i, d);
    if (i.form == F_OTHER)
        return NULL;
    u->av = i.av = addressing(s, u);
    return select(u, &i, ends);
}

static op_fn *x87_operation(struct uop *u, const struct decoded *d)
{
    if (d->enc.mod != 3)
        place_mem(u, d);
    u->imm = (uint64_t)d->enc.mod << 14 | (uint64_t)(d->enc.reg & 7) << 11 |
             (uint64_t)(d->enc.rm & 7) << 8 | d->enc.opcode;
    return op_x87;
}

static enum sse_prefix sse_prefix_of(const struct encoding *e)
{
    return e->simd_prefix == 0x66 ? SSE_66 : e->simd_prefix == 0xf3 ? SSE_F3
         : e->simd_prefix == 0xf2 ? SSE_F2 : SSE_NP;
}

static op_fn *mmx_or_sse_operation(struct soft *s, struct uop *u, const struct decoded *d)
{
    const struct encoding *e = &d->enc;
    struct sse_insn i = {
        .prefix = (uint8_t)sse_prefix_of(e), .opcode = e->opcode, .wide = e->rex_w,
        .modrm = (uint8_t)(e->mod << 6 | (e->reg & 7) << 3), .imm = (uint8_t)d->imm,
    };
    op_fn *fn = e->map == 1 ? sse_select(u, &i) : NULL;

    if (!fn || !e->has_modrm)
        return fn;
    u->reg = e->reg;
    u->rm = e->rm;
    if (e->mod != 3) {
        place_mem(u, d);
        u->av = addressing(s, u);
    }
    return fn;
}

/* Registers and operands as soft.h promises them to the system side.  A mnemonic that it
 * shares with user-mode code (MOV to CR0, PUSH DS, far JMP) comes here with an operand that
 * is no general register, or is far. */
static op_fn *system_operation(struct uop *u, const struct decoded *d)
{
    bool steady;

    if (d->has_mem)
        place_mem(u, d);
    u->imm2 = d->imm2;
    if (d->enc.has_modrm)
        place_modrm(u, d);
    u->opcode = (uint16_t)(d->enc.opcode | (d->enc.map == 1 ? 0x0f00 : 0));
    u->sys = soft_system_op(d->mnemonic, &steady);
    return !u->sys ? NULL : steady ? op_steady : op_system;
}

op_fn *choose_handler(struct soft *s, struct uop *u, const struct decoded *d, uint64_t rip,
                      bool *ends)
{
    op_fn *fn;

    u->len = d->len;
    u->opsize = d->opsize;
    u->asize = d->asize;
    u->mnemonic = d->mnemonic;
    u->rep = d->rep;
    u->repne = d->repne;
    u->lock = d->lock;
    u->seg = d->seg;
    u->base = u->index = NO_REG;
    u->av = AG;
    u->imm = d->imm;
    if (d->enc.vex)
        return op_ud;
    if (d->mnemonic == ZYDIS_MNEMONIC_FWAIT)
        return op_fwait;
    if (d->x87)
        return x87_operation(u, d);
    if ((fn = mmx_or_sse_operation(s, u, d)) || (fn = integer_operation(s, u, d, rip, ends)))
        return fn;
    *ends = true;
    fn = system_operation(u, d);
    return fn ? fn : op_ud;
}
