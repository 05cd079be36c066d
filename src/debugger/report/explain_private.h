/*
 * debugger/report/explain_private.h -- what explain.c and explain_chain.c share: the stopped
 * machine as they see it, and how they name an address.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_PRIVATE_H
#define DEBUGGER_REPORT_EXPLAIN_PRIVATE_H

#include <stdio.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/state.h"
#include "vm/vm.h"

struct symbols;

/* The stopped machine, as far as it must be known. */
struct explain_input {
    enum vm_stop stop;                      /* how the run ended */
    const struct cpu_state *cpu;

    /* Read n bytes at a linear address through the guest's page tables; false: not mapped. */
    bool (*read)(void *arg, gla_t at, void *to, size_t n);
    void *arg;

    const struct symbols *symbols;          /* may be NULL                            */
    const struct delivery_chain *chain;     /* NULL: the engine keeps none            */
    const struct trace_event *unclaimed;    /* the last UNCLAIMED, or NULL: not known */
};

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

/* Print the story of in->chain, which has at least one step. */
void explain_chain(const struct explain_input *in, FILE *out);

#endif
