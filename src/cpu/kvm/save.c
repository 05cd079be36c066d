/*
 * cpu/kvm/save.c -- everything of the vCPU that its future depends on, between two turns.
 *
 * That is what KVM keeps: its structs are saved as it gives them, and as it
 * checks them when it is given them again, a file's nonsense is refused by the
 * kernel.  Of KVM's events only those that can be without its own APIC are
 * believed.  There is no XSAVE for the guest (cpuid.c), so no XCR0 either.
 *
 * What cannot be had is the TLB and the kernel's copy of the PAE page-directory
 * pointers: a guest that relies on one that is out of date may tell.
 *
 * An instruction whose exit is not fully answered is known to the kernel alone,
 * and can only be finished, not saved and not taken back.  Hence save() may have
 * to wait, and kvm_drop() has it finished with whatever lies in the shared page.
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/x86.h"

/* A struct kvm_xsave without the room that may follow it. */
struct xsave { uint32_t region[1024]; };

/* In the order in which they are put back: general registers forget pending exceptions. */
#define PART_LIST(X)                                                          \
    X(struct kvm_sregs,       sregs,  KVM_GET_SREGS,       KVM_SET_SREGS)     \
    X(struct kvm_regs,        regs,   KVM_GET_REGS,        KVM_SET_REGS)      \
    X(struct kvm_debugregs,   drs,    KVM_GET_DEBUGREGS,   KVM_SET_DEBUGREGS) \
    X(struct xsave,           xsave,  KVM_GET_XSAVE,       KVM_SET_XSAVE)     \
    X(struct kvm_vcpu_events, events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS)

struct saved {
#define X(type, member, get, set) type member;
    PART_LIST(X)
#undef X
    uint64_t msr[KVM_N_MSRS];
    uint64_t last_io_rip;
    uint64_t told;              /* it stands before a code stop that was told: not again */
};

/* ---- an instruction that has begun ---- */

#define MOST_PIECES (1u << 14)      /* KVM does at most 1,024 elements of a string before it looks up */

static int finish_anyhow(struct kvm_cpu *k)
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

void kvm_drop(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    if (finish_anyhow(k))
        host_say("kvm: an instruction that had begun cannot be finished");
    if (k->pager)
        pager_forget_notes(k->pager);
}

/* ---- out ---- */

static bool take_parts(struct kvm_cpu *k, struct saved *s)
{
#define X(type, member, get, set) if (ioctl(k->fd, get, &s->member)) return false;
    PART_LIST(X)
#undef X
    return kvm_get_msrs(k, s->msr) == 0;
}

void kvm_save_all(struct vcpu *v, struct bytes_out *o)
{
    struct kvm_cpu *k = v->priv;
    struct saved s;

    memset(&s, 0, sizeof s);
    bool whole = kvm_settle(k) == 0;
    if (k->step.owes_db)
        whole &= kvm_step_trap(v) == 0;         /* now KVM knows of it */
    o->not_now |= k->have_exit || k->in_record;
    o->bad |= o->not_now || !whole || !take_parts(k, &s);
    s.regs.rflags |= kvm_stepping(k) && k->step.guest_tf ? FLAG_TF : 0;
    s.last_io_rip = k->last_io_rip;
    s.told = k->told && k->told_at == kvm_pc(k);
    BYTES_PUT(o, s);
}

/* ---- in ---- */

/* What is not the guest's to choose stays as it is. */
static void restrict_to_ours(const struct kvm_cpu *k, struct saved *s)
{
    s->sregs.apic_base = k->run->s.regs.sregs.apic_base;
    memset(s->sregs.interrupt_bitmap, 0, sizeof s->sregs.interrupt_bitmap);     /* `events` says it */
    s->events.flags &= KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING;
}

static bool put_parts(struct kvm_cpu *k, struct saved *s)
{
#define X(type, member, get, set) if (ioctl(k->fd, set, &s->member)) return false;
    PART_LIST(X)
#undef X
    return kvm_put_msrs(k, s->msr) == 0;
}

int kvm_load_all(struct vcpu *v, struct bytes_in *in)
{
    struct kvm_cpu *k = v->priv;
    struct saved s;

    BYTES_GET(in, s);
    if (in->bad)
        return -EINVAL;
    int err = finish_anyhow(k);
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
