/*
 * debugger/report/explain_chain.c -- the way to a triple fault, as the engine has seen it.
 *
 * The engine's account (cpu/delivery.h) names each delivery that failed and its obstacle.
 * This file tells it: which exception was the first, at which instruction; for each step what
 * stood in the way, with the numbers that prove it, read from the registers and tables of the
 * stopped machine, which are still those of the failure; and what a programmer should check.
 *
 * Begin with explain_chain().  To say more about an obstacle, change its row in accounts[].
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>

#include "debugger/symbols/disasm.h"
#include "debugger/symbols/symbols.h"

/* "Exceptions and Interrupts" [SDM 3A]: the manual's names, for VECTOR_LIST has only letters. */
static const struct { const char *letters, *name; } exceptions[32] = {
    [VEC_DE] = { "#DE", "divide error" },            [VEC_DB] = { "#DB", "debug exception" },
    [VEC_NMI] = { "NMI", "non-maskable interrupt" }, [VEC_BP] = { "#BP", "breakpoint" },
    [VEC_OF] = { "#OF", "overflow" },                [VEC_BR] = { "#BR", "bound range exceeded" },
    [VEC_UD] = { "#UD", "invalid opcode" },          [VEC_NM] = { "#NM", "device not available" },
    [VEC_DF] = { "#DF", "double fault" },            [VEC_TS] = { "#TS", "invalid TSS" },
    [VEC_NP] = { "#NP", "segment not present" },     [VEC_SS] = { "#SS", "stack-segment fault" },
    [VEC_GP] = { "#GP", "general protection fault" }, [VEC_PF] = { "#PF", "page fault" },
    [VEC_MF] = { "#MF", "x87 floating-point error" }, [VEC_AC] = { "#AC", "alignment check" },
    [VEC_MC] = { "#MC", "machine check" },           [VEC_XM] = { "#XM", "SIMD exception" },
};

/*
 * What was being delivered
 */

/* Was it the instruction itself that could not be read?  The bit of the error code that says
 * so exists only with no-execute pages or SMEP; the address tells as well. */
bool explain_fetch_failed(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && st->vector == VEC_PF && !(st->error & PF_W) &&
           st->cr2 - explain_linear(in->cpu, SEG_CS, st->rip) < 15;
}

static void say_page_fault(const struct explain_input *in, const struct delivery_step *st,
                           FILE *out)
{
    uint32_t error = st->error;
    bool fetch = error & PF_I || explain_fetch_failed(in, st);
    fprintf(out, "    %s %s %#" PRIx64 ", ", error & PF_U ? "ring 3" : "the CPU",
            fetch ? "fetched code at" : error & PF_W ? "wrote to" : "read from", st->cr2);
    if (error & PF_RSVD)
        fputs("where a page table entry has a reserved bit set", out);
    else if (error & PF_P)
        fprintf(out, "which the page tables at cr3 %#" PRIx64 " map, but do not allow so",
                in->cpu->cr3);
    else
        explain_say_not_mapped(in, out);
    explain_say_walk(in, st->cr2, fetch ? error | PF_I : error, out);
    fputs(".\n", out);
}

/* "a busy TSS, ring 0": bits 3 to 0 of the access byte are the type, bit 4 is 0 for what the
 * CPU itself uses.  [SDM 3A "Code- and Data-Segment Descriptor Types", "System Descriptor
 * Types"] */
static void say_descriptor(const uint8_t d[8], FILE *out)
{
    static const char *const system[16] = {
        [1] = "a 16-bit TSS", [2] = "an LDT", [3] = "a busy 16-bit TSS", [4] = "a 16-bit call gate",
        [5] = "a task gate", [9] = "a TSS", [11] = "a busy TSS", [12] = "a call gate",
        [14] = "an interrupt gate", [15] = "a trap gate",
    };
    unsigned type = d[5] & 15;
    const char *what = !(d[5] & 0x10) ? (system[type] ? system[type] : "nothing that exists") :
                       type & 8 ? (type & 4 ? "conforming code" : "code") :
                       type & 2 ? "writable data" : "read-only data";
    fprintf(out, "access byte 0x%02x (%s, ring %u%s), flags %#x", d[5], what, d[5] >> 5 & 3,
            d[5] & 0x80 ? "" : ", not present", d[6] >> 4);
}

