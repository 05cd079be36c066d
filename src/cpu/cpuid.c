/*
 * cpu/cpuid.c -- the CPUID answers, one table for all engines.
 *
 * A guest must see the same CPU whichever engine runs it, so the table names
 * only what every engine can be made to show: `soft` implements all of it, and
 * `kvm` hands the table to the kernel less what the host cannot do.  There is
 * no SSE3, no AVX, no APIC and no MTRR; a bit that is clear here is a promise that the
 * instruction raises #UD or #GP on `soft`.
 *
 * Begin with the feature leaves 1, 7 and 0x80000001.
 * [SDM 2A "CPUID-CPU Identification"]
 */
#include "cpu/cpuid.h"

#include "base/abi.h"
#include "base/x86.h"

/* Leaf 1, EDX and ECX: names as in the manual's tables of feature bits. */
#define F1_FPU    BIT(0)
#define F1_VME    BIT(1)
#define F1_DE     BIT(2)
#define F1_PSE    BIT(3)
#define F1_TSC    BIT(4)
#define F1_MSR    BIT(5)
#define F1_PAE    BIT(6)
#define F1_CX8    BIT(8)
#define F1_SEP    BIT(11)
#define F1_PGE    BIT(13)
#define F1_CMOV   BIT(15)
#define F1_PAT    BIT(16)
#define F1_CLFSH  BIT(19)
#define F1_MMX    BIT(23)
#define F1_FXSR   BIT(24)
#define F1_SSE    BIT(25)
#define F1_SSE2   BIT(26)
#define F1_EDX    (F1_FPU | F1_VME | F1_DE | F1_PSE | F1_TSC | F1_MSR | F1_PAE | F1_CX8 | \
                   F1_SEP | F1_PGE | F1_CMOV | F1_PAT | F1_CLFSH | F1_MMX | \
                   F1_FXSR | F1_SSE | F1_SSE2)
#define F1_CX16   BIT(13)
#define F1_MOVBE  BIT(22)
#define F1_POPCNT BIT(23)
#define F1_OSXSAVE BIT(27)
#define F1_XSAVE  BIT(26)
#define F1_HYPERVISOR BIT(31)
#define F1_ECX    (F1_CX16 | F1_MOVBE | F1_POPCNT | F1_HYPERVISOR)

/* Leaf 7, EBX and ECX */
#define F7_FSGSBASE BIT(0)
#define F7_SMEP   BIT(7)
#define F7_ERMS   BIT(9)
#define F7_NO_FCS BIT(13)           /* FPU CS and DS are deprecated: always 0 */
#define F7_SMAP   BIT(20)
#define F7_EBX    (F7_FSGSBASE | F7_SMEP | F7_ERMS | F7_NO_FCS | F7_SMAP)
#define F7_UMIP   BIT(2)

/* Leaf 0x80000001, EDX and ECX */
#define FX_SYSCALL BIT(11)
#define FX_NX     BIT(20)
#define FX_1G     BIT(26)
#define FX_RDTSCP BIT(27)
#define FX_LM     BIT(29)
#define FX_EDX    (FX_SYSCALL | FX_NX | FX_1G | FX_RDTSCP | FX_LM)
#define FX_LAHF   BIT(0)

/*   31..28 27....20 19..16 15.14 13..12 11..8 7..4 3..0
 *     .    extfam   extmod   .    type  family model stepping */
#define SIGNATURE(family, model, stepping) \
    ((((model) >> 4) << 16) | ((family) << 8) | (((model) & 15) << 4) | (stepping))

/* Four characters, as a register holds them. */
#define C4(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

#define LEAF_MAX_BASIC    0x16
#define LEAF_MAX_EXTENDED 0x80000008

