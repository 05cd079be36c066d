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

struct symbols;

/* Print why the machine, which has stopped, ended as it did: lines of text on `out`, or
 * nothing if this end needs no explanation. symbols (may be NULL) name addresses. */
void explain_vm(struct vm *vm, const struct symbols *symbols, FILE *out);

#endif
