/*
 * suits.c -- which instructions a judge is asked about.
 *
 * All that our tables know, but for what unjudged() lists with its reason, and
 * what Unicorn is known to do wrong: suits_unicorn(), entry by entry.
 */
#include "cpu/soft/mnemonics.h"
#include "cpu/soft/ops/sse.h"
#include "generate.h"

#define X(m, family) [ZYDIS_MNEMONIC_##m] = true,
static const bool user_mnemonics[ZYDIS_MNEMONIC_MAX_VALUE + 1] = { MNEMONIC_LIST(X) };
#undef X

static bool sse_mnemonics[ZYDIS_MNEMONIC_MAX_VALUE + 1], sse_floating[ZYDIS_MNEMONIC_MAX_VALUE + 1],
            without_mmx[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* Ask for every encoding that the table of MMX and SSE could have. */
void suits_init(void)
{
    static const uint8_t prefix_bytes[] = { [SSE_NP] = 0, [SSE_66] = 0x66, [SSE_F3] = 0xf3, [SSE_F2] = 0xf2 };
    ZydisDecodedInstruction in;
    ZydisDecoder d;

    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    sse_table_init();
    for (unsigned i = 0; i < 4 * 256 * 16; i++) {
        struct sse_insn asked = { .prefix = i >> 12 & 3, .opcode = (uint8_t)(i >> 4),
                                  .modrm = (uint8_t)((i & 7) << 3 | (i & 8 ? 0xc0 : 0)) };
        uint8_t code[8] = { prefix_bytes[asked.prefix], 0x0f, asked.opcode, asked.modrm };
        struct uop u = { 0 };
        bool bare = asked.prefix == SSE_NP;
        if (!sse_select(&u, &asked) ||
            !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d, NULL, code + bare, sizeof code - bare, &in)))
            continue;
        sse_mnemonics[in.mnemonic] = true;
        without_mmx[in.mnemonic] |= u.sse->reg != SSE_M && u.sse->rm != SSE_M;
        sse_floating[in.mnemonic] |= (u.sse->flags & SSE_FP) != 0;
    }
}

bool in_our_tables(unsigned m)
{
    bool steady;

    return user_mnemonics[m] || sse_mnemonics[m] || soft_system_op(m, &steady);
}

static bool approximates(unsigned m)
{
    return m == ZYDIS_MNEMONIC_RCPPS || m == ZYDIS_MNEMONIC_RCPSS || m == ZYDIS_MNEMONIC_RSQRTPS ||
           m == ZYDIS_MNEMONIC_RSQRTSS;
}

