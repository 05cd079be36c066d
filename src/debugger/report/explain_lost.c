/*
 * debugger/report/explain_lost.c -- the CPU has lost its way: it executes what is no code.  What
 * a programmer should check, judged by the place, by what lies before it, and by the stack.
 *
 * Not here: an instruction that cannot be read at all because its page is missing
 * (explain_page_fault.c), and what has led there (explain_say_caller() in explain_stack.c).
 */
#include "debugger/report/explain_signs.h"

#include "debugger/symbols/symbols.h"

/* The vector table of real mode, 400h bytes, and the BIOS's data behind it: no code lies there. */
static bool runs_in_vector_table(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && explain_is_real(in->cpu) &&
           explain_linear(in->cpu, SEG_CS, st->rip) < 0x500;
}

/* A stack pointer to no memory has been set, not reached by pushing. */
static bool has_stack_nowhere(const struct explain_input *in, const struct delivery_step *st)
{
    uint8_t byte;
    return st->type == EVENT_EXCEPTION && sign_is_protected(in) && !explain_is_paged(in->cpu) &&
           !in->read(in->arg, sign_stack_top(in), &byte, 1);
}

/* The stack lies just below the instruction: what is above has been overwritten.  (A boot
 * sector's stack lies there rightly.) */
static bool has_stack_in_code(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    return st->type != EVENT_IRQ && sign_is_protected(in) && at >= 0x8000 &&
           sign_lies_in(sign_stack_top(in), at - 0x400, 0x400 + 16);
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

/* Tables of gates or descriptors are no code.  (A limit of 64 KiB is that of real mode.) */
static bool executes_table(gla_t at, const struct table_reg *t)
{
    return t->limit < 0xffff && sign_lies_in_table(at, t);
}

/* Is the instruction, or what lies before it, no code?  (Before a function may lie anything.) */
static bool runs_through_nothing(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    uint8_t byte;
    uint64_t offset = 1;
    if (st->type != EVENT_EXCEPTION || st->vector == VEC_DB || !sign_is_protected(in))
        return false;
    if (executes_table(at, &in->cpu->gdtr) || executes_table(at, &in->cpu->idtr))
        return true;
    if (in->cpu->rflags & FLAG_VM)
        return is_fill(in, at, 2);      /* a V86 task's code lies low, and begins anywhere */
    if (st->rip < 0x400 || is_fill(in, at, 2) || is_below_program(in, at))
        return true;
    if (!in->read(in->arg, at, &byte, 1))
        return st->vector != VEC_PF;
    bool begins_function = symbols_find(in->symbols, at, &offset) && offset == 0;
    return !begins_function && is_fill(in, at - 16, 16);
}

/* The same of real mode, where zeros before the instruction are all there is to go by. */
static bool runs_through_zeros(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_UD) && explain_is_real(in->cpu) && st->rip >= 16 &&
           is_fill(in, explain_linear(in->cpu, SEG_CS, st->rip) - 16, 16);
}

/* A boot sector whose stack is in the boot sector.  (Its end, 7E00h, is as good as its begin.) */
static bool has_stack_in_boot_sector(const struct explain_input *in,
                                     const struct delivery_step *st)
{
    bool is_lost = sign_is_exception(st, VEC_UD) || sign_is_exception(st, VEC_GP);
    return is_lost && explain_is_real(in->cpu) && sign_lies_in(sign_stack_top(in), 0x7c01, 0x1e0);
}

/* SYSCALL goes to LSTAR and leaves in RCX the address behind itself.  Its opcode is 0F 05. */
static bool came_by_syscall(const struct explain_input *in, const struct delivery_step *st)
{
    const struct cpu_state *c = in->cpu;
    uint8_t b[2];
    return explain_code_width(c) == CODE64 && sign_lies_in(st->rip, c->lstar, 0x100) &&
           runs_through_nothing(in, st) && in->read(in->arg, c->gpr[RCX] - 2, b, 2) &&
           b[0] == 0x0f && b[1] == 0x05;
}

/* Nobody stops the CPU in real mode before the end of the segment: zeros are an ADD there. */
static bool runs_to_end_of_segment(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_GP) && explain_is_real(in->cpu) && st->rip > 0xffff;
}

/* A kernel that is linked for the upper half of the address space lies some MiB above its begin. */
static bool runs_high_without_paging(const struct explain_input *in,
                                     const struct delivery_step *st)
{
    uint8_t byte;
    return st->type == EVENT_EXCEPTION && sign_is_protected(in) && !explain_is_paged(in->cpu) &&
           st->rip >= 0x80000000 && st->rip % 0x10000000 < 0x1000000 &&
           !in->read(in->arg, explain_linear(in->cpu, SEG_CS, st->rip), &byte, 1);
}

/* Nobody has set it: the first push went to the top of the address space. */
static bool has_stack_at_zero(const struct explain_input *in, const struct delivery_step *st)
{
    uint32_t sp = (uint32_t)(in->cpu->gpr[RSP] + 0x100);
    return sign_is_protected(in) && sp <= 0x100 && runs_through_nothing(in, st);
}

/* Before the instruction, within NEAR bytes, are there 16 of fill?  Then *at is where they begin,
 * with all of the same kind before them. */
