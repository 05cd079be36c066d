/*
 * cpu/kvm/exits.c -- KVM's exits in our language, and our verdicts in KVM's.
 *
 * Going up, kvm_record() translates run->exit_reason by a table, `rows`.  Coming down,
 * kvm_answer() puts values where the kernel will look for them.
 *
 * KVM tells where RIP is now; a record tells where the instruction is.  The two differ when KVM
 * has moved on already:
 *
 *   HLT                      always moved
 *   IN, RDMSR, WRMSR         never before the exit is answered
 *   OUT                      moved on some hosts and not on others: see port_insn()
 *   write to device memory   moved past an instruction that this file does not know; there the
 *                            record's RIP is that of the next one
 *
 * Begin with kvm_record().  [Linux Documentation/virt/kvm/api.rst "The kvm_run structure"]
 */
#include "cpu/kvm/kvm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/host.h"
#include "base/x86.h"
#include "mem/gmem.h"

/* ---- where the instruction is ---- */

static uint64_t current_rip(const struct kvm_cpu *k)
{
    return k->run->s.regs.regs.rip;
}

/* The record is about the instruction `back` bytes before KVM's RIP. rip_ahead remembers
 * the difference for get_state() and for verdicts that go back. */
static void set_rip(struct kvm_cpu *k, struct vmexit *x, unsigned back)
{
    x->rip = current_rip(k) - back;
    k->rip_ahead = back;
}

/* The instruction's own bytes, for the record; `len` is known from its opcode. */
static void fetch_bytes(struct vcpu *v, struct vmexit *x, unsigned len)
{
    x->len = (uint8_t)kvm_fetch(v, x->rip, x->bytes, len);
}

/* ---- ports ---- */

/* What the guest sends to a port.  KVM lays the values of one exit side by side,
 * data_offset bytes into the shared memory. */
static uint64_t pio_value(const struct kvm_run *run, unsigned part)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)run + run->io.data_offset + (size_t)part * run->io.size,
           run->io.size);
    return value;
}

/* Could this instruction have made this exit?  Direction, size and port must be the same. */
static EXIT_PATH bool could_have_exited(const struct kvm_cpu *k, const struct io_insn *i)
{
    const struct kvm_run *run = k->run;
    uint16_t port = i->imm ? i->imm_port : (uint16_t)run->s.regs.regs.rdx;
    return i->len && i->in == (run->io.direction == KVM_EXIT_IO_IN) &&
           i->op_bytes == run->io.size && port == run->io.port;
}

/* The code around RIP, fetched once, because this is the busiest exit of all.  BEFORE is
 * the length of the longest OUT that KVM may have passed, prefixes included. */
#define BEFORE 4
struct code_window {
    uint8_t bytes[BEFORE + 15];
    size_t  before, at;     /* how many of them are there, before RIP and from it */
};

/* Both sides in one piece if the pages are there; else the part from RIP on alone. */
static EXIT_PATH void open_window(const struct vcpu *v, struct code_window *w)
{
    uint64_t rip = current_rip(v->priv);
    size_t got = kvm_fetch(v, rip - BEFORE, w->bytes, sizeof(w->bytes));
    w->before = got < BEFORE ? 0 : BEFORE;
    w->at = got < BEFORE ? kvm_fetch(v, rip, w->bytes + BEFORE, 15) : got - BEFORE;
}

/* The instruction that ends just before RIP, if it is an OUT that fits.  x86 code cannot be
 * decoded backwards, so every length is tried. */
static EXIT_PATH void insn_before(const struct kvm_cpu *k, const struct code_window *w,
                                  struct io_insn *out)
{
    for (unsigned n = 1; n <= w->before; n++) {
        io_insn_parse(w->bytes + BEFORE - n, n, kvm_code_bytes(k), out);
        if (out->len == n && !out->rep && could_have_exited(k, out))
            return;
    }
    out->len = 0;
}

