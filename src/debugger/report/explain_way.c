/*
 * debugger/report/explain_way.c -- the way of an exception or interrupt to its handler: what a
 * programmer should check about IDT, GDT, TSS and stack.
 *
 * Begin with ways[], at the end; explain_signs.h says how such a table works.  Where no sign is
 * there, the obstacle itself has advice (explain_chain.c).
 */
#include "debugger/report/explain_signs.h"

static bool has_vector_table_of_real_mode(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    (void)st;
    return sign_has_vector_table(in);
}

static bool is_irq_before_idt(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_IRQ && sign_has_vector_table(in);
}

static bool has_no_idt(const struct explain_input *in, const struct delivery_step *st)
{
    return st->obstacle == OBSTACLE_IDT_LIMIT && in->cpu->idtr.limit < explain_gate_bytes(in->cpu);
}

/* The first 6 bytes of a gate are the lower half of the handler's address, a selector and the type:
 * 0008 and 8E00, say. */
static bool has_gate_as_idtr(const struct explain_input *in, const struct delivery_step *st)
{
    const struct table_reg *t = &in->cpu->idtr;
    (void)st;
    return sign_is_protected(in) && (t->base >> 24 & 0x9e) == 0x8e && !(t->base >> 32) &&
           !(t->base & 0xffff04) && t->base & 0xfff8 && (t->base & 0xffff) < 0x100;
}

/* A BIOS sets the first PIC to vectors 8 to 15. */
static bool is_irq_among_exceptions(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_IRQ && st->vector < 32 && sign_is_protected(in);
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
    return st->obstacle == OBSTACLE_GATE_TYPE && sign_is_protected(in) &&
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
    gla_t top = sign_stack_top(in);
    (void)st;
    return sign_is_protected(in) && in->cpu->idtr.limit &&
           sign_lies_in(top, in->cpu->idtr.base, in->cpu->idtr.limit + UINT64_C(1));
}

static bool is_irq_with_stack_in_idt(const struct explain_input *in,
                                     const struct delivery_step *st)
{
    return st->type == EVENT_IRQ && is_stack_in_idt(in, st);
}

/* After a reset TR is 0, and counts as a TSS at address 0. */
static bool lacks_ltr(const struct explain_input *in, const struct delivery_step *st)
{
    bool about_tss = st->obstacle == OBSTACLE_TSS_NONE || st->obstacle == OBSTACLE_TSS_LIMIT ||
                     st->obstacle == OBSTACLE_TSS_PAGE || st->obstacle == OBSTACLE_STACK_NULL ||
                     st->obstacle == OBSTACLE_STACK_LIMIT || st->obstacle == OBSTACLE_STACK_TYPE;
    return about_tss && in->cpu->seg[SEG_TR].sel == 0;
}

/* Its frame goes to the stack that the TSS names. */
static bool is_irq_in_ring3_without_stack(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    return is_irq_without_stack(in, st) && st->ring == 3;
}

/* A push below 0 wraps around to the top of the address space. */
static bool is_stack_pointer_zero(const struct explain_input *in, const struct delivery_step *st)
{
    uint64_t below = explain_is_long(in->cpu) ? -st->at : (uint32_t)-st->at;
    return st->obstacle == OBSTACLE_STACK_PAGE && below && below <= 0x100;
}

/* The gates that lead out of ring 3 take the stack from the TSS. */
static bool is_ring0_stack_zero(const struct explain_input *in, const struct delivery_step *st)
{
    return st->ring == 3 && is_stack_pointer_zero(in, st);
}

static bool has_lost_vector_table(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_is_real(in->cpu) && st->obstacle == OBSTACLE_IDT_LIMIT;
}

static const struct sign ways[] = {
    { has_lost_vector_table,
      "was LIDT executed in real mode? It has taken away the vector table, which is at 0 there "
      "with limit 0x3ff: from then on interrupts must be off (CLI) until protected mode has its "
      "gates, and the BIOS cannot be called." },
    { has_gate_as_idtr,
      "was LIDT given the table itself? What it takes is not the IDT but a pointer to it: 2 bytes "
      "of limit (the size minus 1) and 4 of base, in 64-bit code 8. The base looks like the "
      "selector and the type of a gate." },
    { has_no_idt, "was LIDT executed? Its limit is less than one gate: there is no IDT." },
    { is_irq_before_idt,
      "were interrupts switched off (CLI) before CR0.PE was set? They must stay off until LIDT "
      "has loaded a table of gates: the IDT still is the vector table of real mode." },
    { has_vector_table_of_real_mode,
      "was LIDT executed? The IDT is at 0, where real mode has its vector table, which has no "
      "gates of this mode." },
    { is_irq_with_stack_in_idt,
      "the stack pointer is in the midst of the IDT: the stack has grown into it and "
      "overwritten gates. Do handlers set IF (STI) before they end, so that they nest? Then "
      "each must be done before the next interrupt comes. Does each end with IRET?" },
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
    { is_ring0_stack_zero,
      "was ESP0 (in long mode RSP0, or the IST that the gate names) set in the TSS? An interrupt "
      "in ring 3 gets the stack of ring 0 from there, and the pointer was 0: the frame would lie "
      "just below it." },
    { is_irq_in_ring3_without_stack,
      "is the stack of ring 0 mapped? An interrupt in ring 3 gets it from the TSS: ESP0 (in long "
      "mode RSP0, or the IST that the gate names) must be the end of a stack that is mapped and "
      "may be written." },
    { is_irq_without_stack,
      "was the stack pointer in the midst of a change? While IF is 1 an interrupt may come "
      "between any two instructions and needs a good stack: CLI before the change, STI behind "
      "it." },
    { is_stack_pointer_zero,
      "was the stack pointer set? The frame would lie just below address 0: the pointer was 0. "
      "It comes from the TSS (ESP0, RSP0, IST) if the gate changes stacks, else it is ESP or "
      "RSP." },
};

const char *explain_check_way(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(ways, NELEM(ways), in, st);
}