static bool find_fill(const struct explain_input *in, gla_t *at)
{
    enum { BYTES = 16, NEAR = 64, FAR = 1 << 20 };
    gla_t from = *at, end;
    while (!is_fill(in, from - BYTES, BYTES))
        if (--from + NEAR < *at || from < BYTES)
            return false;
    end = from;
    while (from >= BYTES && end - from < FAR && is_fill(in, from - BYTES, BYTES))
        from -= BYTES;
    while (from && end - from < FAR && is_fill(in, from - 1, 1))
        from--;
    *at = from;
    return true;
}

void explain_say_run_on(const struct explain_input *in, uint64_t rip, FILE *out)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, rip), from = at;
    uint64_t behind;
    if (explain_is_real(in->cpu) || !find_fill(in, &from) || !from ||
        !symbols_find(in->symbols, from - 1, &behind))
        return;
    fputs("    Before it nobody has filled memory, down to the end of the code at ", out);
    explain_say_place(in, from - 1, out);
    fputs(": did the CPU run on from there?\n", out);
}

static bool is_sent_by_swapped_gate(const struct explain_input *in,
                                    const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && explain_gate_is_swapped(in);
}

static bool runs_through_nothing_in_handler(const struct explain_input *in,
                                            const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && explain_is_in_handler(in);
}

/* The IDT still is the vector table of real mode: this is a boot loader, or what it has loaded. */
static bool runs_where_nothing_was_loaded(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && sign_has_vector_table(in) &&
           st->rip < 0xa0000;
}

#define RUNS_IN_VECTOR_TABLE                                                                    \
    "this is the vector table of real mode, or the BIOS's data behind it, and no code: was the " \
    "CPU sent here by a jump, a call or a RET with a wrong address, or through a vector that is " \
    "not set?"

#define NOTHING_WAS_LOADED                                                                     \
    "is there code? A BIOS loads one sector, 512 bytes, to 0x7c00; what lies behind must be "  \
    "read by INT 13h, which counts sectors from 1 and sets CF if it has failed."

/* The first that is there is told. */
static const struct sign places[] = {
    { runs_in_vector_table, RUNS_IN_VECTOR_TABLE },
    { has_stack_in_boot_sector,
      "what has set the stack pointer? It is in the midst of the boot sector (0x7c00 to 0x7dff), "
      "so that each push overwrites code or data. With SS = 0 and SP = 0x7c00 the stack grows "
      "down from there." },
    { runs_to_end_of_segment,
      "is there code? The CPU has run through memory to the end of the 64 KiB that IP reaches "
      "(zeros are an instruction, ADD): on behind the end of the code (end it with HLT in a "
      "loop), into a part of it that no INT 13h has read, or sent to a wrong place by a jump, a "
      "call or a RET." },
    { runs_through_zeros, NOTHING_WAS_LOADED },
    { came_by_syscall,
      "was LSTAR set? The CPU came here by SYSCALL, which goes to the address in LSTAR (MSR "
      "0xc0000082), and there is no code." },
    { runs_high_without_paging,
      "is paging on? It is off, and this looks like an address of a kernel that is linked for the "
      "upper half: until it has switched paging on it must use physical addresses." },
    { has_stack_at_zero,
      "was the stack pointer set? It is at 0, and what was pushed below that is lost (the top of "
      "the address space), so that each RET and POP takes nonsense." },
    { is_sent_by_swapped_gate,
      "are the halves of the handler's address swapped in the gate? Bits 15 to 0 are its first two "
      "bytes, bits 31 to 16 its last two." },
    { runs_through_nothing_in_handler,
      "is the gate right: both halves of the handler's address, and the type (0x8e; 0x86 is "
      "for 16-bit code)? An exception or interrupt was delivered, and its gate leads to where "
      "no handler is." },
    { has_stack_nowhere,
      "what has set the stack pointer? It points to where there is no memory, so that each RET "
      "and POP takes nonsense. (LEAVE takes it from EBP.)" },
    { has_stack_in_code,
      "the stack has grown into the code and overwritten it: is the recursion endless, or the "
      "stack too small?" },
    { runs_where_nothing_was_loaded, NOTHING_WAS_LOADED },
    { runs_through_nothing,
      "is there code? The CPU has run into memory that nobody has filled: behind the end of a "
      "function (a kernel's entry must not return or fall through), or by a jump, call or RET "
      "to a wrong address." },
};

const char *explain_check_lost(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(places, NELEM(places), in, st);
}

bool explain_is_runaway(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_calls_null(in, st) || runs_in_vector_table(in, st) || runs_through_nothing(in, st);
}

/* A CPU that has lost its way need not raise an exception: zeros are instructions too. */
static const struct sign lost[] = {
    { runs_in_vector_table, RUNS_IN_VECTOR_TABLE },
    { has_stack_nowhere,
      "the stack pointer points to where there is no memory: what has set it? Or does a "
      "recursion without end push, far beyond the stack? (LEAVE takes the stack pointer from "
      "EBP.)" },
    { is_sent_by_swapped_gate,
      "there is no code: are the halves of the handler's address swapped in the gate? Bits 15 to 0 "
      "are its first two bytes, bits 31 to 16 its last two." },
    { runs_through_nothing_in_handler,
      "there is no code: is the handler's address in the gate right, with both halves?" },
    { runs_through_nothing,
      "there is no code: has the CPU run on behind the end of a function, or was it sent here "
      "by a jump, call or RET to a wrong address?" },
};

const char *explain_check_running(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(lost, NELEM(lost), in, st);
}
