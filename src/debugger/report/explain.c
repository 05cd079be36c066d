/*
 * debugger/report/explain.c -- registers and tables, read as a teacher would read them.
 *
 * A triple fault is an exception that cannot be delivered, then a double fault that cannot be
 * delivered either [SDM 3A "Interrupt 8-Double Fault Exception (#DF)"].  If the engine has kept
 * an account of these deliveries, explain_chain.c tells it.  If not, the file goes the way of a
 * delivery through the guest's tables, for the exceptions that are most likely, and says that
 * it is a guess: is the instruction itself mapped?  Is there a gate in the IDT, and does it
 * lead to a handler?  Is there a stack?
 *
 * Nothing is known here of how an engine works; registers, memory and that account are enough.
 */
#include "debugger/report/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "debugger/report/explain_private.h"
#include "debugger/symbols/symbols.h"
#include "mem/gmem.h"
#include "mem/walk.h"

static bool is_mapped(const struct explain_input *in, gla_t at)
{
    uint8_t byte;
    return in->read(in->arg, at, &byte, 1);
}

void explain_say_place(const struct explain_input *in, uint64_t at, FILE *out)
{
    char where[240];
    fprintf(out, "%#" PRIx64, at);
    if (symbols_format(in->symbols, at, where, sizeof where)[0])
        fprintf(out, " <%s>", where);
    if (symbols_line(in->symbols, at, where, sizeof where)[0])
        fprintf(out, " (%s)", where);
}

void explain_say_code(const struct explain_input *in, const struct code_segment *cs, uint64_t rip,
                      FILE *out)
{
    char place[PLACE_MAX];
    if (cs->segmented)
        fprintf(out, "%s, linear ", place_text(rip, cs, place, sizeof place));
    explain_say_place(in, cs->segmented ? (uint32_t)(cs->base + rip) : rip, out);
}

/* The same of an instruction in the segment that CS holds. */
static void say_code_at(const struct explain_input *in, uint64_t rip, FILE *out)
{
    struct code_segment cs = state_code_segment(in->cpu);
    explain_say_code(in, &cs, rip, out);
}

void explain_say_not_mapped(const struct explain_input *in, FILE *out)
{
    fprintf(out, explain_is_paged(in->cpu) ? "which the page tables at cr3 %#" PRIx64 " do not map"
                                           : "where there is no memory (paging is off, cr3 %#"
                                             PRIx64 ")",
            in->cpu->cr3);
}

/*
 * Triple fault
 */

/* Read the gate of a vector.  False: something is in the way, and was told. */
static bool gate_is_there(const struct explain_input *in, unsigned vector, struct explain_gate *g,
                          FILE *out)
{
    const struct table_reg *idt = &in->cpu->idtr;
    unsigned at = vector * explain_gate_bytes(in->cpu);
    switch (explain_read_gate(in, vector, g)) {
    case GATE_IS_BEYOND_LIMIT:
        fprintf(out, "    the IDT ends before it: limit %#x, but its gate would be at %#x; was "
                     "LIDT executed?\n", idt->limit, at);
        return false;
    case GATE_IS_UNREADABLE:
        fprintf(out, "    its gate in the IDT is at %#" PRIx64 ", ", idt->base + at);
        explain_say_not_mapped(in, out);
        fputs("\n", out);
        return false;
    default:
        break;
    }
    if (explain_gate_is_present(in, g))
        return true;
    fprintf(out, "    its gate in the IDT is not present (type byte %#x)%s\n", g->type,
            g->offset || g->selector ? "" : ": the gate is all zeros");
    return false;
}

/* Is the gate's code segment in the GDT, and its handler mapped?  A selector's bit 2 means the
 * LDT, which is not looked into; selector 0 is never valid.  In 32-bit code the handler's
 * address depends on the segment's base, so it is not checked there.  False: something is in
 * the way, and was told. */
static bool handler_is_there(const struct explain_input *in, const struct explain_gate *g,
                             FILE *out)
{
    const struct cpu_state *c = in->cpu;
    uint64_t descriptor = c->gdtr.base + (g->selector & ~7u);
    uint8_t d[8];
    if (explain_is_real(c))
        return true;
    if (!(g->selector & ~3u) || (!(g->selector & 4) && (g->selector | 7u) > c->gdtr.limit) ||
        (!(g->selector & 4) && !in->read(in->arg, descriptor, d, sizeof d))) {
        fprintf(out, "    its gate names the code segment %#x, which the GDT (limit %#x) does "
                     "not have\n",
                g->selector, c->gdtr.limit);
        return false;
    }
    if (is_mapped(in, g->offset) || !explain_is_long(c))
        return true;
    fputs("    its handler is at ", out);
    explain_say_place(in, g->offset, out);
    fputs(", ", out);
    explain_say_not_mapped(in, out);
    fputs("\n", out);
    return false;
}

