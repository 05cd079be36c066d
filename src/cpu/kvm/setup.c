/*
 * cpu/kvm/setup.c -- what the kernel is told once: memory, MSRs, CPUID, TSC.
 *
 * A VM of KVM is a file descriptor.  It gets memory slots (which range of
 * guest-physical addresses is which range of our own address space), and a list
 * of MSRs whose accesses are to come out to us.  A vCPU is another descriptor; it
 * gets the answers to CPUID, which the kernel then gives by itself.
 *
 * Nothing here runs guest code.  Where an old kernel refuses a wish that only
 * makes less visible, it is let pass: probe.c finds out what is missing.
 * [Linux Documentation/virt/kvm/api.rst "KVM_SET_USER_MEMORY_REGION",
 * "KVM_X86_SET_MSR_FILTER", "KVM_SET_CPUID2"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/cpuid.h"
#include "mem/gmem.h"

/* What to type for the right to open /dev/kvm: that depends on whom the host lets.  Most
 * distributions give it to a group; to join it is no use if the group may not open it either, or
 * if the user is in it and has only to log in again. */
static void say_how_to_get_permission(char *why, size_t n)
{
    struct stat st;
    const struct group *g = stat("/dev/kvm", &st) == 0 ? getgrgid(st.st_gid) : NULL;
    const char *user = getenv("USER");
    bool is_member = false;
    for (char **m = g ? g->gr_mem : NULL; m && *m && user; m++)
        is_member |= strcmp(*m, user) == 0;
    if (!g || st.st_gid == 0 || (st.st_mode & 060) != 060)
        snprintf(why, n, "no permission to open /dev/kvm, and no group has it; type: sudo setfacl "
                         "-m u:$USER:rw /dev/kvm");
    else if (is_member)
        snprintf(why, n, "no permission to open /dev/kvm yet: you are in the group %s, log in "
                         "again", g->gr_name);
    else
        snprintf(why, n, "no permission to open /dev/kvm; type: sudo usermod -aG %s $USER, then "
                         "log in again", g->gr_name);
    size_t len = strlen(why);
    snprintf(why + len, n - len, " (meanwhile --cpu soft runs everything)");
}

/* The API version has been 12 ever since the API became stable; a kernel with another one
 * cannot be used.  The sentences say what the user can do. */
int kvm_open(char *why, size_t n)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION)
        return fd;
    if (fd >= 0) {
        close(fd);
        snprintf(why, n, "what is at /dev/kvm is no KVM; use --cpu soft");
        return -ENODEV;
    }
    int err = errno;
    if (err == EACCES || err == EPERM)
        say_how_to_get_permission(why, n);
    else if (err == ENOENT || err == ENXIO || err == ENODEV)
        snprintf(why, n, "there is no /dev/kvm: try sudo modprobe kvm_intel or kvm_amd; inside a "
                         "virtual machine its host must allow nesting (--cpu soft needs none of "
                         "it)");
    else
        snprintf(why, n, "cannot open /dev/kvm: %s", strerror(err));
    return -err;
}

/* ---- the VM ---- */

/* A memory slot maps our own pages into the guest, so what the guest writes is in our
 * memory at once.  With a pager KVM is given the pager's mapping, in which every page is
 * missing at first. */
int kvm_set_slot(struct vcpu *v, size_t i, uint32_t flags)
{
    const struct kvm_cpu *k = v->priv;
    const struct gmem_region *r = gmem_region(v->gmem, i);
    struct kvm_userspace_memory_region slot = {
        .slot = (uint32_t)i,
        .flags = flags | (r->kind == GMEM_ROM ? KVM_MEM_READONLY : 0),
        .guest_phys_addr = r->base,
        .memory_size = r->size,
        .userspace_addr = (uintptr_t)(k->pager ? pager_hva(k->pager, i)
                                               : gmem_hva(r, r->base, r->size)),
    };
    if (ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0)
        return 0;
    int err = -errno;
    host_say("kvm: memory slot for %s at %#llx: %s", r->name, (unsigned long long)r->base,
             strerror(-err));
    return err;
}

