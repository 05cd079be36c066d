/*
 * debugger/report/explain_signs.c -- what a programmer should check: signs of mistakes that many
 * people make.
 *
 * There are two lists, for a crash has two sides.  causes[] is about the first exception: why
 * did the instruction fail?  ways[] is about its way to a handler: why was there none?  Each
 * row asks the registers, the account of the deliveries and memory whether a sign is there; of
 * each list the first such row is told.  A kernel without an IDT needs both: the page fault that
 * it did not want, and the IDT that would have let it print one.
 *
 * To teach Vitrine another mistake, add a row, and a kernel to guests/crash or tests/mistakes.
 */
#include "debugger/report/explain_private.h"

#include "debugger/symbols/symbols.h"

struct sign {
    bool (*is_there)(const struct explain_input *in, const struct delivery_step *st);
    const char *check;
};

static bool is_exception(const struct delivery_step *st, unsigned vector)
{
    return st->type == EVENT_EXCEPTION && st->vector == vector;
}

static bool lies_in(uint64_t at, uint64_t base, uint64_t bytes)
{
    return at - base < bytes;
}

static bool is_protected(const struct explain_input *in)
{
    return !explain_is_real(in->cpu);
}

/* After a reset IDTR has base 0 and limit 0x3ff or 0xffff: the vector table of real mode. */
static bool has_vector_table_of_real_mode(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    (void)st;
    return is_protected(in) && in->cpu->idtr.base == 0 && in->cpu->idtr.limit >= 0x3ff;
}

/*
 * The first exception: page faults
 */

static bool calls_null(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_fetch_failed(in, st) && st->cr2 < 0x1000;
}

static bool meets_no_table(const struct explain_input *in, const struct delivery_step *st)
{
    return is_exception(st, VEC_PF) && explain_table_is_nowhere(in, st->cr2);
}

static bool has_reserved_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && (st->error & PF_RSVD);
}

static bool lacks_user_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_U);
}

static bool is_write_protected(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_W);
}

/* 0F 22 /0 and /3 are MOV to CR0 and CR3.  The bytes are read by their physical address, for
 * before such a move linear and physical address are mostly the same. */
static bool has_just_changed_paging(const struct explain_input *in, const struct delivery_step *st)
{
    uint8_t b[3];
    return explain_fetch_failed(in, st) && in->physical &&
           in->physical(in->arg, st->cr2 - sizeof b, b, sizeof b) && b[0] == 0x0f && b[1] == 0x22 &&
           ((b[2] & 0xf8) == 0xc0 || (b[2] & 0xf8) == 0xd8);
}

static bool misses_gdt(const struct explain_input *in, const struct delivery_step *st)
{
    const struct table_reg *t = &in->cpu->gdtr;
    return is_exception(st, VEC_PF) && lies_in(st->cr2, t->base, t->limit + UINT64_C(1));
}

/* A push, or an access to a local variable, has met the page below the stack; pushing the
 * frame meets it again. */
static bool is_stack_overflow(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = explain_linear(in->cpu, SEG_SS, in->cpu->gpr[RSP]);
    return is_exception(st, VEC_PF) && st->obstacle == OBSTACLE_STACK_PAGE &&
           lies_in(st->cr2, top - 0x1000, 0x2000);
}

static bool is_stack_unmapped(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = explain_linear(in->cpu, SEG_SS, in->cpu->gpr[RSP]);
    return is_exception(st, VEC_PF) && !(st->error & PF_P) && lies_in(st->cr2, top - 0x100, 0x200);
}

static bool uses_null(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && st->cr2 < 0x1000;
}

static bool misses_vga(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && lies_in(st->cr2, 0xa0000, 0x20000);
}

static bool misses_apic(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF) && lies_in(st->cr2, 0xfec00000, 0x300000);
}

static bool is_page_fault(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return is_exception(st, VEC_PF);
}

/*
 * The first exception: all others
 */

static bool has_frame_elsewhere(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_iret_distance(in, st) != 0;
}