/* "selector 0x18, beyond the end of the GDT at 0x7c20 limit 0x17", or what its descriptor
 * says.  Bit 2 of a selector: in the LDT. */
static void say_selector(const struct explain_input *in, unsigned sel, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    bool in_ldt = sel & 4;
    uint64_t base = in_ldt ? c->seg[SEG_LDTR].base : c->gdtr.base;
    uint32_t limit = in_ldt ? c->seg[SEG_LDTR].limit : c->gdtr.limit;
    const char *table = in_ldt ? "LDT" : "GDT";
    uint8_t d[8];
    fprintf(out, "selector %#x", sel);
    if ((sel | 7) > limit)
        fprintf(out, ", beyond the end of the %s at %#" PRIx64 " limit %#x", table, base, limit);
    else if (sel & ~3u && !in->read(in->arg, base + (sel & ~7u), d, sizeof d)) {
        fprintf(out, "; the %s is at %#" PRIx64 ", where nothing can be read", table, base);
    } else if (sel & ~3u) {
        fprintf(out, ", of which the %s at %#" PRIx64 " says: ", table, base);
        say_descriptor(d, out);
    }
}

/* The error code of #TS, #NP, #SS and #GP.  Bit 1: it names a gate of the IDT.
 * [SDM 3A "Error Code"] */
static void say_error_code(const struct explain_input *in, uint32_t error, FILE *out)
{
    fprintf(out, "    the error code names ");
    if (error & 2)
        fprintf(out, "gate %#x of the IDT", error >> 3 & 0xff);
    else
        say_selector(in, error & 0xfffc, out);
    fputs(".\n", out);
}

/* What an exception has told the handler that it did not find: a line, or nothing. */
static void say_details(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    if (st->type != EVENT_EXCEPTION)
        return;
    if (st->vector == VEC_PF)
        say_page_fault(in, st, out);
    else if (st->has_error && st->vector != VEC_DF && st->vector != VEC_AC && st->error & 0xfffe)
        say_error_code(in, st->error, out);
}

/* "general protection fault (#GP, vector 13, error code 0x32)" */
static void say_event(const struct delivery_step *st, FILE *out)
{
    bool named = st->vector < NELEM(exceptions) && exceptions[st->vector].name;
    if (st->type == EVENT_IRQ)
        fprintf(out, "an interrupt from a device (vector %#x)", st->vector);
    else if (st->type == EVENT_SOFTWARE)
        fprintf(out, "INT %#x (%s, vector %u)", st->vector,
                st->vector == VEC_BP ? "breakpoint, #BP" : st->vector == VEC_OF ? "overflow, #OF" :
                "a software interrupt", st->vector);
    else if (!named)
        fprintf(out, "exception %u", st->vector);
    else if (st->has_error && st->vector != VEC_DF)
        fprintf(out, "%s (%s, vector %u, error code %#x)", exceptions[st->vector].name,
                exceptions[st->vector].letters, st->vector, st->error);
    else
        fprintf(out, "%s (%s, vector %u)", exceptions[st->vector].name,
                exceptions[st->vector].letters, st->vector);
}