/* The way of a vector to its handler.  False: it does not get there. */
static bool explain_vector(const struct explain_input *in, unsigned vector, const char *name,
                           FILE *out)
{
    struct explain_gate g;
    fprintf(out, "  %s, vector %u:\n", name, vector);
    if (!gate_is_there(in, vector, &g, out) || !handler_is_there(in, &g, out))
        return false;
    fputs("    gate and handler are there: ", out);
    explain_say_place(in, g.offset, out);
    fputs("\n", out);
    return true;
}

/* A delivery pushes at least RIP or EIP.  (If it changes stacks, which only the TSS tells,
 * this is not the stack.) */
static void explain_stack(const struct explain_input *in, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    gla_t top = explain_linear(c, SEG_SS, c->gpr[RSP] - 8);
    if (is_mapped(in, top))
        return;
    fprintf(out, "  The stack: a delivery pushes to %#" PRIx64 ", ", top);
    explain_say_not_mapped(in, out);
    fputs(".\n", out);
}

/* Which exception was the first is not known: page faults and general protection are the
 * usual ones, so their ways are shown, and that of the double fault. */
static void guess_triple_fault(const struct explain_input *in, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    gla_t at = explain_linear(c, SEG_CS, c->rip);
    fputs("Why: an exception could not be delivered, nor the double fault that came of it.\n"
          "  It was at ", out);
    say_code_at(in, c->rip, out);
    fprintf(out, "; IDT at %#" PRIx64 " limit %#x, cr0 %#" PRIx64
            ", cr2 %#" PRIx64 ", cr3 %#" PRIx64 "\n",
            c->idtr.base, c->idtr.limit, c->cr0, c->cr2, c->cr3);
    if (!is_mapped(in, at)) {
        fprintf(out, "  The instruction itself is at %#" PRIx64 ", ", at);
        explain_say_not_mapped(in, out);
        fputs(explain_is_paged(c) ? ": code that switches paging on must map itself.\n" : ".\n",
              out);
    } else if (explain_is_paged(c) && c->cr2 && !is_mapped(in, c->cr2)) {
        fprintf(out, "  The last page fault was for %#" PRIx64 ", ", c->cr2);
        explain_say_not_mapped(in, out);
        fputs(".\n", out);
    }
    explain_vector(in, VEC_PF, "page fault", out);
    explain_vector(in, VEC_GP, "general protection", out);
    explain_vector(in, VEC_DF, "double fault", out);
    explain_stack(in, out);
    fputs("  This is a guess from registers and tables: the engine cannot see which exception was "
          "the first, and tried again on engine soft the instruction goes another way. A run with "
          "`--cpu soft` can tell.\n", out);
}

static void explain_triple_fault(const struct explain_input *in, FILE *out)
{
    if (in->chain && in->chain->n)
        explain_chain(in, out);
    else
        guess_triple_fault(in, out);
}

/*
 * HLT, and accesses that nobody answers
 */

/* What it was is in the reason for the stop (vm/exits.c); this says where. */
static void explain_refused(const struct explain_input *in, FILE *out)
{
    fputs("Why: --strict ends a run at the first access that no device answers, which is at ", out);
    say_code_at(in, in->cpu->rip, out);
    fputs(".\n  `vitrine engines --machine` lists what this machine has.\n", out);
}

/* Where the CPU is, at this RIP, there is no code, or its stack is nowhere: say that it has lost
 * its way.  False: there is no sign of that. */
static bool explain_lost(const struct explain_input *in, uint64_t rip, FILE *out)
{
    const struct delivery_step here = {
        .type = EVENT_EXCEPTION, .vector = VEC_UD, .rip = rip,
        .cs = in->cpu->seg[SEG_CS].sel, .ring = in->cpu->seg[SEG_CS].sel & 3,
    };
    const char *check = explain_check_running(in, &here);
    if (!check)
        return false;
    fputs("Why: the CPU has lost its way, and was at ", out);
    say_code_at(in, rip, out);
    fputs(".\n", out);
    if (explain_is_runaway(in, &here) && !explain_say_caller(in, rip, out))
        explain_say_run_on(in, rip, out);
    fprintf(out, "  What to check: %s\n", check);
    return true;
}

