/*
 * debugger/symbols/disasm.c -- the disassembler: the library Zydis behind one function.
 *
 * Zydis decodes and prints (Intel syntax); added here are what the debugger wants to know of
 * an instruction, and the names of branch targets.  No state is kept between calls.
 */
#include "debugger/symbols/disasm.h"

#include <stdio.h>
#include <string.h>
#include <Zydis/Zydis.h>

#include "debugger/symbols/symbols.h"

/* A decoder for the mode; false: Zydis does not have it. */
static bool set_up(ZydisDecoder *d, unsigned bits)
{
    switch (bits) {
    case 16: return ZYAN_SUCCESS(ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_16,
                                                  ZYDIS_STACK_WIDTH_16));
    case 32: return ZYAN_SUCCESS(ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_32,
                                                  ZYDIS_STACK_WIDTH_32));
    default:
        return ZYAN_SUCCESS(ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64));
    }
}

/* Zydis puts INT n and IRET into one category; for the debugger one calls and the other
 * returns. */
static void classify(const ZydisDecodedInstruction *i, struct insn *out)
{
    ZydisInstructionCategory c = i->meta.category;
    bool sysexit = i->mnemonic == ZYDIS_MNEMONIC_SYSEXIT || i->mnemonic == ZYDIS_MNEMONIC_SYSRET;
    bool iret = i->mnemonic == ZYDIS_MNEMONIC_IRET || i->mnemonic == ZYDIS_MNEMONIC_IRETD ||
                i->mnemonic == ZYDIS_MNEMONIC_IRETQ;
    out->is_return = c == ZYDIS_CATEGORY_RET || sysexit || iret;
    out->is_call = c == ZYDIS_CATEGORY_CALL || i->mnemonic == ZYDIS_MNEMONIC_SYSCALL ||
                   (c == ZYDIS_CATEGORY_INTERRUPT && !iret);
    out->is_branch = out->is_return || out->is_call || c == ZYDIS_CATEGORY_UNCOND_BR ||
                     c == ZYDIS_CATEGORY_COND_BR;
}

/* [SDM 2A "LOOP/LOOPcc-Loop According to ECX Counter"; 2B "REP/REPE/REPZ/REPNE/REPNZ-Repeat
 * String Operation Prefix"] */
static bool is_loop(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    bool loops = i->mnemonic == ZYDIS_MNEMONIC_LOOP || i->mnemonic == ZYDIS_MNEMONIC_LOOPE ||
                 i->mnemonic == ZYDIS_MNEMONIC_LOOPNE;
    return (i->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
                             ZYDIS_ATTRIB_HAS_REPNE)) || (loops && o->imm.value.s < 0);
}

/* Direct branches tell their target relative to the instruction behind them.  In 16- and
 * 32-bit code the sum wraps round at the operand size.  [SDM 2A "JMP-Jump"] */
static void find_target(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o,
                        uint64_t rip, unsigned bits, struct insn *out)
{
    if (!out->is_branch || i->operand_count_visible != 1 ||
        o->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !o->imm.is_relative)
        return;
    out->has_target = true;
    out->target = rip + i->length + o->imm.value.u;
    if (bits != 64)
        out->target &= i->operand_width == 16 ? 0xffff : 0xffffffff;
}

/* Append " <name+0x12>", the symbol that the branch goes to. */
static void add_symbol(const struct symbols *symbols, uint64_t cs_base, struct insn *out)
{
    char name[100];
    size_t used = strlen(out->text);
    if (out->has_target && symbols_format(symbols, cs_base + out->target, name, sizeof name)[0])
        snprintf(out->text + used, sizeof out->text - used, " <%.80s>", name);
}

void disasm(const uint8_t *bytes, unsigned avail, unsigned bits, uint64_t rip, uint64_t cs_base,
            const struct symbols *symbols, struct insn *out)
{
    ZydisDecoder d;
    ZydisFormatter f;
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    *out = (struct insn){ .len = 1 };
    if (!avail || !set_up(&d, bits) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, avail, &i, o))) {
        snprintf(out->text, sizeof out->text, avail ? "db %#04x" : "?", avail ? bytes[0] : 0);
        return;
    }
    out->ok = true;
    out->len = i.length;
    classify(&i, out);
    out->is_loop = is_loop(&i, o);
    find_target(&i, o, rip, bits, out);
    ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterFormatInstruction(&f, &i, o, i.operand_count_visible, out->text, sizeof out->text,
                                    rip, NULL);
    add_symbol(symbols, cs_base, out);
}
