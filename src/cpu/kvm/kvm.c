/*
 * cpu/kvm/kvm.c -- the engine `kvm`: guest code runs on the host's CPU.
 *
 * The host's kernel has the privileged instructions, the world switch and the second-level page
 * tables.  This engine drives it through three file descriptors (/dev/kvm, the VM, the vCPU)
 * and translates: KVM's exits into our records, our verdicts into what KVM expects.
 *
 * Interrupt controller and timer are the monitor's devices, so KVM runs without its in-kernel
 * irqchip: interrupts enter by KVM_INTERRUPT, and the interrupt window (an exit as soon as the
 * guest can take one) is asked for by a flag.
 *
 * What KVM answers inside the kernel (CPUID, control registers, INVLPG, VMCALL) never reaches
 * us and cannot be shown; set_controls() refuses to promise it.
 *
 * Begin with kvm_run(), then exits.c.  [Linux Documentation/virt/kvm/api.rst]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/host.h"
#include "base/x86.h"

/* ---- stopping a running vCPU ---- */

/* The handler does nothing.  That the signal arrives is enough: KVM_RUN returns EINTR. */
static void on_kick_signal(int signo)
{
    (void)signo;
}

/* Without SA_RESTART, which would make the kernel enter the guest again by itself. */
static void install_kick_handler(void)
{
    struct sigaction sa = { .sa_handler = on_kick_signal };
    sigemptyset(&sa.sa_mask);
    sigaction(KVM_KICK_SIGNAL, &sa, NULL);
}

/* Called in the pager's thread at a first touch: make KVM_RUN return, without being a kick. */
static void interrupt_thread(void *arg)
{
    struct kvm_cpu *k = arg;
    pthread_kill(k->thread, KVM_KICK_SIGNAL);
}

/* May be called by any thread and by a signal handler.  There is no moment in which a kick
 * is lost: a vCPU that is not in KVM_RUN yet finds immediate_exit set when it enters, and
 * one inside gets the signal.  [Linux Documentation/virt/kvm/api.rst "KVM_RUN"] */
static void kvm_kick(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    atomic_store(&k->kicked, true);
    *(volatile uint8_t *)&k->run->immediate_exit = 1;
    atomic_thread_fence(memory_order_seq_cst);
    pthread_kill(k->thread, KVM_KICK_SIGNAL);
}

/* Undo immediate_exit after an entry of our own making (kvm_settle), without losing a kick
 * that came meanwhile: it stored `kicked` before immediate_exit, so one of the two is seen. */
static void allow_entry(struct kvm_cpu *k)
{
    *(volatile uint8_t *)&k->run->immediate_exit = 0;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&k->kicked))
        *(volatile uint8_t *)&k->run->immediate_exit = 1;
}

/* Was the vCPU kicked, or has it run past its deadline?  The kick counts as seen then. */
static bool take_kick(struct kvm_cpu *k)
{
    *(volatile uint8_t *)&k->run->immediate_exit = 0;
    if (atomic_exchange(&k->kicked, false))
        return true;
    return k->deadline_ns && host_monotonic_ns() >= k->deadline_ns;
}

/* ---- entering ---- */

/* The host's fault: KVM_RUN failed in a way that is no exit. */
static void host_failure(struct kvm_cpu *k, struct vmexit *x, int err)
{
    x->reason = EXIT_HOST;
    x->raw = (uint64_t)err;
    x->rip = k->run->s.regs.regs.rip;
    x->fail.error = -err;
    x->fail.what = strerror(err);
}

/* One KVM_RUN. True: there is an exit to translate.  False: there is none, and either x is
 * complete (EXIT_HOST), or x->reason is 0 because a signal ended it. */
static EXIT_PATH bool kvm_enter(struct kvm_cpu *k, struct vmexit *x)
{
    k->entry_rip = k->run->s.regs.regs.rip;
    k->entered = true;
    if (ioctl(k->fd, KVM_RUN, 0) == 0) {
        k->half = false;
        k->have_exit = true;
        k->part = 0;
        k->parts = 1;
        return true;
    }
    if (errno == EINTR || errno == EAGAIN)
        k->half = false;        /* what was half done is finished before anything else */
    else
        host_failure(k, x, errno);
    return false;
}