const struct cpuid_row cpuid_table[] = {
    /* leaf  subleaf any   eax         ebx         ecx         edx */
    { 0x00, 0, true, LEAF_MAX_BASIC,
      C4('G', 'e', 'n', 'u'), C4('n', 't', 'e', 'l'), C4('i', 'n', 'e', 'I'),
      "highest basic leaf; vendor \"GenuineIntel\"" },
    { 0x01, 0, true, SIGNATURE(6, 60, 1), 8 << 8 /* CLFLUSH: 8 quadwords */, F1_ECX, F1_EDX,
      "family 6; what the CPU can do" },
    { 0x02, 0, true, 1, 0, 0, 0, "cache and TLB descriptors: none" },
    { 0x07, 0, false, 0, F7_EBX, F7_UMIP, 0, "more of what the CPU can do" },
    { 0x15, 0, true, 1, 40, 25000000, 0, "TSC = crystal of 25 MHz * 40 / 1 = 1 GHz" },
    { 0x16, 0, true, 1000, 1000, 100, 0, "MHz: base, maximum, bus" },

    { CPUID_HV_BASE, 0, true, CPUID_HV_FEATURES,
      C4('V', 'i', 't', 'r'), C4('i', 'n', 'e', 'V'), C4('M', 'M', ' ', ' '),
      "highest hypervisor leaf; HV_SIGNATURE" },
    { CPUID_HV_FEATURES, 0, true, 0, 0, 0, 0, "EAX bit 0: VMCALL works (filled in by the engine)" },

    { 0x80000000, 0, true, LEAF_MAX_EXTENDED, 0, 0, 0, "highest extended leaf" },
    { 0x80000001, 0, true, 0, 0, FX_LAHF, FX_EDX, "AMD's features: long mode, NX, SYSCALL" },
    { 0x80000002, 0, true, C4('V', 'i', 't', 'r'), C4('i', 'n', 'e', ' '),
      C4('v', 'i', 'r', 't'), C4('u', 'a', 'l', ' '), "brand string, first third" },
    { 0x80000003, 0, true, C4('C', 'P', 'U', ' '), C4('@', ' ', '1', '.'),
      C4('0', '0', 'G', 'H'), C4('z', 0, 0, 0), "brand string, second third" },
    { 0x80000004, 0, true, 0, 0, 0, 0, "brand string, last third" },
    { 0x80000007, 0, true, 0, 0, 0, BIT(8), "the TSC never stops or changes its rate" },
    { 0x80000008, 0, true, 40 | 48 << 8, 0, 0, 0, "address bits: 40 physical, 48 linear" },
};
const size_t n_cpuid_rows = NELEM(cpuid_table);

/* The row of a leaf; NULL for one in range that this CPU does not have, which answers
 * zeros. */
static const struct cpuid_row *find_row(uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < n_cpuid_rows; i++) {
        const struct cpuid_row *r = &cpuid_table[i];
        if (r->leaf == leaf && (r->any_subleaf || r->subleaf == subleaf))
            return r;
    }
    return NULL;
}

/* Three ranges, each with a highest leaf of its own: basic, hypervisor, extended.  "If a
 * value entered for CPUID.EAX is higher than the maximum input value ... the data for the
 * highest basic information leaf is returned." */
static bool out_of_range(uint32_t leaf)
{
    if (leaf >= 0x80000000)
        return leaf > LEAF_MAX_EXTENDED;
    if (leaf >= CPUID_HV_BASE)
        return leaf > CPUID_HV_FEATURES;
    return leaf > LEAF_MAX_BASIC;
}

void cpuid_answer(uint32_t leaf, uint32_t subleaf, bool vmcall_works, uint64_t cr4,
                  uint32_t out[4])
{
    const struct cpuid_row *r = find_row(out_of_range(leaf) ? LEAF_MAX_BASIC : leaf, subleaf);

    out[0] = r ? r->eax : 0;
    out[1] = r ? r->ebx : 0;
    out[2] = r ? r->ecx : 0;
    out[3] = r ? r->edx : 0;
    if (leaf == CPUID_HV_FEATURES && vmcall_works)
        out[0] |= HV_VMCALL_WORKS;
    if (leaf == 1 && (out[2] & F1_XSAVE) && (cr4 & CR4_OSXSAVE))
        out[2] |= F1_OSXSAVE;
}
