/*
 * cpu/cpuid.h -- the CPUID answers, one table for all engines.
 *
 * What a guest learns here decides which instructions it uses.  [SDM 2A "CPUID-CPU
 * Identification"]
 */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include "base/types.h"

/* One leaf: what EAX (leaf) and ECX (subleaf) ask for, and the answer. */
struct cpuid_row {
    uint32_t    leaf, subleaf;
    bool        any_subleaf;            /* ECX does not matter */
    uint32_t    eax, ebx, ecx, edx;
    const char *about;
};
extern const struct cpuid_row cpuid_table[];
extern const size_t n_cpuid_rows;

/* The answer for leaf and subleaf, out[] being EAX, EBX, ECX, EDX; out-of-range leaves answer as
 * the highest basic leaf does on Intel.  vmcall_works sets HV_VMCALL_WORKS in the feature leaf;
 * cr4 gives OSXSAVE. */
void cpuid_answer(uint32_t leaf, uint32_t subleaf, bool vmcall_works, uint64_t cr4,
                  uint32_t out[4]);

#endif