/* The instruction: where CS does not begin at 0, as CS:IP with the linear address behind it. */
static void say_instruction(const struct explain_input *in, const struct delivery_step *st,
                            FILE *out)
{
    const struct cpu_state *c = in->cpu;
    gla_t at = explain_linear(c, SEG_CS, st->rip);
    struct code_segment cs = state_code_segment(c);
    uint8_t bytes[15];
    unsigned n = 0;
    struct insn insn;
    cs.sel = st->cs;
    explain_say_code(in, &cs, st->rip, out);
    while (n < sizeof bytes && in->read(in->arg, at + n, bytes + n, 1))
        n++;
    if (!n && st->vector != VEC_PF) {
        fputs(explain_is_paged(c) ? ", which cannot be read" : ", where there is no memory", out);
    } else if (n) {
        disasm(bytes, n, 16u << explain_code_width(c), st->rip, at - st->rip, in->symbols, &insn);
        fprintf(out, ": %s (", insn.text);
        for (unsigned i = 0; i < insn.len && i < n; i++)
            fprintf(out, "%s%02x", i ? " " : "", bytes[i]);
        fputc(')', out);
    }
}

/*
 * What stood in the way: each function prints the numbers, after the obstacle's own sentence
 */

typedef void prove_fn(const struct explain_input *in, const struct delivery_step *st, FILE *out);

static void prove_idt_limit(const struct explain_input *in, const struct delivery_step *st,
                            FILE *out)
{
    const struct cpu_state *c = in->cpu;
    fprintf(out, ": limit %#x, but its gate would be at %#" PRIx64 " to %#" PRIx64 " (IDT at %#"
                 PRIx64 ")",
            c->idtr.limit, st->at, st->at + explain_gate_bytes(c) - 1, c->idtr.base);
}

/* In the order in which the manual draws it: what the gate says, and where it lies. */
static void prove_gate(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    uint8_t b[8];
    unsigned any = 0;
    if (!in->read(in->arg, st->at, b, sizeof b))
        return;
    for (unsigned i = 0; i < sizeof b; i++)
        any |= b[i];
    if (!any)
        fprintf(out, ": at %#" PRIx64 " there are only zeros, it was never filled in", st->at);
    else
        fprintf(out, ": at %#" PRIx64 " its type byte is 0x%02x (selector %#x, offset %#x)", st->at,
                b[5], b[2] | b[3] << 8, b[0] | b[1] << 8 | (unsigned)b[6] << 16 |
                (unsigned)b[7] << 24);
}

static void prove_selector(const struct explain_input *in, const struct delivery_step *st,
                           FILE *out)
{
    fputs(": ", out);
    say_selector(in, st->at & 0xffff, out);
}

static void prove_handler(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    uint8_t gate[4];
    fprintf(out, ": it would be at %#" PRIx64, st->at);
    if (!explain_is_real(c) &&
        in->read(in->arg, c->idtr.base + st->vector * explain_gate_bytes(c), gate, sizeof gate)) {
        fputs(", ", out);
        say_selector(in, gate[2] | (unsigned)gate[3] << 8, out);
    }
}

static void prove_tss(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    const struct segment *tr = &in->cpu->seg[SEG_TR];
    if (st->obstacle == OBSTACLE_TSS_NONE)
        fprintf(out, ": TR is %#x", tr->sel);
    else if (st->obstacle == OBSTACLE_STACK_NULL)
        fprintf(out, ": SS%" PRIu64 " is 0 in the TSS at %#" PRIx64 " (TR %#x)", st->at, tr->base,
                tr->sel);
    else
        fprintf(out, ": TSS at %#" PRIx64 " limit %#x, it is needed at %#" PRIx64, tr->base,
                tr->limit, st->at);
}

static void prove_stack(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    const struct segment *ss = &in->cpu->seg[SEG_SS];
    fprintf(out, ": it would reach %#" PRIx64 " (now SS %#x, limit %#x, stack pointer %#" PRIx64
                 ")",
            st->at, ss->sel, ss->limit, in->cpu->gpr[RSP]);
}