/* The run was ended from outside, or by a limit.  Mostly there is nothing to explain but where it
 * was; but a CPU that is where there is no code, or whose stack is nowhere, will not come back. */
static void explain_running(const struct explain_input *in, FILE *out)
{
    if (explain_lost(in, in->cpu->rip, out))
        return;
    bool in_handler = explain_is_in_delivered(in);
    fputs(in_handler ? "Why: the CPU was at " : "The CPU was at ", out);
    say_code_at(in, in->cpu->rip, out);
    fputs(in_handler ? ", in the handler of an exception.\n" : ".\n", out);
    explain_say_bios_call(in, out);
    if (in_handler)
        explain_delivered(in, out);
}

/* With interrupts off only an NMI or a reset ends HLT, and nobody here sends an NMI. */
static void explain_halt(const struct explain_input *in, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    if (explain_lost(in, c->rip - 1, out))
        return;
    fputs("Why: the CPU is in HLT at ", out);
    say_code_at(in, c->rip - 1, out);       /* it stands behind its one byte */
    if (explain_is_in_delivered(in)) {
        fputs(", in the handler of an exception.\n", out);
        explain_delivered(in, out);
        return;
    }
    if (!(c->rflags & FLAG_IF))
        fputs(" with interrupts off (IF=0): nothing but a reset ends that.\n"
              "  Many guests stop so on purpose (cli; hlt). To wait for an interrupt: sti; hlt.\n",
              out);
    else
        fputs(" with interrupts on, but none can come, and no input is left.\n"
              "  What to check: a timer must run (the PIT: ports 0x43 and 0x40), its line must be "
              "unmasked at the PIC (IRQ 0: bit 0 of port 0x21; for IRQ 8 to 15 bit 2 of it, "
              "too), and each handler of an IRQ must send an EOI (OUT 0x20 to port 0x20; from "
              "IRQ 8 on to port 0xa0 too).\n",
              out);
    explain_say_lost_frame(in, out);
}

static void say_end(const struct explain_input *in, FILE *out)
{
    switch (in->stop) {
    case VM_TRIPLE_FAULT: explain_triple_fault(in, out); break;
    case VM_HALTED:       explain_halt(in, out); break;
    case VM_LIMIT_INSNS:
    case VM_LIMIT_EXITS:
    case VM_INTERRUPTED:
    case VM_TERMINATED:   explain_running(in, out); break;
    case VM_STRICT:       explain_refused(in, out); break;
    case VM_EXIT_PORT:
        if (!explain_is_left_to_bios(in))
            return;
        explain_left_to_bios(in, out);
        break;
    default:              return;
    }
    explain_say_disk_error(in, out);
}

void explain_end(const struct explain_input *in, FILE *out)
{
    char *text = NULL;
    size_t n;
    FILE *unfolded = open_memstream(&text, &n);
    if (!unfolded)
        return;
    say_end(in, unfolded);
    if (fclose(unfolded) == 0 && text)
        explain_fold(text, out);
    free(text);
}

/*
 * The machine in this process
 */

struct reader { struct vm *vm; struct paging paging; };

/* Byte by byte, since neighbours may lie in different pages.  PEEK: looking must not set
 * accessed bits in the guest's tables. */
static bool read_linear(void *arg, gla_t at, void *to, size_t n)
{
    struct reader *r = arg;
    for (size_t i = 0; i < n; i++) {
        struct walk w;
        walk(&r->paging, r->vm->gmem, at + i, WALK_READ | WALK_PEEK, &w);
        const uint8_t *byte = w.result == WALK_OK ? gmem_ptr(r->vm->gmem, w.gpa, 1) : NULL;
        if (!byte)
            return false;
        ((uint8_t *)to)[i] = *byte;
    }
    return true;
}

static bool read_physical(void *arg, gpa_t at, void *to, size_t n)
{
    struct reader *r = arg;
    return gmem_read(r->vm->gmem, at, to, n) == 0;
}

void explain_vm(struct vm *vm, const struct symbols *symbols, FILE *out)
{
    struct cpu_state c;
    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &c) != 0)
        return;
    struct reader r = { .vm = vm, .paging = paging_of(&c) };
    struct explain_input in = { .stop = vm->stop, .cpu = &c, .read = read_linear,
                                .physical = read_physical, .arg = &r, .symbols = symbols,
                                .chain = boot_cpu(vm)->undelivered };
    explain_end(&in, out);
}