/* Two OUTs to the same port in a row, one before RIP and one at it: which of them was it?
 * The first time that this happens, let KVM finish the instruction and see whether RIP
 * moves.  True: the one before RIP. */
static bool out_has_moved(struct kvm_cpu *k)
{
    if (k->out_moves != OUT_UNKNOWN)
        return k->out_moves == OUT_MOVED;

    uint64_t rip = current_rip(k);
    uint32_t reason = k->run->exit_reason;
    k->half = true;
    k->have_exit = false;
    bug_if(kvm_settle(k) || k->have_exit, "KVM did not finish an OUT");
    k->run->exit_reason = reason;
    k->have_exit = true;
    k->out_moves = current_rip(k) == rip ? OUT_MOVED : OUT_NOT_MOVED;
    return true;                /* finished now, so RIP is past it */
}

/* A REP OUTS stays where it is until it is done, other OUTs may have moved;
 * where both an OUT before RIP and a REP OUTS at it fit, believe the data. */
static bool is_rep_at_rip(const struct kvm_cpu *k, const struct io_insn *before)
{
    const struct kvm_run *run = k->run;
    return before->string || current_rip(k) == k->last_io_rip ||
           pio_value(run, 0) != low_bytes(run->s.regs.regs.rax, run->io.size);
}

/* Which instruction made the port exit, and where is it?  Candidates are the instruction at RIP
 * and, of an OUT, the one that ends just before RIP.  If only one of them fits, it is that one,
 * and its exit teaches how this KVM behaves (out_moves); if both fit, the functions above
 * decide. */
static EXIT_PATH void port_insn(struct vcpu *v, struct vmexit *x, struct io_insn *insn)
{
    struct kvm_cpu *k = v->priv;
    struct io_insn before = { 0 };
    struct code_window w;

    open_window(v, &w);
    io_insn_parse(w.bytes + BEFORE, w.at, kvm_code_bytes(k), insn);
    bool at = could_have_exited(k, insn);
    if (k->run->io.direction == KVM_EXIT_IO_OUT)
        insn_before(k, &w, &before);
    bool moved = before.len && (!at || (insn->rep ? !is_rep_at_rip(k, &before) : out_has_moved(k)));
    if (moved && at) {                  /* RIP may have moved just now */
        open_window(v, &w);
        insn_before(k, &w, &before);
    }
    if (moved)
        *insn = before;
    else if (!at)
        insn->len = 0;
    if (at != moved && !insn->rep && k->run->io.direction == KVM_EXIT_IO_OUT)
        k->out_moves = moved ? OUT_MOVED : OUT_NOT_MOVED;
    set_rip(k, x, moved ? insn->len : 0);
    k->last_io_rip = x->rip;
    x->len = insn->len;
    memcpy(x->bytes, w.bytes + BEFORE - k->rip_ahead, insn->len);
}

/* The linear address of the string element: of INS in ES:RDI, which has not moved yet and
 * is advanced by the elements answered; of OUTS in DS:RSI (or the segment of a prefix),
 * which has moved past it.  [SDM 2A "INS/INSB/INSW/INSD", "OUTS/OUTSB/OUTSW/OUTSD"] */
static gla_t string_gla(const struct kvm_cpu *k, const struct io_insn *i)
{
    const struct kvm_regs *r = &k->run->s.regs.regs;
    const struct kvm_sregs *s = &k->run->s.regs.sregs;
    const struct kvm_segment *segs[] = { &s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs };
    int64_t step = r->rflags & FLAG_DF ? -(int)i->op_bytes : i->op_bytes;
    uint64_t off = i->in ? r->rdi + (uint64_t)(step * k->part) : r->rsi - (uint64_t)step;
    int seg = i->in ? 0 : i->seg >= 0 ? i->seg : 3;

    off = low_bytes(off, i->addr_bytes);
    if (kvm_code_bytes(k) == 8)
        return off + (seg >= 4 ? segs[seg]->base : 0);
    return (uint32_t)(off + segs[seg]->base);
}

