/*
 * debugger/report/explain.h -- why a run ended that was not meant to: a triple fault,
 * a HLT that nothing ends, an access that nobody answers.
 *
 * It looks at the registers and at what they point to, and says in sentences
 * what is wrong with it.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_H
#define DEBUGGER_REPORT_EXPLAIN_H

#include <stdio.h>
#include "cpu/state.h"
#include "vm/vm.h"

struct symbols;

struct explain_input {
    enum vm_stop stop;
    const struct cpu_state *cpu;
    /* n bytes at a linear address as the guest's tables map it: false if they do not. */
    bool (*read)(void *arg, gla_t at, void *to, size_t n);
    void *arg;
    const struct symbols *symbols;          /* may be NULL                            */
    const struct trace_event *unclaimed;    /* the last UNCLAIMED, or NULL: not known */
};

/* Lines of text on why the machine stopped, or nothing if the end needs no explanation.  The
 * machine itself is the input: for a debugger in the same process. */
void explain_vm(struct vm *vm, const struct symbols *symbols, FILE *out);

#endif