/* The MSRs of the CPU core are KVM's; all others are the machine's and exit. */
static const struct { uint32_t base, n; } core_msrs[] = {
    { MSR_TSC, 1 },
    { MSR_SYSENTER_CS, 3 },
    { MSR_PAT, 1 },
    { (uint32_t)MSR_EFER, 5 },              /* EFER, STAR, LSTAR, CSTAR, SFMASK */
    { (uint32_t)MSR_FS_BASE, 4 },           /* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
};

/* The filter lets these MSRs pass to the kernel and denies all others.  A denied access
 * would be #GP for the guest; KVM_CAP_X86_USER_SPACE_MSR makes it an exit to us instead.
 * On a kernel that has neither, the kernel answers for the machine's MSRs, and probe.c
 * finds that out. */
static void set_msr_filter(struct kvm_cpu *k)
{
    uint8_t all = 0xff;
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X86_USER_SPACE_MSR,
        .args = { KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER },
    };
    struct kvm_msr_filter f = { .flags = KVM_MSR_FILTER_DEFAULT_DENY };

    for (size_t i = 0; i < NELEM(core_msrs); i++)
        f.ranges[i] = (struct kvm_msr_filter_range){
            .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
            .base = core_msrs[i].base, .nmsrs = core_msrs[i].n, .bitmap = &all,
        };
    if (ioctl(k->vm, KVM_ENABLE_CAP, &cap) == 0)
        ioctl(k->vm, KVM_X86_SET_MSR_FILTER, &f);
}

/* KVM keeps old mistakes of its own for old users ("quirks"), and can be asked not to.  Two
 * are unwanted here: VMCALL of the other vendor is patched in guest memory instead of
 * raising #UD, and OUT to port 0x7e moves RIP at another time than other OUTs. */
static void disable_quirks(struct kvm_cpu *k)
{
    int known = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_DISABLE_QUIRKS2);
    struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2 };

    if (known <= 0)
        return;
    cap.args[0] = (unsigned)known &
                  (KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
    ioctl(k->vm, KVM_ENABLE_CAP, &cap);
}

/*
 * The filter comes first: Linux waits for a grace period of the VM's SRCU to set
 * it, and hurries only if none has just ended (srcu_might_be_idle()).  After the
 * memory slots, each of which ends one, it took 13 ms instead of 0.1.
 */
int kvm_setup_vm(struct kvm_cpu *k, struct vcpu *v)
{
    set_msr_filter(k);
    for (size_t i = 0; i < gmem_count(v->gmem); i++) {
        int err = kvm_set_slot(v, i, 0);
        if (err)
            return err;
    }
    /* Older Intel CPUs run real mode through three pages of their own. */
    ioctl(k->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul);
    disable_quirks(k);
    return 0;
}

/* ---- the vCPU ---- */

#define MAX_CPUID 256

static struct kvm_cpuid2 *new_cpuid_list(void)
{
    return calloc(1, sizeof(struct kvm_cpuid2) + MAX_CPUID * sizeof(struct kvm_cpuid_entry2));
}

static const struct kvm_cpuid_entry2 *host_entry(const struct kvm_cpuid2 *host, uint32_t leaf)
{
    for (uint32_t i = 0; i < host->nent; i++)
        if (host->entries[i].function == leaf && host->entries[i].index == 0)
            return &host->entries[i];
    return NULL;
}

enum { EAX, EBX, ECX, EDX };        /* CPUID's order, which is not the encoding's */

/* A feature is offered only if both our table and the host have it, and no more address
 * bits than the host has. */
static void restrict_to_host(uint32_t leaf, uint32_t out[4], const struct kvm_cpuid2 *host)
{
    static const struct kvm_cpuid_entry2 nothing = { .eax = ~0u };
    const struct kvm_cpuid_entry2 *h = host_entry(host, leaf);

    if (!h)
        h = &nothing;
    switch (leaf) {
    case 1:
        out[ECX] &= h->ecx | (uint32_t)BIT(31);     /* there is a hypervisor: us */
        out[EDX] &= h->edx;
        break;
    case 7:
        out[EBX] &= h->ebx, out[ECX] &= h->ecx;
        break;
    case 0x80000001:
        out[ECX] &= h->ecx, out[EDX] &= h->edx;
        break;
    case 0x80000008:
        if ((h->eax & 0xff) < (out[EAX] & 0xff))
            out[EAX] = (out[EAX] & ~0xffu) | (h->eax & 0xff);
        break;
    }
}