/* Memory that nobody has filled is 0, and FF where there is none. */
static bool is_fill(const struct explain_input *in, gla_t at, unsigned n)
{
    uint8_t b[16];
    if (!in->read(in->arg, at, b, n) || (b[0] != 0 && b[0] != 0xff))
        return false;
    for (unsigned i = 1; i < n; i++)
        if (b[i] != b[0])
            return false;
    return true;
}

/* Is the instruction below 1 MiB, while the program with all its symbols lies above? */
static bool is_below_program(const struct explain_input *in, gla_t at)
{
    uint64_t lowest, end;
    return at < 0x100000 && symbols_at(in->symbols, 0, &lowest, &end) && lowest >= 0x100000;
}

/* Is the instruction, or what lies before it, no code?  (Before a function may lie anything.) */
static bool runs_through_nothing(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    uint8_t byte;
    uint64_t offset = 1;
    if (st->type != EVENT_EXCEPTION || st->vector == VEC_DB || !is_protected(in))
        return false;
    if (st->rip < 0x400 || is_fill(in, at, 2) || is_below_program(in, at))
        return true;
    if (!in->read(in->arg, at, &byte, 1))
        return st->vector != VEC_PF;
    bool begins_function = symbols_find(in->symbols, at, &offset) && offset == 0;
    return !begins_function && is_fill(in, at - 16, 16);
}

/* CS has what real mode put there: base 16 times the selector, 64 KiB, 16-bit code. */
static bool has_cs_of_real_mode(const struct explain_input *in, const struct delivery_step *st)
{
    const struct cpu_state *c = in->cpu;
    const struct segment *cs = &c->seg[SEG_CS];
    return st->type != EVENT_SOFTWARE && is_protected(in) && !(c->rflags & FLAG_VM) &&
           cs->base == (uint64_t)cs->sel << 4 && cs->limit == 0xffff && !(cs->attr & SEG_DB);
}

/* Long mode is on, but CS is the 32-bit segment of before: what is 64-bit code means something
 * else there. */
static bool is_stuck_in_compatibility_mode(const struct explain_input *in,
                                           const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && explain_is_long(in->cpu) && st->ring == 0 && !st->error &&
           explain_code_width(in->cpu) != CODE64;
}

/* The IDT still is the vector table of real mode: this is a boot loader, or what it has loaded. */
static bool runs_where_nothing_was_loaded(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && has_vector_table_of_real_mode(in, st) &&
           st->rip < 0xa0000;
}

/* INT 10h to 1Ah are services of a BIOS: 16-bit code, reached through real mode's table. */
static bool calls_bios(const struct explain_input *in, const struct delivery_step *st)
{
    return is_protected(in) && st->type == EVENT_SOFTWARE && lies_in(st->vector, 0x10, 11);
}

static bool is_single_step(const struct explain_input *in, const struct delivery_step *st)
{
    return is_exception(st, VEC_DB) && (in->cpu->rflags & FLAG_TF);
}

