/*
 * debugger/console/idt.c -- `info idt`: where interrupts and exceptions lead, and which of these
 * gates cannot work.
 *
 * A gate is checked as the CPU would check it if the vector came now, and the words for what is
 * wrong are those of cpu/delivery.h, which tell a crash, too.  Rows that are alike become one.
 *
 *     0x00  0008:0x101870 <trap_stubs>  interrupt, DPL 0
 *           ... the same, every 0x10 bytes, to 0x7f
 *     0x80  0010:0x100080 <syscall>  interrupt, DPL 3
 *           CANNOT WORK: its gate names a segment that is not code
 */
#include <inttypes.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "debugger/console/private.h"

/* In long mode gates have 16 bytes, and lead to 64-bit code. */
static bool is_long(const struct console *c)
{
    return c->cpu.efer & EFER_LMA;
}

/* What an entry of the IDT says; `at` is the handler's offset in its code segment, and `linear`
 * its linear address.  `fault` is why the CPU would refuse it, NULL: it would not. */
struct gate {
    bool     used, present;             /* used: not all zeros                        */
    uint16_t sel;
    unsigned type, dpl;
    uint64_t at, linear;
    const char *fault;
};

enum { TASK_GATE = 5, INTERRUPT_16 = 6, TRAP_16 = 7, INTERRUPT = 14, TRAP = 15 };

/* An entry has 8 bytes, or in long mode 16, where the second half has the upper 32 bits of
 * the address.  [SDM 3A "IDT Descriptors", "64-Bit Mode IDT"]
 *
 *      63           48 47 46 45 44 43  40 39       32 31        16 15         0
 *     [ offset 31-16  P  DPL   0  type   (and IST)   selector     offset 15-0  ]
 */
static struct gate parse_gate(const struct console *c, const uint64_t d[2])
{
    struct gate g = {
        .used = d[0] || d[1], .present = d[0] >> 47 & 1, .sel = (uint16_t)(d[0] >> 16),
        .type = (unsigned)(d[0] >> 40) & 31, .dpl = (unsigned)(d[0] >> 45) & 3,
        .at = (d[0] & 0xffff) | (d[0] >> 32 & 0xffff0000) | (is_long(c) ? d[1] << 32 : 0),
    };
    if (g.type == INTERRUPT_16 || g.type == TRAP_16)
        g.at &= 0xffff;
    g.linear = g.at;
    return g;
}

/* The descriptor that a selector names (bit 2: in the LDT); false: beyond the end of its table,
 * or the table cannot be read. */
static bool read_descriptor(const struct console *c, uint16_t sel, uint64_t *d)
{
    bool in_ldt = sel & 4;
    uint64_t base = in_ldt ? c->cpu.seg[SEG_LDTR].base : c->cpu.gdtr.base;
    uint32_t limit = in_ldt ? c->cpu.seg[SEG_LDTR].limit : c->cpu.gdtr.limit;
    return (sel | 7u) <= limit && !link_read_linear(c->o.link, base + (sel & ~7u), d, 8);
}

/* The checks of a code segment's descriptor: bit 44 is S, 43 code, 47 P, 53 L, 54 D, and 45 and
 * 46 the DPL.  [SDM 3A "Segment Descriptors"; 2A "INT n/INTO/INT3/INT1-Call to Interrupt
 * Procedure"] */
static enum obstacle code_obstacle(const struct console *c, const struct gate *g, uint64_t d)
{
    bool is_64 = d >> 53 & 1, is_32 = d >> 54 & 1;
    uint64_t limit = (d & 0xffff) | (d >> 32 & 0xf0000);
    if (d >> 55 & 1)
        limit = limit << 12 | 0xfff;
    if (!(d >> 44 & 1) || !(d >> 43 & 1))
        return OBSTACLE_CODE_TYPE;
    if (is_long(c) && (!is_64 || is_32))
        return OBSTACLE_CODE_LONG;
    if (!(d >> 47 & 1))
        return OBSTACLE_CODE_ABSENT;
    return !is_long(c) && g->at > limit ? OBSTACLE_HANDLER_LIMIT : OBSTACLE_UNKNOWN;
}

/* Is this a type of gate that the mode has?  Bit 4 is S, which is 0 in gates. */
static bool is_gate_type(const struct console *c, unsigned type)
{
    return type == INTERRUPT || type == TRAP ||
           (!is_long(c) && (type == TASK_GATE || type == INTERRUPT_16 || type == TRAP_16));
}

static const char *words(enum obstacle o)
{
    return obstacle_infos[o].about;
}

/* Fill in g->linear and g->fault.  A task gate's TSS is not looked at. */
static void check_gate(const struct console *c, struct gate *g)
{
    uint64_t d = 0;
    if (!is_gate_type(c, g->type)) {
        g->fault = words(OBSTACLE_GATE_TYPE);
        return;
    }
    if (!g->present) {
        g->fault = words(OBSTACLE_GATE_ABSENT);
        return;
    }
    if (g->type == TASK_GATE)
        return;
    if (!(g->sel & ~3u)) {
        g->fault = words(OBSTACLE_CODE_NULL);
        return;
    }
    if (!read_descriptor(c, g->sel, &d)) {
        g->fault = words(OBSTACLE_CODE_LIMIT);
        return;
    }
    if (!is_long(c))
        g->linear = (uint32_t)(g->at + ((d >> 16 & 0xffffff) | (d >> 32 & 0xff000000)));
    enum obstacle o = code_obstacle(c, g, d);
    if (o != OBSTACLE_UNKNOWN)
        g->fault = words(o);
    else if (!link_readable(c->o.link, g->linear, 1))
        g->fault = "its handler is not mapped";
}

