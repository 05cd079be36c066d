/*
 * vm/exits.c -- one handler for each exit reason, in a table.
 *
 * A handler reads the record, does what the machine does, fills in the (out)
 * fields and returns a verdict.  None of them moves RIP: the engine's
 * conclude() does, after the verdict.  A reason without a handler stops the
 * machine and says so.
 *
 * The verdicts are what a monitor can do about an instruction that it has intercepted:
 *
 *     RETIRE    it has been done for the guest (or needs nothing): go on behind it
 *     RETRY     what was in its way is gone: let the guest execute it again
 *     REFLECT   it is the guest's own fault: have it take the exception it would have had
 *     STOP      the machine cannot go on, or is not to
 *
 * The reasons are numbered as in a VMCS.  Begin with the table at the end, then read on_io()
 * for RETIRE, on_ept_violation() for RETRY, on_shadow_fault() for REFLECT.
 * [SDM 3D "VMX Basic Exit Reasons"; SDM 3C "VM Exits", "VM Entries"]
 */
#include "vm/exits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "base/x86.h"
#include "cpu/cpuid.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "io/bus.h"
#include "io/known_places.h"
#include "io/oddity.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/linear.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/crash_replay.h"
#include "vm/pc.h"
#include "vm/listening.h"
#include "vm/vm.h"

/* ---- what a machine starts with ---- */

/* With shadow paging the monitor must hear of everything that changes what a
 * linear address means.  [SDM 3C "Guest-Host Masks and Read Shadows"] */
void vm_initial_controls(const struct vm *vm, struct vcpu *v)
{
    struct controls *c = &v->controls;
    *c = (struct controls){ 0 };
    exit_on_apply(vm->cfg.exit_on, c);
    if (vm->cfg.mmu != MMU_SHADOW)
        return;
    c->exception_bitmap |= (uint32_t)BIT(VEC_PF);
    c->cr3_load_exiting = true;
    c->invlpg_exiting = true;
    c->msr_exiting = true;                      /* EFER.LME and EFER.NXE */
    c->cr0_mask |= CR0_PG | CR0_PE | CR0_WP;
    c->cr4_mask |= CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_LA57 | CR4_PCIDE;
}

static int read_paging(struct vcpu *v, struct paging *pg)
{
    struct cpu_state s;
    int err = v->ops->get_state(v, ST_CRS | ST_GPRS, &s);
    if (err)
        return err;
    *pg = paging_of(&s);
    return 0;
}

/* Under shadow paging the CPU walks the monitor's tables, and which of them stands for the
 * guest's current address space depends on CR3, CR0, CR4 and EFER.  A real monitor would load
 * the new root into the guest's CR3 here.  As there, the TLB must be emptied if translations
 * of the old space could be used in the new one. */
void vm_paging_changed(struct vm *vm, struct vcpu *v)
{
    struct paging pg;
    if (!vm->shadow || read_paging(v, &pg))
        return;
    shadow_switch(vm->shadow, &pg);
    shadow_take_flush(vm->shadow);
    v->ops->flush_tlb(v);
}

int vm_read_linear(struct vm *vm, gla_t gla, void *buf, uint64_t len)
{
    struct paging pg;
    if (read_paging(boot_cpu(vm), &pg))
        return -14;
    return linear_read(&pg, vm->gmem, gla, buf, len) == len ? 0 : -14;
}

unsigned vm_read_code(struct vm *vm, const struct cpu_state *s, uint8_t *buf, unsigned n)
{
    struct paging pg = paging_for_debugger(s);
    return (unsigned)linear_read(&pg, vm->gmem, state_pc(s), buf, n);
}

/* ---- memory: the nested and the shadow way ---- */

/* Enter what is at gpa into the nested tables, with all the rights that it can have. */
static enum verdict map_page(struct vm *vm, gpa_t gpa)
{
    int err = nested_fill(vm->nested, gpa);
    if (!err)
        return RETRY;
    if (err == -ENOENT)
        vm_stop(vm, VM_ENGINE, "EPT violation at %#" PRIx64 ", where there is no memory", gpa);
    else
        vm_stop(vm, VM_HOST, "no memory for nested tables");
    return STOP;
}

/* A Multiboot kernel has come to a page for the first time: was it what the loader has left there
 * and the specification does not promise?  A stack that is used is the one that RSP is in, a GDT
 * the one that GDTR names: who has executed LGDT may scan all memory. */