static bool uses_mmx(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    for (unsigned k = 0; k < in->operand_count; k++)
        if (op[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(op[k].reg.value) == ZYDIS_REGCLASS_MMX)
            return true;
    return in->mnemonic == ZYDIS_MNEMONIC_EMMS;
}

/* What a judge cannot run, and why: the list judge.c prints. */
const char *unjudged(enum judge j, unsigned m)
{
    switch (m) {
    case ZYDIS_MNEMONIC_CPUID: case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC: case ZYDIS_MNEMONIC_XGETBV:
        return "answers differently on each processor";
    case ZYDIS_MNEMONIC_SYSCALL: case ZYDIS_MNEMONIC_SYSENTER: case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_VMCALL:
        return "calls the host";
    case ZYDIS_MNEMONIC_SGDT: case ZYDIS_MNEMONIC_SIDT: case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR: case ZYDIS_MNEMONIC_SMSW:
        return "answered by Linux under UMIP";
    case ZYDIS_MNEMONIC_RDFSBASE: case ZYDIS_MNEMONIC_RDGSBASE: case ZYDIS_MNEMONIC_WRFSBASE:
    case ZYDIS_MNEMONIC_WRGSBASE: case ZYDIS_MNEMONIC_LFS: case ZYDIS_MNEMONIC_LGS:
        return "FS and GS are the host's thread";
    case ZYDIS_MNEMONIC_MONITOR: case ZYDIS_MNEMONIC_MWAIT: case ZYDIS_MNEMONIC_XSETBV:
        return "not announced by our CPUID";
    }
    if (j == UNICORN && (m == ZYDIS_MNEMONIC_MOVBE || m == ZYDIS_MNEMONIC_POPCNT))
        return "not known to Unicorn's CPU";
    if (j == UNICORN && m == ZYDIS_MNEMONIC_BOUND)
        return "leaves Unicorn without its vector";
    if (j == UNICORN && approximates(m))
        return "computed exactly by Unicorn";
    if (j == UNICORN && sse_mnemonics[m] && !without_mmx[m])
        return "of MMX, whose registers Unicorn has beside the FPU's";
    if (j == UNICORN && sse_floating[m])
        return "without FTZ, DAZ, exceptions and the right NaN on Unicorn";
    if (j == UNICORN && !user_mnemonics[m] && !sse_mnemonics[m])
        return "of the system";
    return NULL;
}

static bool is_shift_by_cl(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    const ZydisDecodedOperand *last = &op[in->operand_count_visible - 1];

    return in->operand_count_visible && last->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           last->reg.value == ZYDIS_REGISTER_CL &&
           (in->meta.category == ZYDIS_CATEGORY_SHIFT || in->meta.category == ZYDIS_CATEGORY_ROTATE);
}

/* In a run: registers only, nothing that may fault or leave it. */
static bool suits_run(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_XLAT: case ZYDIS_MNEMONIC_LEAVE: case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_DIV: case ZYDIS_MNEMONIC_IDIV: case ZYDIS_MNEMONIC_AAM:
    case ZYDIS_MNEMONIC_BSF: case ZYDIS_MNEMONIC_BSR: case ZYDIS_MNEMONIC_BSWAP:
    case ZYDIS_MNEMONIC_MASKMOVQ: case ZYDIS_MNEMONIC_MASKMOVDQU:
        return false;
    default:
        break;
    }
    for (unsigned k = 0; k < in->operand_count_visible; k++)
        if ((op[k].type == ZYDIS_OPERAND_TYPE_MEMORY && in->mnemonic != ZYDIS_MNEMONIC_LEA) ||
            (op[k].type == ZYDIS_OPERAND_TYPE_REGISTER && gpr_of(op[k].reg.value) == RSP))
            return false;
    return in->meta.category != ZYDIS_CATEGORY_STRINGOP && (user_mnemonics[in->mnemonic] || sse_mnemonics[in->mnemonic]) &&
           in->meta.category != ZYDIS_CATEGORY_PUSH && in->meta.category != ZYDIS_CATEGORY_POP &&
           in->meta.branch_type == ZYDIS_BRANCH_TYPE_NONE && !is_shift_by_cl(in, op);
}

static bool has_prefix(const ZydisDecodedInstruction *in, uint8_t byte)
{
    for (unsigned i = 0; i < in->raw.prefix_count; i++)
        if (in->raw.prefixes[i].value == byte)
            return true;
    return false;
}

