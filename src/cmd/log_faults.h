/*
 * cmd/log_faults.h -- --log-faults: each exception of the guest, with all registers, in the
 * form that people know from QEMU's `-d int`.
 */
#ifndef CMD_LOG_FAULTS_H
#define CMD_LOG_FAULTS_H

#include <stdio.h>
#include "vm/vm.h"

struct symbols;

/* The exception that x's verdict gives to the guest: number `n` of the run, with the registers as
 * the instruction found them.  symbols (may be NULL) name its place. */
void log_fault(FILE *out, struct vm *vm, const struct vmexit *x, uint64_t n,
               const struct symbols *symbols);

#endif