/* Let KVM finish the instruction whose exit was answered, and no more: with immediate_exit
 * set KVM_RUN finishes it and returns EINTR before it enters the guest.
 *
 * What follows may be a new exit already (the next element of a REP): it waits in have_exit
 * for the next run().  One is dropped: KVM counts the finishing of an IN as a step of its
 * own, and for us it was part of the IN. */
int kvm_settle(struct kvm_cpu *k)
{
    if (!k->half || k->have_exit)
        return 0;
    *(volatile uint8_t *)&k->run->immediate_exit = 1;
    struct vmexit x = { .rip = 0 };
    bool new_exit = kvm_enter(k, &x);
    allow_entry(k);
    if (new_exit && kvm_stepping(k) && k->run->exit_reason == KVM_EXIT_DEBUG)
        k->have_exit = false;
    k->step.lost = true;
    return new_exit || !k->half ? 0 : -EIO;
}

/* ---- run and conclude ---- */

/* A page that the pager has seen touched becomes an EPT violation, as the hardware would
 * report it if the monitor kept the tables itself.  [SDM 3C "EPT Violations"] */
static EXIT_PATH bool record_first_touch(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    struct touch t;

    if (!k->pager || !pager_take(k->pager, &t))
        return false;
    x->reason = EXIT_EPT_VIOLATION;
    x->raw = KVM_EXIT_INTR;          /* which is how we come out of one */
    x->rip = k->run->s.regs.regs.rip;
    x->page.gpa = t.gpa;
    x->page.access = t.write ? ACCESS_W : ACCESS_R;
    return true;
}

static void record_kick(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    x->reason = EXIT_KICKED;
    x->raw = KVM_EXIT_INTR;
    x->rip = k->run->s.regs.regs.rip;
}

/* Step one instruction.  True: there is an exit to record.  False: the CPU was not entered,
 * or (`go_again`) the exit that it came back with is nothing to tell and the caller should
 * try again. */
static bool enter_stepped(struct vcpu *v, struct vmexit *x, bool *go_again)
{
    struct kvm_cpu *k = v->priv;

    kvm_step_begin(v);
    kvm_debug_choose(k);
    kvm_step_lay(v);
    bool exited = kvm_enter(k, x);
    *go_again = kvm_step_end(v, exited);
    if (!*go_again && exited && kvm_is_late_halt(v)) {
        k->have_exit = false;
        *go_again = true;
        return false;
    }
    if (!*go_again)
        return exited;
    k->have_exit = false;
    if (k->step.owes_db)
        return false;                   /* a breakpoint of the guest's own: no step was taken yet */
    k->told = false;
    k->owes_step = k->controls.monitor_trap_flag;
    return false;
}

/* The guest steps itself by its own TF, and a debugger has the debug registers: then KVM
 * shows us #DBs that are the guest's.  Note what it must get (owes_db).  True if the exit
 * was nothing else; a debugger's stop met at the same time is still to be told. */
static bool is_guests_own_trap(struct kvm_cpu *k)
{
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    if (k->run->exit_reason != KVM_EXIT_DEBUG || kvm_stepping(k) || d->exception != VEC_DB ||
        !(d->dr6 & DR6_BS))
        return false;
    k->step.owes_db = DR6_BS;
    return !(d->dr6 & (BIT(k->n_stops) - 1));
}

/* Enter the guest by the way that the debugger's wishes call for; without any it is a bare
 * KVM_RUN. Returns as enter_stepped() does. */