/* Leaf 0x15 gives the TSC's rate as crystal Hz times EBX / EAX, leaf 0x16 the processor's
 * in MHz.  It is what the guest will see where the rate cannot be made 1 GHz.  [SDM 2A
 * "CPUID-CPU Identification"] */
static void say_tsc_rate(uint32_t leaf, uint32_t out[4], int khz)
{
    if (khz <= 0)
        return;
    if (leaf == 0x15)
        out[EAX] = 1, out[EBX] = 1, out[ECX] = khz < 4000000 ? (uint32_t)khz * 1000 : 0;
    if (leaf == 0x16)
        out[EAX] = out[EBX] = (uint32_t)khz / 1000;
}

void kvm_limit_cpuid(struct vcpu *v, uint32_t leaf, uint32_t out[4])
{
    const struct kvm_cpu *k = v->priv;

    restrict_to_host(leaf, out, k->host_cpuid);
    say_tsc_rate(leaf, out, k->tsc_khz);
}

/* Give KVM the table of cpuid.c, less what this host's KVM cannot give the guest.  From now
 * on the kernel answers CPUID by itself. */
static int set_cpuid(struct kvm_cpu *k, struct vcpu *v)
{
    struct kvm_cpuid2 *ours = new_cpuid_list();
    int err = 0;

    k->host_cpuid = new_cpuid_list();
    k->tsc_khz = k->tsc_scaled ? 0 : ioctl(k->fd, KVM_GET_TSC_KHZ, 0);
    if (!k->host_cpuid || !ours)
        err = -ENOMEM;
    if (!err) {
        k->host_cpuid->nent = MAX_CPUID;
        if (ioctl(k->dev, KVM_GET_SUPPORTED_CPUID, k->host_cpuid))
            err = -errno;
    }
    for (size_t i = 0; !err && i < n_cpuid_rows; i++) {
        const struct cpuid_row *r = &cpuid_table[i];
        struct kvm_cpuid_entry2 *e = &ours->entries[i];
        uint32_t out[4];
        cpuid_answer(r->leaf, r->subleaf, false, 0, out);
        kvm_limit_cpuid(v, r->leaf, out);
        *e = (struct kvm_cpuid_entry2){
            .function = r->leaf, .index = r->subleaf,
            .flags = r->any_subleaf ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .eax = out[EAX], .ebx = out[EBX], .ecx = out[ECX], .edx = out[EDX],
        };
        ours->nent++;
    }
    if (!err && ioctl(k->fd, KVM_SET_CPUID2, ours))
        err = -errno;
    free(ours);
    return err;
}

/* There is no local APIC.  KVM sets its bit in CPUID leaf 1 by itself, by
 * whether it is enabled.  [SDM 3A "Presence of the Local APIC"] */
static void disable_apic(struct kvm_cpu *k)
{
    struct kvm_sregs s;

    if (ioctl(k->fd, KVM_GET_SREGS, &s) == 0) {
        s.apic_base = 0;
        ioctl(k->fd, KVM_SET_SREGS, &s);    /* refused: the guest sees one too many */
    }
}

/* A TSC of 1 GHz makes one tick a nanosecond, as on `soft`.  It takes a CPU that can scale
 * its TSC; where it cannot, CPUID tells the guest the real rate (say_tsc_rate). */
int kvm_setup_vcpu(struct kvm_cpu *k, struct vcpu *v)
{
    k->tsc_scaled = ioctl(k->fd, KVM_SET_TSC_KHZ, 1000000ul) == 0;
    disable_apic(k);
    int err = set_cpuid(k, v);
    if (err)
        host_say("kvm: KVM_SET_CPUID2: %s", strerror(-err));
    return err;
}
