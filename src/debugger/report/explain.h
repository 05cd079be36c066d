/*
 * debugger/report/explain.h -- why a run ended in a way that nobody wanted: a triple fault, a
 * HLT that nothing ends, an access that no device answers.
 *
 * It looks at the registers and at the tables that they point to (IDT, GDT, page tables,
 * stack), and says in sentences what is wrong there.  It changes nothing.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_H
#define DEBUGGER_REPORT_EXPLAIN_H

#include <stdio.h>
#include "vm/vm.h"

struct cpu_state;
struct delivery_chain;
struct symbols;

/* The stopped machine, as far as it must be known. */
struct explain_input {
    enum vm_stop stop;                      /* how the run ended */
    const struct cpu_state *cpu;

    /* Read n bytes at a linear address through the guest's page tables; false: not mapped. */
    bool (*read)(void *arg, gla_t at, void *to, size_t n);

    /* The same at a physical address; false: no memory is there.  NULL: not possible. */
    bool (*physical)(void *arg, gpa_t at, void *to, size_t n);
    void *arg;

    const struct symbols *symbols;          /* may be NULL                            */
    const struct delivery_chain *chain;     /* NULL: the engine keeps none            */
};

/* Print why the machine ended as it did: lines of text, or nothing if this end needs no
 * explanation.  A debugger, whose machine is in another process, asks link_explain(). */
void explain_end(const struct explain_input *in, FILE *out);

/* The same for a machine in this process.  symbols (may be NULL) name addresses. */
void explain_vm(struct vm *vm, const struct symbols *symbols, FILE *out);

#endif
