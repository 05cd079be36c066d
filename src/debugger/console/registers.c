/*
 * debugger/console/registers.c -- info registers, info segments.
 *
 * Registers have the names that the mode of the CPU gives them: EIP in 32-bit code, RIP and R8 to
 * R15 in 64-bit code, and in 16-bit code, which can use EAX but not EIP, CS:IP.  No line is
 * longer than 80 characters.
 */
#include <inttypes.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"

/* All registers, but not parts of others (eax, al). */
static enum console_result registers_json(struct console *c)
{
    fputc('{', c->out);
    bool first = true;
    for (size_t i = 0; i < regs_count(); i++)
        if (!reg_at(i)->part) {
            fprintf(c->out, "%s\"%s\":%" PRIu64, first ? "" : ",", reg_at(i)->name,
                    reg_get(reg_at(i), &c->cpu));
            first = false;
        }
    fprintf(c->out, ",\"mode\":\"%s\"}\n", state_mode(&c->cpu));
    return CONSOLE_OK;
}

/* Every register that is not part of another one. */
static void show_all(struct console *c)
{
    unsigned n = 0;
    for (size_t i = 0; i < regs_count(); i++)
        if (!reg_at(i)->part)
            fprintf(c->out, "%-14s 0x%016" PRIx64 "%s", reg_at(i)->name,
                    reg_get(reg_at(i), &c->cpu), ++n % 2 ? "   " : "\n");
    fputs(n % 2 ? "\n" : "", c->out);
}

/* The general registers are the first N_GPRS of the table, those of 64 bits. */
static void show_general(struct console *c, bool wide)
{
    unsigned per_line = wide ? 3 : 4, n = wide ? N_GPRS : R8;
    for (unsigned i = 0; i < n; i++) {
        uint64_t v = c->cpu.gpr[i];
        const char *end = (i + 1) % per_line && i + 1 < n ? "   " : "\n";
        if (wide)
            fprintf(c->out, "%-3s 0x%016" PRIx64 "%s", reg_at(i)->name, v, end);
        else
            fprintf(c->out, "e%-2s 0x%08" PRIx32 "%s", reg_at(i)->name + 1, (uint32_t)v, end);
    }
}

/* Where the CPU stands, and its flags, a line for each.  Where CS does not begin at 0 the offset
 * in it is told as CS:IP, with the linear address behind it; in 16-bit code always. */
static void show_place(struct console *c, unsigned bits)
{
    char place[200], flags[120];
    gla_t pc = state_pc(&c->cpu);
    const char *e = bits == 64 ? "r" : bits == 32 ? "e" : "";
    address_text(c, pc, place, sizeof place);
    if (bits == 16 || pc != c->cpu.rip)
        fprintf(c->out, "cs:%sip %04x:%04" PRIx64 ", linear %s\n", e, c->cpu.seg[SEG_CS].sel,
                c->cpu.rip, place);
    else
        fprintf(c->out, "%sip %s\n", e, place);
    fprintf(c->out, "%sflags %#" PRIx64 " [%s]\n", bits == 64 ? "r" : "e", c->cpu.rflags,
            state_flags(c->cpu.rflags, flags, sizeof flags));
}

/* The base that a segment has if nobody does anything special: its selector times 16 in real and
 * virtual-8086 mode, else 0. */
static bool has_usual_base(const struct cpu_state *cpu, enum seg i)
{
    bool by_16 = !(cpu->cr0 & CR0_PE) || cpu->rflags & FLAG_VM;
    return cpu->seg[i].base == (by_16 ? cpu->seg[i].sel * UINT64_C(16) : 0);
}

/* The selectors in a line, and behind it the bases that are not the usual ones.  TR and LDTR have
 * a base of their own always; `info segments` shows it. */
static void show_selectors(struct console *c)
{
    for (unsigned i = 0; i < N_SEGS; i++)
        fprintf(c->out, "%s%s %04x", i ? "  " : "", seg_names[i], c->cpu.seg[i].sel);
    fputc('\n', c->out);
    bool any = false;
    for (unsigned i = 0; i < N_SEGS; i++) {
        if (i == SEG_TR || i == SEG_LDTR || has_usual_base(&c->cpu, i))
            continue;
        fprintf(c->out, "%s%s.base %#" PRIx64, any ? "  " : "", seg_names[i], c->cpu.seg[i].base);
        any = true;
    }
    fputs(any ? "\n" : "", c->out);
}

enum console_result info_registers(struct console *c, const char *args)
{
    unsigned bits = state_code_bits(&c->cpu);
    bool all = word_is(args, "all");
    if (*args && !all)
        return fail(c, "`info registers` or `info registers all`; `print %.20s` shows one", args);
    if (c->o.json)
        return registers_json(c);
    if (all) {
        show_all(c);
        return CONSOLE_OK;
    }
    show_general(c, bits == 64);
    show_place(c, bits);
    show_selectors(c);
    fprintf(c->out, "cr0 %#" PRIx64 "  cr2 %#" PRIx64 "  cr3 %#" PRIx64 "  cr4 %#" PRIx64 "\n",
            c->cpu.cr0, c->cpu.cr2, c->cpu.cr3, c->cpu.cr4);
    fprintf(c->out, "efer %#" PRIx64 "  CPL %" PRIu64 ", %s\n", c->cpu.efer,
            reg_get(reg_find("cpl", 3), &c->cpu), state_mode(&c->cpu));
    return CONSOLE_OK;
}

/* `attr` has the bits of a descriptor's access rights: S (code or data), type (bit 3 code,
 * bit 1 readable or writable), DPL, P, L, D/B. [SDM 3A "Segment Descriptors"] */
enum console_result info_segments(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    fprintf(c->out, "%-4s %-6s %-18s %-10s %s\n", "", "sel", "base", "limit", "rights");
    for (unsigned i = 0; i < N_SEGS; i++) {
        const struct segment *s = &c->cpu.seg[i];
        const char *access = !(s->attr & SEG_S && s->attr & 2) ? ""
                           : s->attr & 8 ? " readable" : " writable";
        fprintf(c->out, "%-4s 0x%04x 0x%016" PRIx64 " 0x%08x 0x%04x%s%s%s DPL %u%s\n",
                seg_names[i], s->sel, s->base, s->limit, s->attr,
                s->attr & SEG_P ? "" : " unusable",
                !(s->attr & SEG_S) ? " system" : s->attr & 8 ? " code" : " data",
                s->attr & SEG_L ? " 64-bit" : s->attr & SEG_DB ? " 32-bit" : " 16-bit",
                (unsigned)(s->attr & SEG_DPL) >> 5, access);
    }
    fprintf(c->out, "gdtr  base %#" PRIx64 " limit %#x\nidtr  base %#" PRIx64 " limit %#x\n",
            c->cpu.gdtr.base, c->cpu.gdtr.limit, c->cpu.idtr.base, c->cpu.idtr.limit);
    return CONSOLE_OK;
}