/* Things Unicorn 2.0.1 does not do as the manual has it: each with its reason. */
static bool suits_unicorn(const struct test *t, const ZydisDecodedInstruction *in,
                          const ZydisDecodedOperand *op)
{
    if (t->world == W64 && in->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE &&
        (in->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
        return false;                       /* Intel ignores 66 there, QEMU is an AMD */
    for (unsigned i = 0; i < in->raw.prefix_count; i++)
        if (in->raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_IGNORED)
            return false;                   /* two REX, or REX before 66: it gets lost */
    bool simd = in->opcode_map == ZYDIS_OPCODE_MAP_0F && sse_mnemonics[in->mnemonic];
    if (simd && t->world == REAL)
        return false;                       /* it knows none in real mode */
    if (simd && has_prefix(in, 0x66) && (has_prefix(in, 0xf2) || has_prefix(in, 0xf3)))
        return false;                       /* F2 and F3 go before 66: it takes 66 */
    if (in->opcode == 0xc2 && in->opcode_map == ZYDIS_OPCODE_MAP_0F && in->raw.imm[0].value.u & ~UINT64_C(7))
        return false;                       /* reserved bits of CMPPS: processors ignore them */
    if (uses_mmx(in, op))
        return false;                       /* see unjudged() */
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_LAHF: case ZYDIS_MNEMONIC_SAHF:
        return t->world != W64;             /* its CPU is too old for them in 64-bit mode */
    case ZYDIS_MNEMONIC_NOP:                /* 0F 18 to 0F 1E it takes for what came after them */
        return in->opcode == 0x1f || in->opcode == 0x90;
    case ZYDIS_MNEMONIC_NEG:                /* it takes the flags from the wrong operand */
        return !(in->attributes & ZYDIS_ATTRIB_HAS_LOCK);
    case ZYDIS_MNEMONIC_ENTER:              /* it writes BP as wide as the stack: silicon.c knows better */
        return in->operand_width == stack_width(t);
    case ZYDIS_MNEMONIC_TEST:               /* F6 /1, F7 /1: it does not know them */
        return in->opcode < 0xf6 || in->raw.modrm.reg != 1;
    case ZYDIS_MNEMONIC_BSWAP:
        return in->operand_width != 16;     /* undefined [SDM 2A "BSWAP-Byte Swap"] */
    case ZYDIS_MNEMONIC_MOV:                /* C6 /0 and C7 /0 with REX.R: it takes R for an opcode bit */
        if (in->opcode >= 0xc6 && in->raw.rex.R)
            return false;
        break;
    case ZYDIS_MNEMONIC_SHLD: case ZYDIS_MNEMONIC_SHRD:
        if (op[0].type == ZYDIS_OPERAND_TYPE_MEMORY && rip_relative(&op[0]))
            return false;                   /* it forgets the immediate byte in RIP */
        break;
    case ZYDIS_MNEMONIC_POP:                /* it computes the address before the POP */
        if (op[0].type == ZYDIS_OPERAND_TYPE_MEMORY && gpr_of(op[0].mem.base) == RSP)
            return false;
        break;
    default:
        break;
    }
    return true;
}

bool suitable(const struct test *t, const ZydisDecodedInstruction *in,
                     const ZydisDecodedOperand *op, bool run)
{
    if (in->attributes & (ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS))
        return false;
    if (only_mnemonic && in->mnemonic != only_mnemonic)
        return false;
    if (!in_our_tables(in->mnemonic) || unjudged(who, in->mnemonic) ||
        in->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return false;
    for (unsigned k = 0; k < in->operand_count_visible; k++) {
        ZydisRegister r = op[k].type == ZYDIS_OPERAND_TYPE_MEMORY ? op[k].mem.segment :
                          op[k].type == ZYDIS_OPERAND_TYPE_REGISTER ? op[k].reg.value : 0;
        ZydisRegisterClass c = ZydisRegisterGetClass(r);
        if (r == ZYDIS_REGISTER_FS || r == ZYDIS_REGISTER_GS || c == ZYDIS_REGCLASS_X87)
            return false;
        if (who == UNICORN && c >= ZYDIS_REGCLASS_SEGMENT && c != ZYDIS_REGCLASS_XMM && op[k].type == ZYDIS_OPERAND_TYPE_REGISTER)
            return false;
    }
    if (in->address_width == 16 && (in->meta.isa_set == ZYDIS_ISA_SET_FXSAVE))
        return false;                       /* processors wrap within the image */
    if (who == UNICORN && (in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || !suits_unicorn(t, in, op)))
        return false;
    return !run || suits_run(in, op);
}

/* Flags that the manual leaves undefined here; Zydis has them by instruction,
 * those of shifts depend on the count.  [SDM 1 "EFLAGS Cross-Reference"] */
uint64_t undefined(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op,
                          const struct test *t)
{
    uint64_t f = in->cpu_flags ? in->cpu_flags->undefined : 0;
    const ZydisDecodedOperand *c = &op[in->operand_count_visible - 1];
    bool rotates = in->meta.category == ZYDIS_CATEGORY_ROTATE;
    unsigned bits = op[0].size, count;

    if (in->meta.category != ZYDIS_CATEGORY_SHIFT && !rotates)
        return f;
    count = c->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? (unsigned)c->imm.value.u : (unsigned)t->gpr[RCX];
    count &= bits == 64 ? 63 : 31;
    if (!count)
        return 0;
    f = count == 1 ? 0 : FLAG_OF;
    if (!rotates)
        f |= FLAG_AF;
    if (!rotates && count >= bits && in->mnemonic != ZYDIS_MNEMONIC_SAR)
        f |= FLAG_CF;
    if (in->operand_count_visible == 3 && count > bits)     /* SHLD, SHRD */
        f |= FLAGS_ARITH;
    return f;
}
