/*
 * debugger/report/explain_signs.h -- signs of mistakes that many people make, as tables.
 *
 * A crash has two sides: explain_cause.c is about the first exception (why did the instruction
 * fail?), explain_way.c about its way to a handler (why was there none?).  Of the first side three
 * kinds have a file of their own: page faults (explain_page_fault.c), segments
 * (explain_segment.c) and a CPU that runs where no code is (explain_lost.c).
 * Each row asks the registers, the account of the deliveries and memory whether a sign is there;
 * of each table the first such row is told.  A kernel without an IDT needs both: the page fault
 * that it did not want, and the IDT that would have let it print one.
 *
 * To teach Vitrine another mistake, add a row, and a kernel to guests/crash or tests/mistakes.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_SIGNS_H
#define DEBUGGER_REPORT_EXPLAIN_SIGNS_H

#include "debugger/report/explain_private.h"

/* What to check, in whole sentences, if the sign is there. */
struct sign {
    bool (*is_there)(const struct explain_input *in, const struct delivery_step *st);
    const char *check;
};

static inline const char *sign_find(const struct sign *signs, size_t n,
                                    const struct explain_input *in, const struct delivery_step *st)
{
    for (size_t i = 0; i < n; i++)
        if (signs[i].is_there(in, st))
            return signs[i].check;
    return NULL;
}

static inline bool sign_is_exception(const struct delivery_step *st, unsigned vector)
{
    return st->type == EVENT_EXCEPTION && st->vector == vector;
}

static inline bool sign_lies_in(uint64_t at, uint64_t base, uint64_t bytes)
{
    return at - base < bytes;
}

static inline bool sign_lies_in_table(uint64_t at, const struct table_reg *t)
{
    return sign_lies_in(at, t->base, t->limit + UINT64_C(1));
}

static inline bool sign_is_protected(const struct explain_input *in)
{
    return !explain_is_real(in->cpu);
}

/* After a reset IDTR has base 0 and limit 0x3ff or 0xffff: the vector table of real mode. */
static inline bool sign_has_vector_table(const struct explain_input *in)
{
    return sign_is_protected(in) && in->cpu->idtr.base == 0 && in->cpu->idtr.limit >= 0x3ff;
}

/* Has the segment what real mode put there?  Base 16 times the selector, 64 KiB. */
static inline bool sign_is_of_real_mode(const struct segment *s)
{
    return s->base == (uint64_t)s->sel << 4 && s->limit == 0xffff;
}

/* Was the CPU sent to address 0, or next to it? */
static inline bool sign_calls_null(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_fetch_failed(in, st) && st->cr2 < 0x1000;
}

static inline gla_t sign_stack_top(const struct explain_input *in)
{
    return explain_linear(in->cpu, SEG_SS, in->cpu->gpr[RSP]);
}

#endif