static void note_unpromised(struct vm *vm, struct vcpu *v, gpa_t gpa)
{
    const struct load_result *l = &vm->loaded;
    struct oddity_log odd = { vm->trace, vm->n_oddities };
    gpa_t page = gpa & PAGE_MASK;
    struct cpu_state s;

    if (!page || (page != l->unpromised_stack && page != l->unpromised_gdt) ||
        v->ops->get_state(v, ST_GPRS | ST_SEGS, &s))
        return;
    if (page == l->unpromised_gdt && (s.gdtr.base & PAGE_MASK) == page)
        oddity(&odd, ODDITY_LOADER_GDT, gpa, s.rip);
    else if (((s.gpr[RSP] - 1) & PAGE_MASK) == page)
        oddity(&odd, ODDITY_LOADER_STACK, gpa, s.gpr[RSP]);
}

/* The monitor maps guest memory lazily: the nested tables are empty at power-on, and each page
 * gets its entry when the guest comes to it.  That is what operating systems do with a
 * program's memory, with the page fault's part played by the EPT violation; but the guest does
 * not notice.  [SDM 3C "EPT Violations"] */
static enum verdict on_ept_violation(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    if (!vm->nested)
        return RETRY;                           /* the host's own tables: KVM has filled them */
    note_unpromised(vm, v, x->page.gpa);
    return map_page(vm, x->page.gpa);
}

/* An entry that may be written and not read is the mark of HC_TRAP_PAGE (hypercall.c): the trap has
 * done its work and goes.  Any other entry that the processor refuses is a mistake of the monitor's
 * own, and going on would hide it. */
static enum verdict on_ept_misconfig(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)v;
    if (vm->nested && x->page.perm == EPT_W)
        return map_page(vm, x->page.gpa);
    vm_stop(vm, VM_ENGINE,
            "the nested tables' entry for %#" PRIx64 " makes no sense, and it is no trap",
            x->page.gpa);
    return STOP;
}

/* The exception is the guest's own business: its handler gets it. */
static enum verdict give_back(struct vm *vm, struct vmexit *x, uint8_t vector, bool has_error,
                              uint32_t error)
{
    trace_emit(vm->trace, TRACE_FAULT_TRUE, x->fault.gla, error, vector);
    exit_reflect(x, vector, has_error, error);
    x->reflect.cr2 = x->fault.gla;
    return REFLECT;
}

/* The shadowed guest faulted: repair it (hidden), or it is the guest's own (true).
 *
 * A page fault with shadow tables has one of two meanings.  If the guest's own tables allow the
 * access, only the shadow was incomplete: the entry is filled in and the guest must not learn
 * of it.  If they do not, a processor without a monitor would have faulted, too: the guest gets
 * the fault, with the error code that *its* tables give and not the shadow's, in which a page
 * may be missing that the guest has merely write-protected.  CR2 comes with it.
 *
 * Filling in has walked the guest's tables in the processor's place and may have set A and D
 * bits in them: those pages of guest memory have been written. */
static enum verdict on_shadow_fault(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    struct walk w;
    if (x->fault.error & PF_RSVD) {             /* the guest's reserved bits get into no shadow */
        vm_stop(vm, VM_ENGINE, "the shadow table has an entry that no processor accepts, for gla %#"
                PRIx64, x->fault.gla);
        return STOP;
    }
    enum shadow_verdict shadow = shadow_fault(vm->shadow, x->fault.gla,
                                              shadow_access(x->fault.error), &w);
    if (shadow_take_flush(vm->shadow))
        v->ops->flush_tlb(v);
    for (unsigned i = 0; w.wrote && i < w.depth; i++)
        dirty_mark(vm->dirty, w.step[i].at, 8);
    if (shadow == SHADOW_FAILED) {
        vm_stop(vm, VM_HOST, "no memory for shadow tables");
        return STOP;
    }
    if (shadow != SHADOW_TRUE) {
        note_unpromised(vm, v, w.gpa);
        return RETRY;
    }
    return give_back(vm, x, VEC_PF, true, w.error);
}

/* Bits of the exception bitmap are set for page faults under shadow paging, and for whatever
 * the user wants to see (--exit-on).  In the second case the exception goes to the guest
 * unchanged.  [SDM 3C "Exception Bitmap"] */
