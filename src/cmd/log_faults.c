/*
 * cmd/log_faults.c -- an exception as QEMU prints it:
 *
 *      0: v=0e e=0002 i=0 cpl=0 IP=0008:0000000000100010 pc=0000000000100010 SP=0010:...
 *     EAX=00000000 EBX=...
 *
 *     v vector, e error code, i 1 if INT3 or INTO asked for it, pc the linear address.  Behind the
 *     first line stands what it is called and, if there are symbols, the function.
 *
 * Every exception exits to the monitor for this (--exit-on exceptions), and is given to the guest
 * unchanged.  Registers are 32 bits wide unless the CPU is in long mode.
 */
#include "cmd/log_faults.h"

#include <inttypes.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "cpu/state.h"
#include "debugger/symbols/symbols.h"

/* A register, as wide as the mode makes it. */
static void say_register(FILE *out, const char *name, uint64_t v, bool is_long)
{
    if (is_long)
        fprintf(out, "R%-2s=%016" PRIx64, name, v);
    else
        fprintf(out, "E%-2s=%08" PRIx32, name, (uint32_t)v);
}

static void say_gprs(FILE *out, const struct cpu_state *c, bool is_long)
{
    static const struct { const char *name; unsigned nr; } order[] = {
        { "AX", RAX }, { "BX", RBX }, { "CX", RCX }, { "DX", RDX },
        { "SI", RSI }, { "DI", RDI }, { "BP", RBP }, { "SP", RSP },
        { "8", R8 },   { "9", R9 },   { "10", R10 }, { "11", R11 },
        { "12", R12 }, { "13", R13 }, { "14", R14 }, { "15", R15 },
    };
    for (size_t i = 0; i < (is_long ? NELEM(order) : 8); i++) {
        say_register(out, order[i].name, c->gpr[order[i].nr], is_long);
        fputc(i % 4 == 3 ? '\n' : ' ', out);
    }
    say_register(out, "IP", c->rip, is_long);
    fprintf(out, " %cFL=%08" PRIx64 "\n", is_long ? 'R' : 'E', c->rflags);
}

/* Selector, base, limit, and the descriptor's second word without its bits of the base. */
static void say_segment(FILE *out, const char *name, const struct segment *s, bool is_long)
{
    uint32_t limit = s->attr & SEG_G ? s->limit >> 12 : s->limit;
    uint32_t flags = (s->attr & 0xffu) << 8 | (s->attr & 0xf000u) << 8 | (limit & 0xf0000);
    fprintf(out, "%-3s=%04x ", name, s->sel);
    fprintf(out, is_long ? "%016" PRIx64 : "%08" PRIx64, s->base);
    fprintf(out, " %08" PRIx32 " %08" PRIx32 "\n", s->limit, flags);
}

static void say_table(FILE *out, const char *name, const struct table_reg *t, bool is_long)
{
    fprintf(out, "%s=     ", name);
    fprintf(out, is_long ? "%016" PRIx64 : "%08" PRIx64, t->base);
    fprintf(out, " %08x\n", t->limit);
}

static void say_system(FILE *out, const struct cpu_state *c, uint64_t cr2, bool is_long)
{
    static const struct { const char *name; enum seg seg; } order[] = {
        { "ES", SEG_ES }, { "CS", SEG_CS }, { "SS", SEG_SS }, { "DS", SEG_DS }, { "FS", SEG_FS },
        { "GS", SEG_GS }, { "LDT", SEG_LDTR }, { "TR", SEG_TR },
    };
    for (size_t i = 0; i < NELEM(order); i++)
        say_segment(out, order[i].name, &c->seg[order[i].seg], is_long);
    say_table(out, "GDT", &c->gdtr, is_long);
    say_table(out, "IDT", &c->idtr, is_long);
    fprintf(out, "CR0=%08" PRIx64 " CR2=%08" PRIx64 " CR3=%08" PRIx64 " CR4=%08" PRIx64 "\n",
            c->cr0, cr2, c->cr3, c->cr4);
    fprintf(out, "DR6=%08" PRIx64 " DR7=%08" PRIx64 " EFER=%016" PRIx64 "\n", c->dr[6], c->dr[7],
            c->efer);
}

void log_fault(FILE *out, struct vm *vm, const struct vmexit *x, uint64_t n,
               const struct symbols *symbols)
{
    struct cpu_state c;
    char where[240] = "";
    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &c))
        return;
    bool is_long = c.efer & EFER_LMA, is_pf = x->reflect.vector == VEC_PF;
    bool is_int = x->reason == EXIT_EXCEPTION && x->fault.type == EVENT_SOFTWARE;
    fprintf(out, "%6" PRIu64 ": v=%02x e=%04" PRIx32 " i=%d cpl=%d IP=%04x:%016" PRIx64
            " pc=%016" PRIx64 " SP=%04x:%016" PRIx64, n, x->reflect.vector,
            x->reflect.has_error ? x->reflect.error : 0, is_int,
            c.seg[SEG_SS].attr >> 5 & 3,
            c.seg[SEG_CS].sel, c.rip, state_pc(&c), c.seg[SEG_SS].sel, c.gpr[RSP]);
    if (is_pf)
        fprintf(out, " CR2=%016" PRIx64, x->reflect.cr2);
    symbols_format(symbols, state_pc(&c), where, sizeof where);
    fprintf(out, " %s%s%s%s\n", exit_vector_name(x->reflect.vector), where[0] ? " <" : "", where,
            where[0] ? ">" : "");
    say_gprs(out, &c, is_long);
    say_system(out, &c, is_pf ? x->reflect.cr2 : c.cr2, is_long);
}