/* KVM may collect several elements of a string instruction in one exit; each of them becomes a
 * record of ours, counted by `part`. */
static EXIT_PATH void record_io(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    struct io_insn insn;

    port_insn(v, x, &insn);
    k->parts = k->run->io.count;
    x->reason = EXIT_IO;
    x->io.port = k->run->io.port;
    x->io.size = k->run->io.size;
    x->io.in = k->run->io.direction == KVM_EXIT_IO_IN;
    x->io.string = insn.string;
    x->io.rep = insn.rep;
    x->io.gla = insn.string ? string_gla(k, &insn) : 0;
    if (x->io.in)
        x->io.value = 0;
    else if (insn.len && !insn.string)          /* the same, on a page that is at hand */
        x->io.value = low_bytes(k->run->s.regs.regs.rax, x->io.size);
    else
        x->io.value = pio_value(k->run, k->part);
}

/* What IN reads goes where KVM will take it from. */
static EXIT_PATH void answer_io(struct kvm_cpu *k, const struct vmexit *x)
{
    if (x->io.in)
        memcpy((char *)k->run + k->run->io.data_offset + (size_t)k->part * x->io.size,
               &x->io.value, x->io.size);
}

/* ---- device memory ---- */

/* An access that crosses a page comes in odd sizes, such as 3; devices see 1, 2, 4 or 8.  So
 * `part` counts bytes here, and each record takes the largest size that is left. */
static void record_mmio(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_run *run = k->run;
    unsigned left = run->mmio.len - k->part, size = 8;

    while (size > left)
        size /= 2;
    k->parts = run->mmio.len;
    set_rip(k, x, 0);
    x->reason = EXIT_MMIO;
    x->mmio.gpa = run->mmio.phys_addr + k->part;
    x->mmio.size = (uint8_t)size;
    x->mmio.write = run->mmio.is_write;
    x->mmio.value = 0;
    if (x->mmio.write)
        memcpy(&x->mmio.value, run->mmio.data + k->part, size);
}

/* kvm_answer() adds the last 1 of the size to `part`. */
static void answer_mmio(struct kvm_cpu *k, const struct vmexit *x)
{
    if (!x->mmio.write)
        memcpy(k->run->mmio.data + k->part, &x->mmio.value, x->mmio.size);
    k->part += x->mmio.size - 1u;
}

/* ---- the others ---- */

/* KVM has moved past the one byte of HLT when it tells. */
static void record_hlt(struct vcpu *v, struct vmexit *x)
{
    x->reason = EXIT_HLT;
    set_rip(v->priv, x, 1);
    fetch_bytes(v, x, 1);
}

/* RDMSR and WRMSR are two bytes, 0f 32 and 0f 30. msr.error tells the kernel how to go on:
 * 0, the access is done; 1, #GP(0). */
static void record_msr(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    bool write = k->run->exit_reason == KVM_EXIT_X86_WRMSR;

    x->reason = write ? EXIT_WRMSR : EXIT_RDMSR;
    set_rip(k, x, 0);
    fetch_bytes(v, x, 2);
    x->msr.index = k->run->msr.index;
    x->msr.value = write ? k->run->msr.data : 0;
    k->run->msr.error = 0;
}

static void answer_msr(struct kvm_cpu *k, const struct vmexit *x)
{
    if (x->reason == EXIT_RDMSR)
        k->run->msr.data = x->msr.value;
}

/* The guest can take an interrupt now.  [SDM 3C "Interrupt-Window Exiting and
 * Virtual-Interrupt Delivery"] */
static void record_irq_window(struct vcpu *v, struct vmexit *x)
{
    x->reason = EXIT_IRQ_WINDOW;
    set_rip(v->priv, x, 0);
}

/* A CPU that meets a fault while it delivers a double fault stops in the shutdown state.
 * [SDM 3A "Interrupt 8-Double Fault Exception (#DF)"] */
static void record_shutdown(struct vcpu *v, struct vmexit *x)
{
    x->reason = EXIT_TRIPLE_FAULT;
    set_rip(v->priv, x, 0);
}