static enum verdict on_exception(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    if (vm->shadow && x->fault.vector == VEC_PF)
        return on_shadow_fault(vm, v, x);
    return give_back(vm, x, x->fault.vector, x->fault.has_error, x->fault.error);
}

/* INVLPG is how a guest says that it has changed an entry.  Its tables may be out of step with
 * the shadow until then, as they may be with a TLB: a shadow is a large TLB that the monitor
 * keeps.  [SDM 3A "Invalidation of TLBs and Paging-Structure Caches"] */
static enum verdict on_invlpg(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    if (vm->shadow) {
        shadow_invlpg(vm->shadow, x->page.gla);
        /* Of a table above the last level went more than the retired INVLPG drops. */
        if (shadow_take_flush(vm->shadow))
            v->ops->flush_tlb(v);
    }
    return RETIRE;
}

/* A bus is told who asks: the CPU that exited.  Not inlined, or whoever steps through the monitor
 * (`monitor follow`) would find himself here when a handler begins. */
static __attribute__((noinline)) struct requester this_cpu(const struct vm *vm,
                                                           const struct vcpu *v)
{
    return from_cpu((unsigned)(v - vm->vcpu));
}

/* --strict ends the run, with a sentence: "IN from port 0x1f7, at rip 0x10000c: an IDE status
 * register, no disk is there". */
static enum verdict refuse(struct vm *vm, const struct vmexit *x, const char *what, uint64_t at)
{
    const struct known_place *p = known_place(at);
    char place[PLACE_MAX];
    vm_stop(vm, VM_STRICT, "%s %#" PRIx64 ", at %s: %s%s%s", what, at,
            place_phrase(x->rip, &x->cs, place, sizeof place),
            p ? p->what : "no device is there", p ? ", " : "", p ? p->lacks : "");
    return STOP;
}

/* A write has gone nowhere.  Such writes come in great numbers: the first one is kept, for the last
 * words. */
static void note_lost_write(struct vm *vm, const struct vmexit *x, enum oddity what)
{
    struct oddity_log odd = { vm->trace, vm->n_oddities };
    if (!vm->lost_write.at)
        vm->lost_write = (struct lost_write){ x->mmio.gpa, x->cs.base + x->rip };
    if (what == ODDITY_NOWHERE_WRITE)
        odd.trace = NULL;                       /* the bus has logged it, as UNCLAIMED */
    oddity(&odd, what, x->mmio.gpa, x->mmio.value);
}

/* Somebody's memory that is no memory: a device's, or nobody's. */
static enum verdict on_mmio(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    bool claimed;
    if (x->mmio.write && gmem_find(vm->gmem, x->mmio.gpa)) {        /* lost, as on the bus */
        note_lost_write(vm, x, ODDITY_ROM_WRITE);
        return RETIRE;
    }
    if (x->mmio.write)
        claimed = bus_write(vm->mmio, this_cpu(vm, v), x->mmio.gpa, x->mmio.size, x->mmio.value);
    else
        claimed = bus_read(vm->mmio, this_cpu(vm, v), x->mmio.gpa, x->mmio.size, &x->mmio.value);
    if (!claimed && x->mmio.write)
        note_lost_write(vm, x, ODDITY_NOWHERE_WRITE);
    if (!claimed && vm->cfg.strict)
        return refuse(vm, x, x->mmio.write ? "write to" : "read of", x->mmio.gpa);
    return RETIRE;
}

/* ---- ports ---- */

/* Of an IN, the handler fills in io.value and the engine's conclude() puts it into AL, AX or
 * EAX; of an OUT, io.value is what the guest wrote.  An INS or OUTS, with or without REP, exits
 * once for each element.  A port without a device reads as ones: nobody drives the bus. */
static enum verdict on_io(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    bool claimed;
    if (x->io.in)
        claimed = bus_read(vm->ports, this_cpu(vm, v), x->io.port, x->io.size, &x->io.value);
    else
        claimed = bus_write(vm->ports, this_cpu(vm, v), x->io.port, x->io.size, x->io.value);
    if (!x->io.in && pc_lacks_serial(x->io.port))
        oddity(&(struct oddity_log){ vm->trace, vm->n_oddities }, ODDITY_NO_SERIAL, x->io.port,
               x->io.value);
    if (!x->io.in)
        listening_note_out(vm, x->io.port);
    else if (listening_note_in(vm, x->io.port, (uint8_t)x->io.value) && vm->cfg.room)
        vm->cfg.room(vm->cfg.hook_arg);
    if (vm->cfg.strict && (!claimed || pc_lacks(vm->pc, x->io.port)))
        return refuse(vm, x, x->io.in ? "IN from port" : "OUT to port", x->io.port);
    return RETIRE;
}

