/*
 * vm/hypercall.c -- what a guest may ask the monitor by name.
 *
 * The numbers are base/abi.h's.  Arguments are the guest's and so hostile: a
 * string is read through the guest's own page tables, bounded, and a bad
 * pointer gets an error back.
 *
 * There are two ways in, and one table behind them.  VMCALL exits by itself: number in EAX,
 * arguments in EBX, ECX, EDX, ESI, the result in EAX.  Where VMCALL does not come to this
 * monitor (KVM keeps it for the host's kernel), the guest writes the number to a port, and the
 * registers are read and written from here.
 * [SDM 3C "VMCALL-Call to VM Monitor"]
 */
#include <errno.h>

#include "base/abi.h"
#include "base/vclock.h"
#include "base/trace.h"
#include "io/oddity.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"
#include "mem/walk.h"
#include "vm/exits.h"
#include "vm/vm.h"

#define PUTS_MAX 4096

static uint64_t hc_ping(struct vm *vm, const uint64_t arg[4])
{
    (void)vm;
    return arg[0] + 1;
}

/* PUTS address, length: text for the debug console in one exit instead of one for each byte.
 * A paravirtual device in its smallest form.  Returns how many bytes it has taken: a longer
 * text is for several calls. */
static uint64_t hc_puts(struct vm *vm, const uint64_t arg[4])
{
    char text[PUTS_MAX];
    uint64_t len = arg[1] < sizeof text ? arg[1] : sizeof text;
    int err = vm_read_linear(vm, arg[0], text, len);
    if (err)
        return (uint64_t)(int64_t)err;
    for (uint64_t i = 0; i < len; i++)
        char_put(&vm->cfg.debugcon, (uint8_t)text[i]);
    return len;
}

static uint64_t hc_time(struct vm *vm, const uint64_t arg[4])
{
    (void)arg;
    return vclock_now_ns(vm->clock);
}

static void flush_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->n_vcpus; i++)
        vm->vcpu[i].ops->flush_tlb(&vm->vcpu[i]);
}

/* A trap for the next touch of a page: an entry that may be written and not read, which no
 * processor accepts (on_ept_misconfig() in exits.c mends it).  A processor that has the old entry
 * in its TLB would not look at the new one, so the TLBs of all CPUs must forget it: INVEPT on real
 * hardware.  [SDM 3C "EPT Misconfigurations", "INVEPT-Invalidate Translations Derived from EPT"] */
static uint64_t hc_trap_page(struct vm *vm, const uint64_t arg[4])
{
    gpa_t page = arg[0] & PAGE_MASK;
    const struct gmem_region *r = gmem_find(vm->gmem, page);

    if (!vm->nested)
        return (uint64_t)(int64_t)HC_BADCALL;
    if (!r || r->kind != GMEM_RAM)
        return (uint64_t)(int64_t)-EFAULT;
    if (nested_put_entry(vm->nested, page, (HMEM_GUEST + page) | EPT_WB | EPT_W))
        return (uint64_t)(int64_t)-ENOMEM;
    flush_all(vm);
    return 0;
}

static uint64_t hc_map_size(struct vm *vm, const uint64_t arg[4])
{
    if (!vm->nested)
        return (uint64_t)(int64_t)HC_BADCALL;
    if (arg[0] != PAGE_SIZE && arg[0] != NESTED_LARGE)
        return (uint64_t)(int64_t)-EINVAL;
    nested_set_large(vm->nested, arg[0] == NESTED_LARGE);
    return 0;
}

/* ROM is left out: its entries must never allow a write. */
static bool is_ram(const struct vm *vm, gpa_t gpa, uint64_t len)
{
    const struct gmem_region *r = gmem_find(vm->gmem, gpa);
    return r && r->kind == GMEM_RAM && len <= r->size - (gpa - r->base);
}

/* Entries that say less than before: no CPU may use what its TLB has kept of them. */
static uint64_t narrowed(struct vm *vm, size_t n_entries)
{
    if (n_entries)
        flush_all(vm);
    return n_entries;
}