/* The first that is there is told. */
static const struct sign causes[] = {
    { calls_null,
      "was a function pointer 0, or a return address? The CPU was sent to address 0 by a jump, "
      "a call or a RET whose stack held something else." },
    { meets_no_table,
      "do CR3 and the entries hold physical addresses? A kernel linked into the upper half of "
      "the address space must subtract that offset before it stores one." },
    { has_reserved_bit,
      "is each entry made as the manual draws it? Addresses in it are multiples of 4096 (of a "
      "large page: of its size), NX needs EFER.NXE, and PS is for entries that map large pages." },
    { lacks_user_bit,
      "what ring 3 uses needs U/S = 1 in the entries of all levels, not in the last one alone." },
    { is_write_protected,
      "what is written to needs R/W = 1 in the entries of all levels; with CR0.WP that holds "
      "for ring 0 too." },
    { has_just_changed_paging,
      "do the page tables map the instruction itself? Code that switches paging on (or changes "
      "CR3) must be mapped at the address at which it is running, until it has jumped "
      "elsewhere." },
    { explain_fetch_failed,
      "do the page tables map the instruction itself? Code that switches paging on must map "
      "itself, and code that jumps to another address must map that." },
    { misses_gdt,
      "do the page tables map the GDT? Loading a selector reads it, and the base that LGDT "
      "takes is a linear address (of which only 24 bits count if its operand is 16 bits wide)." },
    { is_stack_overflow,
      "the stack has overflowed (endless recursion, large local arrays): the address is next "
      "to the stack pointer. To see it handled, a double fault needs a stack of its own: IST, "
      "or a task gate." },
    { is_stack_unmapped,
      "is the stack pointer right, and its page mapped? The address is next to it." },
    { uses_null, "is a pointer 0? The address is that of a field or element behind address 0." },
    { misses_vga, "the VGA's memory (text is at 0xb8000) must be mapped like any other." },
    { misses_apic,
      "this is where a PC has its APICs: their pages must be mapped before they are used." },
    { is_page_fault,
      "is the address right (a pointer not set, an index too large)? Else it must be mapped "
      "before it is used." },
    { has_cs_of_real_mode,
      "has a far jump followed the MOV to CR0? CS still is what it was in real mode: 32-bit "
      "code is read as 16-bit code until a far jump has loaded a selector of the GDT." },
    { is_stuck_in_compatibility_mode,
      "has a far jump led to 64-bit code? Long mode is on, but CS is a segment of 32-bit code: "
      "until a far jump, call or return has loaded a code segment whose L is 1, 64-bit code is "
      "read as 32-bit code." },
    { has_frame_elsewhere,
      "does the handler take off the stack all that was put there? Each PUSH needs its POP, "
      "and of vectors 8, 10 to 14 and 17 the error code must go (ADD ESP, 4 or ADD RSP, 8) "
      "before IRET." },
    { runs_where_nothing_was_loaded,
      "is there code? A BIOS loads one sector, 512 bytes, to 0x7c00; what lies behind must be "
      "read by INT 13h, which counts sectors from 1 and sets CF if it has failed." },
    { runs_through_nothing,
      "is there code? The CPU has run into memory that nobody has filled: behind the end of a "
      "function (a kernel's entry must not return or fall through), or by a jump, call or RET "
      "to a wrong address." },
    { calls_bios,
      "this INT is a service of the BIOS, which is there in real mode only. In protected mode "
      "a kernel drives devices itself: text goes to 0xb8000 or to the serial port." },
    { is_single_step,
      "who has set TF (bit 8 of the flags)? It makes a #DB behind each instruction; a POPF or "
      "IRET with wrong flags does so too." },
};

/*
 * The way to a handler
 */

static bool has_no_idt(const struct explain_input *in, const struct delivery_step *st)
{
    return st->obstacle == OBSTACLE_IDT_LIMIT && in->cpu->idtr.limit < explain_gate_bytes(in->cpu);
}

/* A BIOS sets the first PIC to vectors 8 to 15. */
static bool is_irq_among_exceptions(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_IRQ && st->vector < 32 && is_protected(in);
}

static bool is_irq_without_stack(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return st->type == EVENT_IRQ && (st->obstacle == OBSTACLE_STACK_PAGE ||
                                     st->obstacle == OBSTACLE_STACK_END ||
                                     st->obstacle == OBSTACLE_STACK_ADDRESS);
}

static bool is_empty_gate(const struct explain_input *in, const struct delivery_step *st)
{
    uint64_t gate[2] = { 0, 0 };
    return st->obstacle == OBSTACLE_GATE_TYPE && is_protected(in) &&
           in->read(in->arg, st->at, gate, explain_gate_bytes(in->cpu)) && !(gate[0] | gate[1]);
}

static bool is_irq_without_gate(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_IRQ && is_empty_gate(in, st);
}

static bool is_idt_nowhere(const struct explain_input *in, const struct delivery_step *st)
{
    uint8_t byte;
    return st->obstacle == OBSTACLE_GATE_TYPE && !in->read(in->arg, st->at, &byte, 1);
}