/* ---- instructions that ask for something ---- */

/* CPUID always exits in VMX non-root operation, so the monitor decides which processor the
 * guest believes to be on.  One bit of an answer is a copy of CR4.OSXSAVE, hence the state.
 * [SDM 3C "Instructions That Cause VM Exits Unconditionally"] */
static enum verdict on_cpuid(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    struct cpu_state s = { 0 };
    uint32_t out[4];
    v->ops->get_state(v, ST_CRS, &s);
    cpuid_answer(x->cpuid.leaf, x->cpuid.subleaf, !vm->cfg.no_vmcall, s.cr4, out);
    if (vm->cpuid_like && vm->cpuid_like->ops->limit_cpuid)
        vm->cpuid_like->ops->limit_cpuid(vm->cpuid_like, x->cpuid.leaf, out);
    x->cpuid.eax = out[0], x->cpuid.ebx = out[1], x->cpuid.ecx = out[2], x->cpuid.edx = out[3];
    return RETIRE;
}

/* The HLT retires at once; that the CPU waits is noted, and vm_prepare() does the waiting. */
static enum verdict on_hlt(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm, (void)x;
    v->halted = true;
    return RETIRE;
}

static enum verdict on_vmcall(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)v;
    x->call.result = vm_hypercall(vm, x->call.nr, x->call.arg);
    return RETIRE;
}

/* The engine performs the access; the shadow follows afterwards. */
static enum verdict on_cr_access(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm;
    v->turn.paging_stale |= x->cr.type != CR_MOV_FROM;
    return RETIRE;
}

static enum verdict on_dr_access(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm, (void)v, (void)x;
    return RETIRE;
}

/* The time-stamp counter is a count of instructions plus a base: the base holds the time that
 * passed while none ran (the guest slept, a port was waited for) and what the guest may have
 * written into the counter.  A processor adds such an offset by itself when RDTSC does not exit
 * [SDM 3C "TSC-offset field"]; a monitor that has RDTSC exit must add it, or time jumps.  The 1 is
 * this RDTSC: an instruction is counted when it retires, and it has read the counter by then. */
static enum verdict on_rdtsc(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm;
    x->msr.value = v->tsc_base + v->icount + 1;
    return RETIRE;
}

/* MSRs that belong to the machine and not to the CPU core.  Those of the core
 * the engine serves; it exits for them only when asked to.  */
static const struct machine_msr {
    uint32_t index;
    uint64_t reset;
    bool     writable;
} machine_msrs[] = {
    { MSR_APIC_BASE,     0,                false },     /* no local APIC */
    { MSR_BIOS_SIGN_ID,  0,                true  },
    { MSR_MTRRCAP,       0,                false },
    { MSR_MCG_CAP,       0,                false },
    { MSR_MCG_STATUS,    0,                true  },
    { MSR_MISC_ENABLE,   1,                true  },
    { MSR_MTRR_DEF_TYPE, 0,                true  },
};

void vm_reset_msrs(struct vcpu *v)
{
    _Static_assert(NELEM(machine_msrs) <= VCPU_MSRS, "room for each");
    for (size_t i = 0; i < NELEM(machine_msrs); i++)
        v->msr[i] = machine_msrs[i].reset;
}

static int machine_msr(uint32_t index)
{
    for (size_t i = 0; i < NELEM(machine_msrs); i++)
        if (machine_msrs[i].index == index)
            return (int)i;
    return -1;
}

/* An MSR that does not exist is a #GP(0), and guests rely on it: they read one to find out
 * whether it is there.  [SDM 2B "RDMSR-Read From Model Specific Register"] */
static enum verdict on_rdmsr(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm;
    if (msr_is_cpus(x->msr.index))
        return RETIRE;
    int i = machine_msr(x->msr.index);
    if (i < 0)
        return exit_reflect(x, VEC_GP, true, 0);
    x->msr.value = v->msr[i];
    return RETIRE;
}

