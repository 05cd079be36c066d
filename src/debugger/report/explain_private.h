/*
 * debugger/report/explain_private.h -- what the files named explain* share: questions about the
 * stopped machine (explain.h), and how they name an address.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_PRIVATE_H
#define DEBUGGER_REPORT_EXPLAIN_PRIVATE_H

#include <stdio.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/state.h"
#include "debugger/report/explain.h"

static inline bool explain_is_long(const struct cpu_state *c) { return c->efer & EFER_LMA; }
static inline bool explain_is_real(const struct cpu_state *c) { return !(c->cr0 & CR0_PE); }
static inline bool explain_is_paged(const struct cpu_state *c) { return c->cr0 & CR0_PG; }

/* The linear address of an offset in a segment.  In 64-bit code the bases of CS and SS are 0
 * whatever the registers say.  [SDM 3A "Segmentation in IA-32e Mode"] */
static inline gla_t explain_linear(const struct cpu_state *c, enum seg seg, uint64_t offset)
{
    if (explain_is_long(c) && c->seg[SEG_CS].attr & SEG_L)
        return offset;
    return (uint32_t)(c->seg[seg].base + offset);
}

/* Print an address, and its symbol if there is one: "0x100010 <main+0x4>". */
void explain_say_place(const struct explain_input *in, uint64_t at, FILE *out);

/* Print why there is nothing at an address: "which the page tables at cr3 0x... do not map". */
void explain_say_not_mapped(const struct explain_input *in, FILE *out);

/* Print why the first exception of in->chain was raised, as a line of its own (without its end), or
 * nothing if there is no more to say than its vector and error code do. */
void explain_refusal(const struct explain_input *in, FILE *out);

/* Print the story of in->chain, which has at least one step. */
void explain_chain(const struct explain_input *in, FILE *out);

#endif
