/*
 * lib/hypercall.c -- calling the monitor by name.
 *
 * On hardware virtualization VMCALL exits to the hypervisor; but on KVM it is
 * KVM that answers it, not the program on top.  CPUID leaf 0x40000001 says
 * which of the two ways reaches our monitor, so a guest asks first.
 */
#include "lib/guest.h"

bool hypercall_present(void)
{
    struct cpuid r = cpuid(CPUID_HV_BASE);
    uint32_t got[3] = {r.ebx, r.ecx, r.edx};

    return memcmp(got, HV_SIGNATURE, sizeof(got)) == 0 && r.eax >= CPUID_HV_FEATURES;
}

bool hypercall_by_vmcall(void)
{
    return cpuid(CPUID_HV_FEATURES).eax & HV_VMCALL_WORKS;
}

long hypercall(ulong nr, ulong a, ulong b, ulong c, ulong d)
{
    long r;

    if (hypercall_by_vmcall())
        __asm__ volatile("vmcall" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    else    /* DX is an argument, so the port must be the immediate form */
        __asm__ volatile("outl %%eax, %1"
                         : "=a"(r)
                         : "N"(PORT_HYPERCALL), "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
                         : "memory");
    return r;
}
