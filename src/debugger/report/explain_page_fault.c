/*
 * debugger/report/explain_page_fault.c -- the first exception is a page fault: what a programmer
 * should check about its address, its error code and the instruction.
 *
 * Every page fault has a row: the last one takes what no other knows.  Which entry of the tables
 * forbids the access is the business of explain_page.c.
 */
#include "debugger/report/explain_signs.h"

/* Ring 0 was kept from a page that it may neither write to nor is forbidden to read. */
static bool is_kept_from_page(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) &&
           !(st->error & (PF_W | PF_U | PF_RSVD));
}

static bool meets_no_table(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_PF) && explain_table_is_nowhere(in, st->cr2);
}

static bool has_reserved_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_RSVD);
}

static bool lacks_user_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_U);
}

static bool is_write_protected(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_W);
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
    return sign_is_exception(st, VEC_PF) && sign_lies_in_table(st->cr2, &in->cpu->gdtr);
}

/* A push, or an access to a local variable, has met the page below the stack; pushing the
 * frame meets it again. */
static bool is_stack_overflow(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = sign_stack_top(in);
    return sign_is_exception(st, VEC_PF) && st->obstacle == OBSTACLE_STACK_PAGE &&
           sign_lies_in(st->cr2, top - 0x1000, 0x2000);
}

static bool is_stack_unmapped(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = sign_stack_top(in);
    return sign_is_exception(st, VEC_PF) && !(st->error & PF_P) &&
           sign_lies_in(st->cr2, top - 0x100, 0x200);
}

static bool uses_null(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && st->cr2 < 0x1000;
}

static bool misses_vga(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && sign_lies_in(st->cr2, 0xa0000, 0x20000);
}

static bool misses_apic(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && sign_lies_in(st->cr2, 0xfec00000, 0x300000);
}

/* SWAPGS once too often, or not at all: GS has the other ring's base. */
static bool misses_gs(const struct explain_input *in, const struct delivery_step *st)
{
    struct decoded d;
    return sign_is_exception(st, VEC_PF) && explain_is_long(in->cpu) &&
           explain_decode(in, st, &d) && d.has_mem && d.mem.seg == SEG_GS;
}

/* Is the address that of a handler?  Then a delivery was just made. */
static bool misses_handler(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_fetch_failed(in, st) && explain_gate_leads_to(in, st->rip);
}

static bool is_page_fault(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF);
}

/* The first that is there is told. */
static const struct sign page_faults[] = {
    { sign_calls_null,
      "was a function pointer 0, or a return address? The CPU was sent to address 0 by a jump, "
      "a call or a RET whose stack held something else." },
    { meets_no_table,
      "do CR3 and the entries hold physical addresses? A kernel linked into the upper half of "
      "the address space must subtract that offset before it stores one." },
    { misses_handler,
      "a gate of the IDT leads to this address: is the handler's whole offset in the gate (in "
      "long mode it has three parts), and is the handler mapped, as code?" },
    { has_reserved_bit,
      "is each entry made as the manual draws it? Addresses in it are multiples of 4096 (of a "
      "large page: of its size), NX needs EFER.NXE, and PS is for entries that map large pages." },
    { lacks_user_bit,
      "what ring 3 uses needs U/S = 1 in the entries of all levels, not in the last one alone." },
    { is_write_protected,
      "what is written to needs R/W = 1 in the entries of all levels; with CR0.WP that holds "
      "for ring 0 too." },
    { is_kept_from_page,
      "is the page meant for this? A page of ring 3 (U/S = 1) is closed to ring 0's code by "
      "CR4.SMEP and to its data by CR4.SMAP, and one with NX to all code." },
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
    { misses_gs,
      "has GS the kernel's base? SWAPGS must be executed once on the way in from ring 3 and "
      "once on the way out, and not when an interrupt comes in ring 0." },
    { misses_vga, "the VGA's memory (text is at 0xb8000) must be mapped like any other." },
    { misses_apic,
      "this is where a PC has its APICs: their pages must be mapped before they are used." },
    { is_page_fault,
      "is the address right (a pointer not set, an index too large)? Else it must be mapped "
      "before it is used." },
};

const char *explain_check_page_fault(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(page_faults, NELEM(page_faults), in, st);
}
