/*
 * cpu/accesses.h -- which memory will this instruction touch?
 *
 * For an engine that cannot watch: found by decoding, from the registers before it.
 * Operands only, the stack's included, of a string instruction one iteration; not what
 * the CPU reads and writes for itself (descriptors, task state, frames of its own).
 */
#ifndef CPU_ACCESSES_H
#define CPU_ACCESSES_H

#include "cpu/state.h"

enum { MAX_OPERANDS = 8 };
struct operand {
    gla_t    at;
    uint32_t len;               /* bytes                                       */
    uint8_t  access;            /* ACCESS_R, ACCESS_W                          */
    bool     strides;           /* with REP: each iteration is at the next one */
};

/* How many; none if it is no instruction.  bits: of the code, 16, 32 or 64. */
unsigned operands_of(const struct cpu_state *s, unsigned bits, const uint8_t *bytes, size_t n,
                     struct operand out[MAX_OPERANDS]);
/* Of a REP: `times` iterations from there. */
void operands_repeat(struct operand *o, unsigned n, const struct cpu_state *s, uint64_t times);
bool operands_touch(const struct operand *o, unsigned n, gla_t at, uint64_t len, unsigned access);

#endif