static EXIT_PATH bool enter_guest(struct vcpu *v, struct vmexit *x, bool *go_again)
{
    struct kvm_cpu *k = v->priv;

    if (k->n_stops || k->debug.control) {
        if (kvm_stepping(k))
            kvm_settle(k);
        if (k->have_exit)
            return true;
        if (k->step.owes_db && kvm_step_trap(v))
            host_say("kvm: the guest's own single-step trap could not be delivered");
        if (kvm_debug_steps(k))
            return enter_stepped(v, x, go_again);
        kvm_debug_choose(k);
    }
    k->step.coming = 0;
    if (!kvm_enter(k, x))
        return false;
    *go_again = (k->debug.control && is_guests_own_trap(k)) || kvm_is_late_halt(v);
    k->have_exit = !*go_again;
    return k->have_exit;
}

/* Find the next thing to tell, running the guest until there is one.  First touches come
 * before the exit that followed them, so they are asked for at every turn. */
static EXIT_PATH void next_record(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;

    for (;;) {
        bool go_again = false;
        if (record_first_touch(v, x) || kvm_debug_due(k, x))
            return;
        if (k->have_exit || enter_guest(v, x, &go_again)) {
            if (record_first_touch(v, x))
                return;
            if (k->told && kvm_debug_is_unseen(v)) {
                k->have_exit = k->told = false;
                kvm_debug_choose(k);
                continue;
            }
            kvm_record(v, x);
            return;
        }
        if (x->reason == EXIT_HOST)
            return;
        if (record_first_touch(v, x))
            return;
        if (go_again)
            continue;
        if (take_kick(k)) {
            record_kick(v, x);
            return;
        }
    }
}

/* run() of the engine.  irq_ready says whether an interrupt could be delivered right now:
 * KVM can take one, IF is set, and no #DB of the guest's has to come first. */
static EXIT_PATH void kvm_run(struct vcpu *v, uint64_t budget, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;

    (void)budget;               /* KVM counts no instructions; the monitor sets an alarm */
    memset(x, 0, sizeof(*x));
    k->of_kvm = false;
    k->rip_ahead = 0;
    if (k->stale)
        kvm_renew_tables(v);
    next_record(v, x);
    x->cs = kvm_code_segment(k);
    k->in_record = true;
    v->n_exits++;
    v->irq_ready = k->run->ready_for_interrupt_injection && k->run->if_flag && !k->step.owes_db;
}

static EXIT_PATH void kvm_conclude(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    struct kvm_cpu *k = v->priv;
    kvm_answer(v, x, verdict);
    k->in_record = false;
}

/* ---- injection ----
 *
 * An interrupt is handed over when the guest can take it (ready_for_interrupt_injection); the
 * kernel puts it into the VMCS at the next entry.  [Linux Documentation/virt/kvm/api.rst
 * "KVM_INTERRUPT", "KVM_SET_VCPU_EVENTS"; SDM 3C "Event Injection"] */

/* The exception is written into the vCPU's events as if the CPU had raised it already; it
 * delivers it at the next entry.  Real mode pushes no error codes; #PF has its address in
 * CR2.  [Linux Documentation/virt/kvm/api.rst "KVM_SET_VCPU_EVENTS"; SDM 3A "Real-Address
 * Mode"] */
int kvm_queue_exception(struct kvm_cpu *k, const struct event *e)
{
    struct kvm_vcpu_events ev;
    if (ioctl(k->fd, KVM_GET_VCPU_EVENTS, &ev))
        return -errno;
    k->step.coming = STEP_COMES | e->vector;
    ev.flags = 0;
    ev.exception.injected = 1;
    ev.exception.nr = e->vector;
    ev.exception.has_error_code = e->has_error && (k->run->s.regs.sregs.cr0 & CR0_PE);
    ev.exception.error_code = e->has_error ? e->error : 0;
    if (ioctl(k->fd, KVM_SET_VCPU_EVENTS, &ev))
        return -errno;
    if (e->vector != VEC_PF)
        return 0;
    k->run->s.regs.sregs.cr2 = e->cr2;
    return ioctl(k->fd, KVM_SET_SREGS, &k->run->s.regs.sregs) ? -errno : 0;
}

/* Interrupts may be refused (-EBUSY): the guest must be able to take one.  Exceptions are
 * delivered at once, so an instruction that is half done is finished before. */
