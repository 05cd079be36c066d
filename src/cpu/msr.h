/*
 * cpu/msr.h -- which model-specific registers are the CPU's own.
 *
 * "Model-specific register" is a way to number registers, not a kind of register.  Some
 * of the numbers mean parts of the CPU: every engine holds these, and with some controls
 * the monitor sees accesses to them, but the engine performs them.  All other numbers
 * mean something outside (the APIC's address, memory types): the monitor answers for
 * those (vm/exits.c), or the guest gets #GP.
 *
 * The list has one row each: its name in MSR_LIST (base/x86.h), what may be written to it,
 * and where struct cpu_state and the interpreter keep it, by the same name.  The time stamp
 * counter is the CPU's too, but it is computed and stands apart.
 * [SDM 4 "Model-Specific Registers (MSRs)"]
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include "base/types.h"
#include "base/x86.h"

/* What WRMSR takes, else it is #GP(0). */
enum msr_rule {
    MSR_ANY,            /* all 64 bits                                 */
    MSR_CANONICAL,      /* an address                                  */
    MSR_LOW32,          /* bits 63:32 are reserved                     */
    MSR_CHECKED,        /* rules of its own, which the engine knows    */
};

/*    name            rule       where it is kept         */
#define CPU_MSR_LIST(X)                                      \
    X(SYSENTER_CS,    LOW32,     sysenter_cs)               \
    X(SYSENTER_ESP,   CANONICAL, sysenter_esp)              \
    X(SYSENTER_EIP,   CANONICAL, sysenter_eip)              \
    X(STAR,           ANY,       star)                      \
    X(LSTAR,          CANONICAL, lstar)                     \
    X(CSTAR,          CANONICAL, cstar)                     \
    X(SFMASK,         LOW32,     sfmask)                    \
    X(FS_BASE,        CANONICAL, seg[SEG_FS].base)          \
    X(GS_BASE,        CANONICAL, seg[SEG_GS].base)          \
    X(KERNEL_GS_BASE, CANONICAL, kernel_gs_base)            \
    X(TSC_AUX,        LOW32,     tsc_aux)                   \
    X(PAT,            CHECKED,   pat)                       \
    X(EFER,           CHECKED,   efer)

/* Is it the CPU's own? */
static inline bool msr_is_cpus(uint32_t index)
{
    switch (index) {
#define X(name, rule, field) case (uint32_t)MSR_##name:
    CPU_MSR_LIST(X)
#undef X
    case MSR_TSC:
        return true;
    default:
        return false;
    }
}

#endif
