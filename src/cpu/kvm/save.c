/*
 * cpu/kvm/save.c -- everything of the vCPU that its future depends on, between two turns.
 *
 * That is what KVM keeps.  Its structs are saved as the kernel gives them, and it
 * checks them when they are set again, so nonsense in a file is refused by the
 * kernel.  Of KVM's events only those are loaded that can happen without KVM's own
 * APIC.  The guest has no XSAVE (cpuid.c), so there is no XCR0 to save either.
 *
 * Two things cannot be saved: the TLB, and the kernel's copy of the PAE page-directory
 * pointers.  A guest that relies on entries there that are out of date can notice.
 *
 * What the kernel knows about an instruction whose exit is not fully answered it does
 * not show.  Such an instruction can only be finished, not saved and not taken back.
 * Hence save() may have to wait, and kvm_drop() has it finished with whatever answer
 * lies in the shared page.
 *
 * Begin with kvm_save_all().
 * [Linux Documentation/virt/kvm/api.rst "KVM_GET_VCPU_EVENTS", "KVM_GET_XSAVE"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/x86.h"

/* A struct kvm_xsave without the flexible array that newer headers have at its end. */
struct xsave { uint32_t region[1024]; };

/* KVM's structs, in the order in which they are put back: setting the general registers
 * makes KVM forget pending exceptions, so the events come last. */
#define PART_LIST(X)                                                          \
    X(struct kvm_sregs,       sregs,  KVM_GET_SREGS,       KVM_SET_SREGS)     \
    X(struct kvm_regs,        regs,   KVM_GET_REGS,        KVM_SET_REGS)      \
    X(struct kvm_debugregs,   drs,    KVM_GET_DEBUGREGS,   KVM_SET_DEBUGREGS) \
    X(struct xsave,           xsave,  KVM_GET_XSAVE,       KVM_SET_XSAVE)     \
    X(struct kvm_vcpu_events, events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS)

/* What a snapshot holds of a vCPU of this engine. */
struct saved {
#define X(type, member, get, set) type member;
    PART_LIST(X)
#undef X
    uint64_t msr[KVM_N_MSRS];
    uint64_t last_io_rip;
    uint64_t told;              /* 1: it stands before a code stop that was told already */
};

/* ---- an instruction that has begun ---- */

/* A bound for the loop below.  KVM does at most 1,024 elements of a string instruction
 * before it looks for something else to do. */
#define MOST_PIECES (1u << 14)

/* Have KVM finish the instruction that has begun, with whatever lies in the shared page as
 * its answer.  Its effects do not matter: another state is loaded over them, or the vCPU is
 * dropped. */
static int finish_with_anything(struct kvm_cpu *k)
{
    unsigned n = 0;
    int err = 0;

    while ((k->have_exit || k->half) && !err && n++ < MOST_PIECES) {
        k->have_exit = false;
        k->half = true;
        err = kvm_settle(k);
    }
    return err ? err : k->have_exit ? -EIO : 0;
}

/* drop() of the engine: what has begun is not wanted any more. */
void kvm_drop(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    if (finish_with_anything(k))
        host_say("kvm: an instruction that had begun cannot be finished");
    if (k->pager)
        pager_forget_notes(k->pager);
}

/* ---- out ---- */

/* Fetch every struct of the list. */
static bool get_parts(struct kvm_cpu *k, struct saved *s)
{
#define X(type, member, get, set) if (ioctl(k->fd, get, &s->member)) return false;
    PART_LIST(X)
#undef X
    return kvm_get_msrs(k, s->msr) == 0;
}

/* save() of the engine.  not_now: an exit is not answered yet, so the caller must go on and
 * try later.  A #DB that the guest must get first is given to KVM, whose events then have
 * it. */
void kvm_save_all(struct vcpu *v, struct bytes_out *o)
{
    struct kvm_cpu *k = v->priv;
    struct saved s;

    memset(&s, 0, sizeof s);
    bool whole = kvm_settle(k) == 0;
    if (k->step.owes_db)
        whole &= kvm_step_trap(v) == 0;         /* now KVM knows of it */
    o->not_now |= k->have_exit || k->in_record;
    o->bad |= o->not_now || !whole || !get_parts(k, &s);
    s.regs.rflags |= kvm_stepping(k) && k->step.guest_tf ? FLAG_TF : 0;
    s.last_io_rip = k->last_io_rip;
    s.told = k->told && k->told_at == kvm_pc(k);
    BYTES_PUT(o, s);
}

/* ---- in ---- */

/* What is not for the guest (or for whoever wrote the file) to choose stays as it is: the
 * APIC, which this machine has not, and those events that only an APIC makes.  `events`
 * also tells of an injected interrupt, so the bitmap is not needed. */
static void restrict_to_ours(const struct kvm_cpu *k, struct saved *s)
{
    s->sregs.apic_base = k->run->s.regs.sregs.apic_base;
    memset(s->sregs.interrupt_bitmap, 0, sizeof s->sregs.interrupt_bitmap);
    s->events.flags &= KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING;
}

/* Set every struct of the list. */
static bool put_parts(struct kvm_cpu *k, struct saved *s)
{
#define X(type, member, get, set) if (ioctl(k->fd, set, &s->member)) return false;
    PART_LIST(X)
#undef X
    return kvm_put_msrs(k, s->msr) == 0;
}

/* load() of the engine.  -EINVAL: the file's values are none that the kernel takes.
 * Stepping is off meanwhile, so that the trap flag that is loaded counts as the guest's. */
int kvm_load_all(struct vcpu *v, struct bytes_in *in)
{
    struct kvm_cpu *k = v->priv;
    struct saved s;

    BYTES_GET(in, s);
    if (in->bad)
        return -EINVAL;
    int err = finish_with_anything(k);
    if (!err)
        err = kvm_debug_suspend(k);     /* the trap flag that is put in is the guest's */
    if (err)
        return err;
    restrict_to_ours(k, &s);
    bool good = put_parts(k, &s);
    err = kvm_mirror_registers(k);
    if (!err)
        err = kvm_debug_elsewhere(k, s.told == 1);
    k->step.coming = s.events.exception.injected ? STEP_COMES | s.events.exception.nr :
                     s.events.interrupt.injected ? STEP_COMES | s.events.interrupt.nr : 0;
    k->last_io_rip = s.last_io_rip;
    v->irq_ready = false;               /* the monitor knows better */
    return err ? err : good ? 0 : -EINVAL;
}