static enum verdict on_wrmsr(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm;
    if (msr_is_cpus(x->msr.index)) {
        v->turn.paging_stale = true;
        return RETIRE;
    }
    int i = machine_msr(x->msr.index);
    if (i < 0 || !machine_msrs[i].writable)
        return exit_reflect(x, VEC_GP, true, 0);
    v->msr[i] = x->msr.value;
    return RETIRE;
}

static enum verdict on_wbinvd(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm, (void)v, (void)x;
    return RETIRE;                              /* there is no cache to write back */
}

/* ---- changes and failures ---- */

static enum verdict on_change(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    (void)vm, (void)v, (void)x;
    return RETRY;                               /* the loop looks at time, irqs and stops */
}

/* A fault while a double fault was being delivered: the processor shuts down, and a PC's board
 * answers by a reset.  Here the run ends, for whoever has a triple fault wants to know where.
 * [SDM 3A "Interrupt 8-Double Fault Exception (#DF)"] */
static enum verdict on_triple_fault(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    char place[PLACE_MAX];
    if (!v->undelivered || v->undelivered == &vm->crash)
        v->undelivered = crash_replay(v, &vm->crash) ? &vm->crash : NULL;
    vm_stop(vm, VM_TRIPLE_FAULT, "at %s", place_phrase(x->rip, &x->cs, place, sizeof place));
    return STOP;
}

static enum verdict on_failure(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    char place[PLACE_MAX];
    (void)v;
    vm_stop(vm, x->reason == EXIT_HOST ? VM_HOST : VM_ENGINE, "%s, at %s",
            x->fail.what ? x->fail.what : exit_name(x->reason),
            place_phrase(x->rip, &x->cs, place, sizeof place));
    return STOP;
}

static exit_handler_fn *const on_exit_reason[N_EXITS] = {
    [EXIT_IDX_EXCEPTION]     = on_exception,
    [EXIT_IDX_TRIPLE_FAULT]  = on_triple_fault,
    [EXIT_IDX_IRQ_WINDOW]    = on_change,
    [EXIT_IDX_CPUID]         = on_cpuid,
    [EXIT_IDX_HLT]           = on_hlt,
    [EXIT_IDX_INVLPG]        = on_invlpg,
    [EXIT_IDX_RDTSC]         = on_rdtsc,
    [EXIT_IDX_VMCALL]        = on_vmcall,
    [EXIT_IDX_CR_ACCESS]     = on_cr_access,
    [EXIT_IDX_DR_ACCESS]     = on_dr_access,
    [EXIT_IDX_IO]            = on_io,
    [EXIT_IDX_RDMSR]         = on_rdmsr,
    [EXIT_IDX_WRMSR]         = on_wrmsr,
    [EXIT_IDX_MTF]           = on_change,
    [EXIT_IDX_EPT_VIOLATION] = on_ept_violation,
    [EXIT_IDX_EPT_MISCONFIG] = on_ept_misconfig,
    [EXIT_IDX_WBINVD]        = on_wbinvd,
    [EXIT_IDX_KICKED]        = on_change,
    [EXIT_IDX_BUDGET]        = on_change,
    [EXIT_IDX_UNHANDLED]     = on_failure,
    [EXIT_IDX_HOST]          = on_failure,
    [EXIT_IDX_MMIO]          = on_mmio,
    [EXIT_IDX_BREAKPOINT]    = on_change,
};

exit_handler_fn *vm_exit_handler(unsigned reason)
{
    int i = exit_index(reason);
    return i < 0 ? NULL : on_exit_reason[i];
}

enum verdict vm_answer(struct vm *vm, struct vcpu *v, struct vmexit *x)
{
    int i = exit_index(x->reason);
    if (i < 0 || !on_exit_reason[i]) {
        vm_stop(vm, VM_ENGINE, "exit %#x (%s) has no handler", x->reason, exit_name(x->reason));
        return STOP;
    }
    vm->exits_by[i]++;
    enum verdict verdict = on_exit_reason[i](vm, v, x);
    stuck_note_exit(vm, x);
    if (verdict == REFLECT && vm->cfg.on_fault)
        vm->cfg.on_fault(vm->cfg.on_fault_arg, x);
    return verdict;
}