static int inject_event(struct vcpu *v, const struct event *e)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_interrupt irq = { .irq = e->vector };
    int err;

    switch (e->type) {
    case EVENT_IRQ:
        if (!v->irq_ready)
            return -EBUSY;
        v->irq_ready = false;
        k->step.coming = STEP_COMES | e->vector;
        return ioctl(k->fd, KVM_INTERRUPT, &irq) ? -errno : 0;
    case EVENT_NMI:
        return ioctl(k->fd, KVM_NMI) ? -errno : 0;
    case EVENT_EXCEPTION: case EVENT_SOFTWARE: case EVENT_INT1:
        v->irq_ready = false;
        err = kvm_settle(k);
        return err ? err : kvm_queue_exception(k, e);
    case EVENT_NONE: case N_EVENT_TYPES:
        break;
    }
    return -EINVAL;
}

/* KVM delivers the event and does not tell when: the trace gets an INJECT, and never a
 * DELIVER.  If the instruction of the last exit is still half done, KVM finishes it first,
 * and the RIP that is logged is that instruction's. */
static int kvm_inject(struct vcpu *v, const struct event *e)
{
    struct kvm_cpu *k = v->priv;
    int err = inject_event(v, e);
    struct code_segment cs = kvm_code_segment(k);
    if (!err)
        vcpu_log_injection(v, k->run->s.regs.regs.rip, &cs, e);
    return err;
}

/* ---- controls ---- */

/* Controls that only the host's kernel could give to the processor; it has no interface for
 * them. */
static bool kvm_cannot_show(const struct controls *c)
{
    return c->exception_bitmap || c->cr3_load_exiting || c->cr3_store_exiting ||
           c->invlpg_exiting || c->rdtsc_exiting || c->mov_dr_exiting || c->cr0_mask ||
           c->cr4_mask || c->msr_exiting || c->wbinvd_exiting;
}

/* -ENOTSUP if one of them cannot be had; the others are in force all the same. */
static int kvm_set_controls(struct vcpu *v, const struct controls *c)
{
    struct kvm_cpu *k = v->priv;
    struct controls old = k->controls;
    int err = 0;

    k->controls = *c;
    k->run->request_interrupt_window = c->irq_window_exiting;
    if (c->monitor_trap_flag != old.monitor_trap_flag) {
        err = kvm_settle(k);
        if (!err)
            err = kvm_debug_choose(k);
    }
    return err ? err : kvm_cannot_show(c) ? -ENOTSUP : 0;
}

static void kvm_touch_again(struct vcpu *v, gpa_t gpa, bool again)
{
    struct kvm_cpu *k = v->priv;
    if (k->pager)
        pager_again(k->pager, gpa, again);
}

/* ---- made and destroyed ---- */

static void kvm_destroy(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;

    if (!k)
        return;
    if (k->run)
        munmap(k->run, k->run_bytes);
    if (k->fd >= 0)
        close(k->fd);
    if (k->vm >= 0)
        close(k->vm);
    if (k->dev >= 0)
        close(k->dev);
    pager_free(k->pager);
    free(k->host_cpuid);
    free(k->dirty_bitmap);
    free(k);
    v->priv = NULL;
}

/* The page that a vCPU shares with the kernel, struct kvm_run, is mapped from its
 * descriptor.  With KVM_CAP_SYNC_REGS it also holds the general and segment registers. */
static int make_vcpu(struct kvm_cpu *k)
{
    k->fd = ioctl(k->vm, KVM_CREATE_VCPU, 0);
    int bytes = ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (k->fd < 0 || bytes < 0)
        return -errno;
    void *run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
    if (run == MAP_FAILED)
        return -errno;
    k->run = run;
    k->run_bytes = (size_t)bytes;
    return 0;
}

/* kvm_valid_regs asks the kernel to copy these groups at every exit; this is the first
 * copy. */