static bool is_stack_in_idt(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = explain_linear(in->cpu, SEG_SS, in->cpu->gpr[RSP]);
    (void)st;
    return is_protected(in) && in->cpu->idtr.limit &&
           lies_in(top, in->cpu->idtr.base, in->cpu->idtr.limit + UINT64_C(1));
}

/* After a reset TR is 0, and counts as a TSS at address 0. */
static bool lacks_ltr(const struct explain_input *in, const struct delivery_step *st)
{
    bool about_tss = st->obstacle == OBSTACLE_TSS_NONE || st->obstacle == OBSTACLE_TSS_LIMIT ||
                     st->obstacle == OBSTACLE_TSS_PAGE || st->obstacle == OBSTACLE_STACK_NULL ||
                     st->obstacle == OBSTACLE_STACK_LIMIT || st->obstacle == OBSTACLE_STACK_TYPE;
    return about_tss && in->cpu->seg[SEG_TR].sel == 0;
}

/* A push below 0 wraps around to the top of the address space. */
static bool is_stack_pointer_zero(const struct explain_input *in, const struct delivery_step *st)
{
    uint64_t below = explain_is_long(in->cpu) ? -st->at : (uint32_t)-st->at;
    return st->obstacle == OBSTACLE_STACK_PAGE && below && below <= 0x100;
}

static const struct sign ways[] = {
    { has_no_idt, "was LIDT executed? Its limit is less than one gate: there is no IDT." },
    { has_vector_table_of_real_mode,
      "was LIDT executed? The IDT is at 0, where real mode has its vector table, which has no "
      "gates of this mode." },
    { is_stack_in_idt,
      "the stack pointer is in the midst of the IDT: the stack has grown into it and "
      "overwritten gates. Is it large enough, and does each handler end with IRET? (A RET "
      "leaves CS and flags on it, each time.)" },
    { is_idt_nowhere,
      "is the IDT's base right? There is no memory. LIDT takes 2 bytes of limit and right "
      "behind them the address: in C the struct must be packed." },
    { is_irq_among_exceptions,
      "were the PICs told other vectors (ICW2) before STI? A BIOS leaves IRQ 0 to 7 at vectors "
      "8 to 15, which are those of exceptions: the timer's looks like a double fault." },
    { is_irq_without_gate,
      "a device's interrupt needs a gate before STI; those without one are masked at the PIC "
      "(ports 0x21 and 0xa1, a bit for each)." },
    { is_empty_gate,
      "was this gate filled in? A gate has 8 bytes, in long mode 16. Is the IDT at the address "
      "that LIDT was given?" },
    { lacks_ltr,
      "was LTR executed? TR is 0: there is no TSS with SS0 and ESP0 (in long mode RSP0) for "
      "ring 0." },
    { is_irq_without_stack,
      "was the stack pointer in the midst of a change? While IF is 1 an interrupt may come "
      "between any two instructions and needs a good stack: CLI before the change, STI behind "
      "it." },
    { is_stack_pointer_zero,
      "was the stack pointer set? The frame would lie just below address 0: the pointer was 0. "
      "It comes from the TSS (ESP0, RSP0, IST) if the gate changes stacks, else it is ESP or "
      "RSP." },
};

static const char *find(const struct sign *signs, size_t n, const struct explain_input *in,
                        const struct delivery_step *st)
{
    for (size_t i = 0; i < n; i++)
        if (signs[i].is_there(in, st))
            return signs[i].check;
    return NULL;
}

bool explain_is_runaway(const struct explain_input *in, const struct delivery_step *st)
{
    return calls_null(in, st) || runs_through_nothing(in, st);
}

const char *explain_check_cause(const struct explain_input *in, const struct delivery_step *st)
{
    const char *sign = find(causes, NELEM(causes), in, st);
    return sign ? sign : explain_check_refusal(in);
}

const char *explain_check_way(const struct explain_input *in, const struct delivery_step *st)
{
    return find(ways, NELEM(ways), in, st);
}