/* A KVM that emulates HLT under single step forgets to halt, and remembers it behind
 * another instruction, when it is not stepped any more.  True if this halt is such a late
 * one: there is no HLT (f4) before RIP. */
bool kvm_is_late_halt(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    uint8_t op;
    if (!k->step.late_halt || k->run->exit_reason != KVM_EXIT_HLT)
        return false;
    k->step.late_halt = false;
    return !kvm_fetch(v, current_rip(k) - 1, &op, 1) || op != 0xf4;
}

/* Was a HLT stepped, which KVM tells as a step and not as a halt?  f4 is the opcode of HLT. */
bool kvm_stepped_over_hlt(struct vcpu *v)
{
    const struct kvm_cpu *k = v->priv;
    uint8_t op;
    return current_rip(k) == k->entry_rip + 1 && kvm_fetch(v, k->entry_rip, &op, 1) && op == 0xf4;
}

/* A stepped HLT is told as the halt that it is; a debugger's stops and steps as such; what
 * is left is an exception of the guest's that KVM was asked to show. */
static void record_debug(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;

    if ((k->debug.control & KVM_GUESTDBG_SINGLESTEP) && d->exception == VEC_DB &&
        kvm_stepped_over_hlt(v)) {
        k->told = false;
        k->step.late_halt = true;
        record_hlt(v, x);
        return;
    }
    set_rip(k, x, 0);
    if (kvm_debug_record(v, x))
        return;
    x->reason = EXIT_EXCEPTION;
    x->fault.vector = (uint8_t)d->exception;
    x->fault.type = d->exception == VEC_BP ? EVENT_SOFTWARE : EVENT_EXCEPTION;
}

/* What KVM could not do, in words.  The strings live as long as the program. */
static const char *internal_error(const struct kvm_run *run)
{
    switch (run->internal.suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return "this KVM has to emulate an instruction it does not know "
               "(x87 or SSE in ring 0, or code that is no code); try --cpu soft";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        return "KVM met a fault while delivering another one";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return "KVM could not deliver an event: a gate, stack or TSS lies in device memory";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        return "KVM met a hardware exit it does not know";
    default:
        return "KVM reports an internal error";
    }
}

/* KVM gave up.  The record carries the bytes at RIP, for often it is an instruction that
 * KVM cannot emulate. */
static void record_internal(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    x->reason = EXIT_UNHANDLED;
    set_rip(k, x, 0);
    x->len = (uint8_t)kvm_fetch(v, x->rip, x->bytes, sizeof(x->bytes));
    x->raw = k->run->exit_reason | (uint64_t)k->run->internal.suberror << 32;
    x->fail.error = -95;        /* ENOTSUP */
    x->fail.what = internal_error(k->run);
}

/* The CPU checks the guest's state when it is entered, and refuses a state it could never
 * reach.  [SDM 3C "VM-Entry Failures During or After Loading Guest State"] */
static void record_fail_entry(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    x->reason = EXIT_UNHANDLED;
    set_rip(k, x, 0);
    x->raw = k->run->exit_reason | k->run->fail_entry.hardware_entry_failure_reason << 32;
    x->fail.error = -22;        /* EINVAL */
    x->fail.what = "the CPU refused to enter the guest: its state is not a valid one";
}

static void record_unknown(struct vcpu *v, struct vmexit *x)
{
    x->reason = EXIT_UNHANDLED;
    set_rip(v->priv, x, 0);
    x->fail.error = -95;
    x->fail.what = "KVM stopped for a reason this engine does not know";
}

/* A row for each exit of KVM's that we know: how it becomes our record, and what goes back to the
 * kernel with the answer.  [Linux Documentation/virt/kvm/api.rst "The kvm_run structure"] */