static void prove_page(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    fprintf(out, ": %#" PRIx64 ", ", st->at);
    if (st->second_error & PF_RSVD)
        fputs("where a page table entry has a reserved bit set", out);
    else if (st->second_error & PF_P)
        fprintf(out, "which the page tables at cr3 %#" PRIx64 " map, but not for %s", in->cpu->cr3,
                st->second_error & PF_W ? "writing" : "reading");
    else
        explain_say_not_mapped(in, out);
    explain_say_walk(in, st->at, st->second_error, out);
}

#define CHECK_SELECTOR                                                                          \
    "the selector in the gate must be that of the kernel's code segment in the GDT that LGDT "  \
    "loaded last (index times 8)."
#define CHECK_SS0 \
    "SS0 in the TSS is the selector of the kernel's data segment (access byte 0x92), with RPL 0."
#define CHECK_TSS \
    "was LTR executed, and are SS0 and ESP0 (in long mode: RSP0, IST) set in the TSS that TR names?"

/* For each obstacle: the numbers that prove it, and what to check. */
static const struct { prove_fn *prove; const char *check; } accounts[N_OBSTACLES] = {
    [OBSTACLE_IDT_LIMIT]     = { prove_idt_limit, "the limit that LIDT loads is the size of the "
                                 "table in bytes minus 1." },
    [OBSTACLE_IDT_PAGE]      = { prove_page, "do the page tables map the IDT? LIDT takes a linear "
                                 "address." },
    [OBSTACLE_GATE_TYPE]     = { prove_gate, "was this gate filled in, and are the bytes in their "
                                 "order? A gate has 8 bytes, in long mode 16; the type byte of "
                                 "an interrupt gate is 0x8e, of a trap gate 0x8f." },
    [OBSTACLE_GATE_DPL]      = { prove_gate, "a program in ring 3 may use INT n only through a "
                                 "gate whose DPL is 3: type byte 0xee." },
    [OBSTACLE_GATE_ABSENT]   = { prove_gate, "bit 7 of the type byte (P) must be set: 0x8e for an "
                                 "interrupt gate." },
    [OBSTACLE_CODE_NULL]     = { prove_selector, CHECK_SELECTOR },
    [OBSTACLE_CODE_LIMIT]    = { prove_selector, CHECK_SELECTOR },
    [OBSTACLE_CODE_TYPE]     = { prove_selector, CHECK_SELECTOR },
    [OBSTACLE_CODE_DPL]      = { prove_selector, "interrupts lead to the same ring or an inner "
                                 "one, never outward." },
    [OBSTACLE_CODE_LONG]     = { prove_selector, "in long mode handlers are 64-bit code: flags of "
                                 "the descriptor L = 1, D = 0." },
    [OBSTACLE_CODE_ABSENT]   = { prove_selector, "bit 7 of the descriptor's access byte (P) must "
                                 "be set: 0x9a for the kernel's code." },
    [OBSTACLE_CODE_V86]      = { prove_selector, "code behind the gate must be of ring 0 and not "
                                 "conforming." },
    [OBSTACLE_TABLE_PAGE]    = { prove_page, "do the page tables map the GDT? After paging is on, "
                                 "its address is a linear one." },
    [OBSTACLE_HANDLER_LIMIT] = { prove_handler, "are both halves of the handler's offset in the "
                                 "gate?" },
    [OBSTACLE_TSS_NONE]      = { prove_tss, CHECK_TSS },
    [OBSTACLE_TSS_LIMIT]     = { prove_tss, CHECK_TSS },
    [OBSTACLE_TSS_PAGE]      = { prove_page, "do the page tables map the TSS?" },
    [OBSTACLE_STACK_NULL]    = { prove_tss, CHECK_TSS },
    [OBSTACLE_STACK_LIMIT]   = { prove_selector, CHECK_SS0 },
    [OBSTACLE_STACK_TYPE]    = { prove_selector, CHECK_SS0 },
    [OBSTACLE_STACK_ABSENT]  = { prove_selector, CHECK_SS0 },
    [OBSTACLE_STACK_END]     = { prove_stack, "was the stack pointer set, and is the segment large "
                                 "enough (G is 1 for a limit in pages)?" },
    [OBSTACLE_STACK_ADDRESS] = { prove_stack, "bits 63 to 47 of a stack pointer must be equal." },
    [OBSTACLE_STACK_PAGE]    = { prove_page, "was the stack pointer set to memory that is mapped "
                                 "and writable? Has the stack overflowed (endless recursion)? "
                                 "A double fault needs a good stack: IST, or a task gate." },
    [OBSTACLE_TASK_TSS]      = { prove_selector, "a task gate names an available TSS in the GDT, "
                                 "at least 0x67 bytes long." },
};