static uint64_t hc_unmap(struct vm *vm, const uint64_t arg[4])
{
    if (!vm->nested)
        return (uint64_t)(int64_t)HC_BADCALL;
    if (!is_ram(vm, arg[0], arg[1]))
        return (uint64_t)(int64_t)-EFAULT;
    return narrowed(vm, nested_unmap(vm->nested, arg[0], arg[1]));
}

/* What may be written and not read no processor accepts. */
static uint64_t hc_protect(struct vm *vm, const uint64_t arg[4])
{
    if (!vm->nested)
        return (uint64_t)(int64_t)HC_BADCALL;
    if (!arg[2] || arg[2] > EPT_RWX || (arg[2] & (EPT_R | EPT_W)) == EPT_W)
        return (uint64_t)(int64_t)-EINVAL;
    if (!is_ram(vm, arg[0], arg[1]))
        return (uint64_t)(int64_t)-EFAULT;
    return narrowed(vm, nested_protect(vm->nested, arg[0], arg[1], (unsigned)arg[2]));
}

static uint64_t hc_walk(struct vm *vm, const uint64_t arg[4])
{
    struct cpu_state s;
    struct walk w;
    gpa_t at[NESTED_MOST_AT];
    hpa_t list[NESTED_MOST_REFERENCES];

    if (!vm->nested || boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_CRS | ST_GPRS, &s))
        return (uint64_t)(int64_t)HC_BADCALL;
    struct paging pg = paging_of(&s);
    walk(&pg, vm->gmem, arg[0], WALK_READ | WALK_PEEK, &w);
    if (w.result != WALK_OK)
        return (uint64_t)(int64_t)-EFAULT;
    for (unsigned i = 0; i < w.depth; i++)
        at[i] = w.step[i].at;
    at[w.depth] = w.gpa;
    return nested_references(vm->nested, at, w.depth + 1, list);
}

/* DOS and Linux have their system calls behind these: people who have learned from both try them
 * in boot sectors. */
static uint64_t hc_ignored_int(struct vm *vm, const uint64_t arg[4])
{
    const struct oddity_log odd = { vm->trace, vm->n_oddities };
    oddity(&odd, arg[0] == 0x21 ? ODDITY_INT_DOS : arg[0] == 0x80 ? ODDITY_INT_LINUX
                                                                  : ODDITY_INT_IGNORED,
           arg[0], arg[1]);
    return 0;
}

static uint64_t (*const hypercalls[])(struct vm *vm, const uint64_t arg[4]) = {
    [HC_PING] = hc_ping,
    [HC_PUTS] = hc_puts,
    [HC_TIME] = hc_time,
    [HC_TRAP_PAGE] = hc_trap_page,
    [HC_MAP_SIZE] = hc_map_size,
    [HC_UNMAP] = hc_unmap,
    [HC_PROTECT] = hc_protect,
    [HC_WALK] = hc_walk,
    [HC_IGNORED_INT] = hc_ignored_int,
};

/* An unknown number is an answer (HC_BADCALL), not a fault: guests try what a monitor has. */
uint64_t vm_hypercall(struct vm *vm, uint64_t nr, const uint64_t arg[4])
{
    uint64_t result = (uint64_t)(int64_t)HC_BADCALL;
    if (nr < NELEM(hypercalls))
        result = hypercalls[nr](vm, arg);
    trace_emit(vm->trace, TRACE_HYPERCALL, nr, arg[0], result);
    return result;
}

/* The guest's registers change in the midst of an OUT, which by itself changes none: lockstep,
 * whose follower has no such device, is told to copy them. */
void vm_hypercall_port(void *arg, uint32_t eax)
{
    struct vm *vm = arg;
    struct cpu_state s;
    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_GPRS, &s))
        return;
    const uint64_t args[4] = { s.gpr[RBX], s.gpr[RCX], s.gpr[RDX], s.gpr[RSI] };
    s.gpr[RAX] = vm_hypercall(vm, eax, args);
    boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_GPRS, &s);
    boot_cpu(vm)->turn.registers_changed = true;
}