/* The type says what the CPU does to IF on the way in: an interrupt gate clears it, a trap
 * gate leaves it.  [SDM 3A "Flag Usage By Exception- or Interrupt-Handler Procedure"] */
static void show_gate(struct console *c, unsigned v, const struct gate *g)
{
    char place[200];
    static const char *const kinds[32] = {
        [TASK_GATE] = "task", [INTERRUPT_16] = "interrupt, 16-bit", [TRAP_16] = "trap, 16-bit",
        [INTERRUPT] = "interrupt", [TRAP] = "trap",
    };
    fprintf(c->out, "0x%02x  %04x:%s  ", v, g->sel,
            address_text(c, g->linear, place, sizeof place));
    if (kinds[g->type])
        fprintf(c->out, "%s, DPL %u\n", kinds[g->type], g->dpl);
    else
        fprintf(c->out, "type %u, DPL %u\n", g->type, g->dpl);
    if (g->fault)
        fprintf(c->out, "      CANNOT WORK: %s\n", g->fault);
}

/* Do both differ in nothing but the handler's address? */
static bool alike(const struct gate *a, const struct gate *b)
{
    return a->used && b->used && a->present == b->present && a->sel == b->sel &&
           a->type == b->type && a->dpl == b->dpl && a->fault == b->fault;
}

/* How many gates from here on are alike and equally far apart: none, if they have one handler.
 * Kernels make such rows of stubs with a macro; showing them as one line leaves the list
 * readable. */
static unsigned run_of(const struct gate *g, unsigned left)
{
    unsigned n = 1;
    while (n < left && alike(&g[0], &g[n]) && g[n].at - g[n - 1].at == g[1].at - g[0].at)
        n++;
    return n;
}

/* Rows of fewer than 4 are shown one by one, unless they are equal. */
static unsigned shown_run(const struct gate *g, unsigned left)
{
    unsigned run = run_of(g, left);
    return run >= 4 || (run > 1 && g[0].at == g[1].at) ? run : 1;
}

static void show_gates(struct console *c, const struct gate *g, unsigned n)
{
    for (unsigned v = 0, run; v < n; v += run) {
        run = shown_run(&g[v], n - v);
        if (!g[v].used)
            continue;
        show_gate(c, v, &g[v]);
        if (run > 1 && g[v + 1].at == g[v].at)
            fprintf(c->out, "      ... the same, to 0x%02x\n", v + run - 1);
        else if (run > 1)
            fprintf(c->out, "      ... the same, every %#" PRIx64 " bytes, to 0x%02x\n",
                    g[v + 1].at - g[v].at, v + run - 1);
    }
}

/* The limit is the offset of the last byte, so one less than a multiple of a gate's size. */
static void show_sum(struct console *c, const struct gate *g, unsigned n, unsigned bytes)
{
    unsigned used = 0, faulty = 0;
    for (unsigned v = 0; v < n; v++) {
        used += g[v].used;
        faulty += g[v].used && g[v].fault;
    }
    fprintf(c->out, "%u of %u gates are filled in", used, n);
    if (faulty)
        fprintf(c->out, ", and %u of them cannot work", faulty);
    fputc('\n', c->out);
    if (n < 256 && (c->cpu.idtr.limit + 1) % bytes)
        fprintf(c->out, "the limit ends in the midst of gate 0x%02x: a table of %u gates has "
                        "limit %#x\n", n, n + 1, (n + 1) * bytes - 1);
}

/* Real mode has no gates but 256 addresses, offset and segment of 2 bytes each.  [SDM 3B
 * "8086 Emulation", "Interrupt and Exception Handling"]
 *
 *     0x20  f000:fea5  0xffea5
 *           ... the same, to 0x6f
 */
static enum console_result show_ivt(struct console *c)
{
    char place[200];
    uint32_t e[256] = { 0 };
    unsigned n = 0;
    for (; n < 256 && 4 * n + 3 <= c->cpu.idtr.limit; n++)
        if (link_read_linear(c->o.link, c->cpu.idtr.base + 4 * n, &e[n], 4))
            return fail(c, "the interrupt table is not in readable memory");
    for (unsigned v = 0, run; v < n; v += run) {
        for (run = 1; v + run < n && e[v + run] == e[v];)
            run++;
        if (!e[v])
            continue;
        fprintf(c->out, "0x%02x  %04x:%04x  %s\n", v, e[v] >> 16, e[v] & 0xffff,
                address_text(c, (e[v] >> 16) * 16 + (e[v] & 0xffff), place, sizeof place));
        if (run > 1)
            fprintf(c->out, "      ... the same, to 0x%02x\n", v + run - 1);
    }
    return CONSOLE_OK;
}

/* All gates are read before one is shown, because rows that are alike become one. */
enum console_result info_idt(struct console *c, const char *args)
{
    struct gate g[256] = { { .present = false } };
    unsigned bytes = is_long(c) ? 16 : 8, n;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    fprintf(c->out, "IDT at %#" PRIx64 ", limit %#x\n", c->cpu.idtr.base, c->cpu.idtr.limit);
    if (!(c->cpu.cr0 & CR0_PE))
        return show_ivt(c);
    for (n = 0; n < 256 && n * bytes + bytes - 1 <= c->cpu.idtr.limit; n++) {
        uint64_t d[2] = { 0, 0 };
        if (link_read_linear(c->o.link, c->cpu.idtr.base + n * bytes, d, bytes))
            return fail(c, "the IDT is not in readable memory at %#" PRIx64,
                        c->cpu.idtr.base + n * bytes);
        g[n] = parse_gate(c, d);
        if (g[n].used)
            check_gate(c, &g[n]);
    }
    show_gates(c, g, n);
    show_sum(c, g, n, bytes);
    return CONSOLE_OK;
}