/* The exception that came of it says what the CPU found, if nobody else does. */
static void say_obstacle(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    unsigned why = st->obstacle < N_OBSTACLES ? st->obstacle : OBSTACLE_UNKNOWN;
    fputs(obstacle_infos[why].about, out);
    if (accounts[why].prove)
        accounts[why].prove(in, st, out);
    else
        fprintf(out, " with vector %u, error code %#x", st->second_vector, st->second_error);
}

/*
 * What to check
 */

/* The first failure is the one to mend: what raised it, and what was in its way. */
void explain_what_to_check(const struct explain_input *in, const struct delivery_step *st,
                           FILE *out)
{
    unsigned why = st->obstacle < N_OBSTACLES ? st->obstacle : OBSTACLE_UNKNOWN;
    const char *cause = explain_check_cause(in, st), *way = explain_check_way(in, st);
    if (!way)
        way = accounts[why].check;
    if (cause)
        fprintf(out, "  What to check: %s\n", cause);
    if (way)
        fprintf(out, "  %s %s\n", cause ? "And for its handler:" : "What to check:", way);
}

/* An interrupt, a single step or a double fault comes between two instructions: the address
 * is that of the next one. */
static const char *preposition(const struct delivery_step *st)
{
    bool between = st->type == EVENT_IRQ || st->type == EVENT_NMI ||
                   (st->type == EVENT_EXCEPTION && st->vector == VEC_DB);
    return between ? "before" : "at";
}

/* What else is known of the first exception: what it tells itself, IRET's frame, and who may
 * have called this code. */
void explain_first(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    fputs("  First: ", out);
    say_event(st, out);
    fprintf(out, " %s ", preposition(st));
    say_instruction(in, st, out);
    fputs("\n", out);
    explain_refusal(in, out);
    explain_say_overwritten(in, st, out);
    say_details(in, st, out);
    explain_say_iret(in, st, out);
    if (!explain_is_runaway(in, st))
        explain_say_handler(in, st, out);
    else if (!explain_say_caller(in, st->rip, out))
        explain_say_run_on(in, st->rip, out);
}

/* What comes after the first exception comes of the obstacle before it, which has been told. */
void explain_chain(const struct explain_input *in, FILE *out)
{
    const struct delivery_chain *ch = in->chain;
    size_t n = ch->n < DELIVERY_STEPS ? ch->n : DELIVERY_STEPS;
    bool by_double_fault = ch->step[n - 1].vector == VEC_DF;
    fputs(by_double_fault ? "Why: an exception could not be delivered, nor the double fault that "
                            "came of it.\n"
                          : "Why: an exception could not be delivered, and would come again for "
                            "ever.\n", out);
    for (size_t i = 0; i < n; i++) {
        const struct delivery_step *st = &ch->step[i];
        if (i) {
            fputs("  Then: ", out);
            say_event(st, out);
            fputs("\n", out);
        } else {
            explain_first(in, st, out);
        }
        fputs("    its delivery failed: ", out);
        say_obstacle(in, st, out);
        fputs(".\n", out);
    }
    explain_what_to_check(in, &ch->step[0], out);
    if (ch->replayed)
        fputs("  KVM only says that it is over: engine soft has gone this way again from the "
              "guest's last state.\n", out);
}
