/*
 * exercise/rv32.h -- a user-mode emulator: a RISC-V program as a process of this host.
 *
 * The program sees the ABI and nothing below it: the user-level instructions (so many of RV32IM
 * as our program needs), a piece of memory, and system calls with the numbers of Linux.  There is
 * no privileged mode, no page table and no device: ECALL does not enter a RISC-V kernel, it is
 * answered here in the host's stead.  [RISC-V Unprivileged ISA "RV32I Base Integer Instruction
 * Set"]
 */
#ifndef EXERCISE_RV32_H
#define EXERCISE_RV32_H

#include "base/types.h"

enum { RV32_CODE = 64, RV32_DATA = 0x1000, RV32_DATA_BYTES = 16 };

/* Instructions at addresses 0, 4, 8 ...; memory of RV32_DATA_BYTES at address RV32_DATA. */
struct rv32_code {
    unsigned n;
    uint32_t insn[RV32_CODE];
};

struct rv32_run {
    bool     exited;                    /* by system call 93; else it did what is not allowed */
    uint32_t status;
    unsigned insns;                     /* executed, ECALL too              */
    unsigned syscalls;
    uint8_t  out[16];                   /* what it wrote to file 1          */
    unsigned n_out;
};

/* Registers by their number. */
enum { RV_ZERO = 0, RV_T0 = 5, RV_T1, RV_S0 = 8, RV_S1, RV_A0, RV_A1, RV_A2, RV_A7 = 17, RV_S2 };

/* Any code may be given: what no instruction is, or touches what is not there, ends it. */
void rv32_run(const struct rv32_code *code, struct rv32_run *r);

#endif