int kvm_mirror_registers(struct kvm_cpu *k)
{
    k->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    if (ioctl(k->fd, KVM_GET_REGS, &k->run->s.regs.regs) ||
        ioctl(k->fd, KVM_GET_SREGS, &k->run->s.regs.sregs))
        return -errno;
    return 0;
}

/* Every capability has been in Linux since 4.17; the sentence names the
 * missing one.  `bits` are those of the answer that must be set. */
static bool has_what_we_need(const struct kvm_cpu *k)
{
    static const struct { int cap; int bits; const char *name; } needs[] = {
        { KVM_CAP_USER_MEMORY,    1, "memory slots"        },
        { KVM_CAP_IMMEDIATE_EXIT, 1, "immediate exit"      },
        { KVM_CAP_SYNC_REGS,      3, "shared registers"    },
        { KVM_CAP_READONLY_MEM,   1, "read-only memory"    },
        { KVM_CAP_VCPU_EVENTS,    1, "vCPU events"         },
    };
    for (size_t i = 0; i < NELEM(needs); i++) {
        int have = ioctl(k->dev, KVM_CHECK_EXTENSION, needs[i].cap);
        if (have < 0 || (have & needs[i].bits) != needs[i].bits) {
            host_say("kvm: this kernel's KVM has no %s; use --cpu soft", needs[i].name);
            return false;
        }
    }
    return true;
}

/* Order matters: the pager's mapping must exist before memory slots point to it, the MSR
 * filter is part of kvm_setup_vm(), and the pager serves only when the vCPU's page is
 * mapped, because it interrupts the vCPU. */
static int kvm_create(struct vcpu *v)
{
    char why[300];
    int err;
    struct kvm_cpu *k = calloc(1, sizeof(*k));

    if (!k)
        return -ENOMEM;
    v->priv = k;
    k->vm = k->fd = -1;
    k->thread = pthread_self();
    if (v->mmu != MMU_NESTED) {
        host_say("kvm: the memory virtualization is the hardware's; only --mmu nested is offered");
        k->dev = -1;
        err = -ENOTSUP;
        goto fail;
    }
    k->dev = kvm_open(why, sizeof(why));
    if (k->dev < 0) {
        host_say("kvm: %s", why);
        err = k->dev;
        goto fail;
    }
    err = -ENOTSUP;
    if (!has_what_we_need(k))
        goto fail;
    install_kick_handler();
    k->vm = ioctl(k->dev, KVM_CREATE_VM, 0);
    if (k->vm < 0) {
        err = -errno;
        host_say("kvm: KVM_CREATE_VM: %s", strerror(-err));
        goto fail;
    }
    k->pager = pager_new(v->gmem, k->no_pager_why, sizeof(k->no_pager_why));
    if ((err = kvm_setup_vm(k, v)) || (err = make_vcpu(k)) || (err = kvm_setup_vcpu(k, v)) ||
        (err = kvm_mirror_registers(k)) ||
        (k->pager && (err = pager_start(k->pager, interrupt_thread, k))))
        goto fail;
    return 0;
fail:
    kvm_destroy(v);
    return err;
}

const struct engine engine_kvm = {
    .name = "kvm",
    .about = "hardware-assisted: guest code runs on the host's CPU through /dev/kvm",
    .slow_state = ST_DRS | ST_MSRS | ST_FPU,
    .probe = kvm_probe,
    .create = kvm_create,
    .destroy = kvm_destroy,
    .run = kvm_run,
    .conclude = kvm_conclude,
    .kick = kvm_kick,
    .get_state = kvm_get_state,
    .set_state = kvm_set_state,
    .inject = kvm_inject,
    .set_controls = kvm_set_controls,
    .set_debug = kvm_set_stops,
    .flush_tlb = kvm_forget_tables,
    .forget = kvm_forget_range,
    .collect_dirty = kvm_collect_dirty,
    .save = kvm_save_all,
    .load = kvm_load_all,
    .drop = kvm_drop,
    .touch_again = kvm_touch_again,
    .limit_cpuid = kvm_limit_cpuid,
};