static const struct kvm_exit_row {
    void (*record)(struct vcpu *v, struct vmexit *x);
    void (*answer)(struct kvm_cpu *k, const struct vmexit *x);  /* NULL: nothing to hand back */
} rows[] = {
    [KVM_EXIT_DEBUG]           = { record_debug,      NULL        },
    [KVM_EXIT_FAIL_ENTRY]      = { record_fail_entry, NULL        },
    [KVM_EXIT_HLT]             = { record_hlt,        NULL        },
    [KVM_EXIT_INTERNAL_ERROR]  = { record_internal,   NULL        },
    [KVM_EXIT_IO]              = { record_io,         answer_io   },
    [KVM_EXIT_IRQ_WINDOW_OPEN] = { record_irq_window, NULL        },
    [KVM_EXIT_MMIO]            = { record_mmio,       answer_mmio },
    [KVM_EXIT_SHUTDOWN]        = { record_shutdown,   NULL        },
    [KVM_EXIT_X86_RDMSR]       = { record_msr,        answer_msr  },
    [KVM_EXIT_X86_WRMSR]       = { record_msr,        answer_msr  },
};

/* The exit that is in run->exit_reason becomes x. */
EXIT_PATH void kvm_record(struct vcpu *v, struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    uint32_t reason = k->run->exit_reason;

    k->of_kvm = true;
    x->raw = reason;
    if (reason < NELEM(rows) && rows[reason].record)
        rows[reason].record(v, x);
    else
        record_unknown(v, x);
}

/* ---- verdicts ---- */

static bool is_msr(const struct vmexit *x)
{
    return x->reason == EXIT_RDMSR || x->reason == EXIT_WRMSR;
}

/* Back to before the instruction: KVM can only finish one that it has begun, so let it
 * finish and put the registers back as they were.  What an IN has read is lost
 * then. */
static int undo(struct kvm_cpu *k, const struct vmexit *x)
{
    struct kvm_regs regs = k->run->s.regs.regs;
    int err = kvm_settle(k);

    if (err || current_rip(k) == x->rip)
        return err;
    regs.rip = x->rip;
    k->run->s.regs.regs = regs;
    k->step.lost = true;
    return ioctl(k->fd, KVM_SET_REGS, &regs) ? -1 : 0;
}

/* Deliver an exception at the instruction that exited, which must not have happened then. */
static void reflect(struct vcpu *v, const struct vmexit *x)
{
    struct kvm_cpu *k = v->priv;
    const struct event *e = &x->reflect;

    v->irq_ready = false;
    if (is_msr(x) && e->vector == VEC_GP && !e->error) {
        k->run->msr.error = 1;  /* KVM's own way to say #GP(0) */
        return;
    }
    if (undo(k, x) || kvm_queue_exception(k, e))
        host_say("kvm: exception %u could not be delivered", e->vector);
}

/* conclude() of the engine.  RETIRE: hand the answer back; the kernel finishes the instruction
 * when it is entered next (`half`).  A trap that the guest's own TF calls for comes then.
 * RETRY and REFLECT: the instruction has not happened, so what KVM has begun is undone. */
EXIT_PATH void kvm_answer(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    struct kvm_cpu *k = v->priv;
    uint32_t reason = k->run->exit_reason;
    bool ours = k->of_kvm;      /* not a first touch or a kick */

    if (ours && verdict == RETIRE && reason < NELEM(rows) && rows[reason].answer)
        rows[reason].answer(k, x);
    if (ours && verdict == RETIRE && ++k->part < k->parts)
        return;                 /* the next run() hands out the next element */
    if (ours) {
        k->have_exit = false;
        k->half = reason == KVM_EXIT_IO || reason == KVM_EXIT_MMIO || is_msr(x);
        if (k->half && verdict == RETIRE && kvm_stepping(k) && k->step.guest_tf)
            k->step.owes_db |= DR6_BS;
    }
    if (verdict == REFLECT)
        reflect(v, x);
    else if (verdict == RETRY && ours && (k->half || k->rip_ahead) && undo(k, x))
        host_say("kvm: the instruction at %#" PRIx64 " cannot be repeated", x->rip);
}
