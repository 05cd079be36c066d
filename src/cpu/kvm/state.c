/*
 * cpu/kvm/state.c -- registers between KVM's structs and ours.
 *
 * General and segment registers are mirrored in the page shared with the kernel after every
 * exit; the rest is fetched by ioctl when somebody asks for it.
 *
 * Between run() and conclude() the state is shown as the exit record tells it, with RIP at the
 * instruction, whatever KVM has done about it already.  Debugger and devices then see the same as
 * on the engine `soft`.
 *
 * Begin with kvm_get_state() and kvm_set_state() at the end.  kvm_hva() and kvm_fetch() read the
 * guest's code and data by way of its page tables.
 * [Linux Documentation/virt/kvm/api.rst "KVM_GET_REGS", "KVM_GET_SREGS"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/x86.h"
#include "mem/gmem.h"
#include "mem/walk.h"

/* ---- general registers ---- */

/* KVM's order is historical, ours is the encoding's.  rip and rflags follow apart. */
#define KVM_GPRS(X) \
    X(RAX, rax) X(RCX, rcx) X(RDX, rdx) X(RBX, rbx) X(RSP, rsp) X(RBP, rbp) X(RSI, rsi) \
    X(RDI, rdi) X(R8, r8) X(R9, r9) X(R10, r10) X(R11, r11) X(R12, r12) X(R13, r13) \
    X(R14, r14) X(R15, r15)

/* v + n in a register of which `bytes` are used as an address or a count.  Writing 4 bytes
 * clears the upper half, writing 2 leaves it alone.  [SDM 1 "General-Purpose Registers in
 * 64-Bit Mode"] */
static uint64_t add_sized(uint64_t v, int64_t n, unsigned bytes)
{
    uint64_t low = low_bytes(v + (uint64_t)n, bytes);
    return bytes == 4 ? low : bytes == 2 ? (v & ~UINT64_C(0xffff)) | low : low;
}

/* Of a REP INS KVM asks for many elements in one exit.  `part` of them are answered, but
 * the registers have not moved yet: show them as if they had, as they would be on a CPU
 * that exits for each element.  RDI has advanced by the elements (backward if DF is set),
 * RCX has counted them down. */
static void show_read_ahead(const struct vcpu *v, struct cpu_state *s)
{
    const struct kvm_cpu *k = v->priv;
    uint8_t bytes[15];
    struct io_insn insn;

    if (!k->have_exit || k->run->exit_reason != KVM_EXIT_IO || !k->part)
        return;
    io_insn_parse(bytes, kvm_fetch(v, s->rip, bytes, sizeof(bytes)), kvm_code_bytes(k), &insn);
    if (!insn.rep || !insn.in)
        return;
    int64_t step = s->rflags & FLAG_DF ? -(int)insn.op_bytes : insn.op_bytes;
    s->gpr[RDI] = add_sized(s->gpr[RDI], step * k->part, insn.addr_bytes);
    s->gpr[RCX] = add_sized(s->gpr[RCX], -(int64_t)k->part, insn.addr_bytes);
}

/* Two corrections: RIP goes back to the instruction that the record is about, and TF is the
 * guest's own (step.c). */
static void get_gprs(const struct vcpu *v, struct cpu_state *s)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_regs *r = &k->run->s.regs.regs;

#define X(id, name) s->gpr[id] = r->name;
    KVM_GPRS(X)
#undef X
    s->rip = r->rip - (uint64_t)(k->in_record ? k->rip_ahead : 0);
    s->rflags = r->rflags | (kvm_stepping(k) && k->step.guest_tf ? FLAG_TF : 0);
    show_read_ahead(v, s);
}

/* The same corrections the other way round.  KVM_SET_REGS takes KVM's own TF away: it must
 * be asked for again. */
static int set_gprs(struct kvm_cpu *k, const struct cpu_state *s)
{
    struct kvm_regs *r = &k->run->s.regs.regs;

#define X(id, name) r->name = s->gpr[id];
    KVM_GPRS(X)
#undef X
    r->rip = s->rip + (uint64_t)(k->in_record ? k->rip_ahead : 0);
    r->rflags = s->rflags;
    if (kvm_stepping(k)) {
        k->step.guest_tf = s->rflags & FLAG_TF;
        k->step.lost = true;
        r->rflags &= ~(uint64_t)FLAG_TF;
    }
    return ioctl(k->fd, KVM_SET_REGS, r) ? -errno : 0;
}

/* ---- segments and control registers ---- */

/* The attributes of a segment are bits of one word with us, as in a VMCS, and members of a
 * struct with KVM.  [SDM 3C "Guest Register State"] */
static void seg_from_kvm(struct segment *s, const struct kvm_segment *k)
{
    *s = (struct segment){ .sel = k->selector, .base = k->base, .limit = k->limit };
    s->attr = (uint16_t)((k->type & SEG_TYPE) | (k->s ? SEG_S : 0) | (k->dpl & 3u) << 5 |
                         (k->present && !k->unusable ? SEG_P : 0) | (k->avl ? SEG_AVL : 0) |
                         (k->l ? SEG_L : 0) | (k->db ? SEG_DB : 0) | (k->g ? SEG_G : 0));
}

/* A segment that is not present is "unusable" in VMX, which then ignores the rest of it. */
static void seg_to_kvm(struct kvm_segment *k, const struct segment *s)
{
    *k = (struct kvm_segment){
        .selector = s->sel, .base = s->base, .limit = s->limit,
        .type = s->attr & SEG_TYPE, .s = !!(s->attr & SEG_S), .dpl = (s->attr >> 5) & 3,
        .present = !!(s->attr & SEG_P), .avl = !!(s->attr & SEG_AVL),
        .l = !!(s->attr & SEG_L), .db = !!(s->attr & SEG_DB), .g = !!(s->attr & SEG_G),
        .unusable = !(s->attr & SEG_P),
    };
}

/* The segments of KVM's struct, in the order of enum seg. */
static void list_segments(struct kvm_sregs *r, struct kvm_segment *out[N_SEGS])
{
    out[SEG_ES] = &r->es, out[SEG_CS] = &r->cs, out[SEG_SS] = &r->ss, out[SEG_DS] = &r->ds;
    out[SEG_FS] = &r->fs, out[SEG_GS] = &r->gs, out[SEG_LDTR] = &r->ldt, out[SEG_TR] = &r->tr;
}

/* KVM's "special registers" are both groups in one struct, and it is mirrored: no system
 * call. */
static void get_sregs(struct kvm_cpu *k, unsigned groups, struct cpu_state *s)
{
    struct kvm_sregs *r = &k->run->s.regs.sregs;
    struct kvm_segment *segs[N_SEGS];

    if (groups & ST_SEGS) {
        list_segments(r, segs);
        for (int i = 0; i < N_SEGS; i++)
            seg_from_kvm(&s->seg[i], segs[i]);
        s->gdtr = (struct table_reg){ r->gdt.base, r->gdt.limit };
        s->idtr = (struct table_reg){ r->idt.base, r->idt.limit };
    }
    if (groups & ST_CRS) {
        s->cr0 = r->cr0, s->cr2 = r->cr2, s->cr3 = r->cr3, s->cr4 = r->cr4;
        s->cr8 = r->cr8, s->efer = r->efer;
    }
}

/* The kernel refuses control registers that no CPU could hold; then the mirror keeps what
 * it had, so that it stays true. */
static int set_sregs(struct kvm_cpu *k, unsigned groups, const struct cpu_state *s)
{
    struct kvm_sregs *r = &k->run->s.regs.sregs, old = *r;
    struct kvm_segment *segs[N_SEGS];

    if (groups & ST_SEGS) {
        list_segments(r, segs);
        for (int i = 0; i < N_SEGS; i++)
            seg_to_kvm(segs[i], &s->seg[i]);
        r->gdt.base = s->gdtr.base, r->gdt.limit = s->gdtr.limit;
        r->idt.base = s->idtr.base, r->idt.limit = s->idtr.limit;
    }
    if (groups & ST_CRS) {
        r->cr0 = s->cr0, r->cr2 = s->cr2, r->cr3 = s->cr3, r->cr4 = s->cr4;
        r->cr8 = s->cr8, r->efer = s->efer;
    }
    if (ioctl(k->fd, KVM_SET_SREGS, r) == 0)
        return 0;
    int err = -errno;
    *r = old;
    return err;
}

/* ---- debug registers, MSRs, FPU ---- */

/* DR4 and DR5 are other names of DR6 and DR7 and have no place of their own. */
static int get_drs(struct kvm_cpu *k, struct cpu_state *s)
{
    struct kvm_debugregs d;
    if (ioctl(k->fd, KVM_GET_DEBUGREGS, &d))
        return -errno;
    memcpy(s->dr, d.db, sizeof(d.db));
    s->dr[4] = s->dr[5] = 0;
    s->dr[6] = d.dr6, s->dr[7] = d.dr7;
    return 0;
}

static int set_drs(struct kvm_cpu *k, const struct cpu_state *s)
{
    struct kvm_debugregs d = { .dr6 = s->dr[6], .dr7 = s->dr[7] };
    memcpy(d.db, s->dr, sizeof(d.db));
    return ioctl(k->fd, KVM_SET_DEBUGREGS, &d) ? -errno : 0;
}

/* The MSRs of struct cpu_state and where each lies in it. */
static const struct { uint32_t index; size_t offset; } state_msrs[] = {
    { MSR_STAR,           offsetof(struct cpu_state, star)           },
    { MSR_LSTAR,          offsetof(struct cpu_state, lstar)          },
    { MSR_CSTAR,          offsetof(struct cpu_state, cstar)          },
    { MSR_SFMASK,         offsetof(struct cpu_state, sfmask)         },
    { MSR_KERNEL_GS_BASE, offsetof(struct cpu_state, kernel_gs_base) },
    { MSR_SYSENTER_CS,    offsetof(struct cpu_state, sysenter_cs)    },
    { MSR_SYSENTER_ESP,   offsetof(struct cpu_state, sysenter_esp)   },
    { MSR_SYSENTER_EIP,   offsetof(struct cpu_state, sysenter_eip)   },
    { MSR_PAT,            offsetof(struct cpu_state, pat)            },
    { MSR_TSC,            offsetof(struct cpu_state, tsc)            },
    { MSR_TSC_AUX,        offsetof(struct cpu_state, tsc_aux)        },
};

/* struct kvm_msrs ends in a flexible array: room for n entries. */
#define MSRS_BYTES(n) (sizeof(struct kvm_msrs) + (n) * sizeof(struct kvm_msr_entry))
union msr_list { struct kvm_msrs head; char room[MSRS_BYTES(NELEM(state_msrs))]; };
union msr_one  { struct kvm_msrs head; char room[MSRS_BYTES(1)]; };

_Static_assert(NELEM(state_msrs) == KVM_N_MSRS, "all are moved");

/* Get or set (`request`) all of them.  KVM stops at the first MSR that it does not have and
 * returns how many it did, so the rest are tried one by one.  Returns how many were refused
 * (setting one to 0 that does not exist is no loss); -errno if not even the first ioctl
 * worked. */
static int move_msrs(struct kvm_cpu *k, unsigned long request, union msr_list *l)
{
    int refused = 0;
    l->head.nmsrs = NELEM(state_msrs);
    for (size_t i = 0; i < NELEM(state_msrs); i++)
        l->head.entries[i].index = state_msrs[i].index;
    int done = ioctl(k->fd, request, l);
    if (done < 0)
        return -errno;
    for (size_t i = (size_t)done; i < NELEM(state_msrs); i++) {
        union msr_one one = { .head.nmsrs = 1 };
        one.head.entries[0] = l->head.entries[i];
        if (ioctl(k->fd, request, &one) == 1)
            l->head.entries[i].data = one.head.entries[0].data;
        else if (l->head.entries[i].data)
            refused++;
    }
    return refused;
}

int kvm_get_msrs(struct kvm_cpu *k, uint64_t value[KVM_N_MSRS])
{
    union msr_list l = { .room = { 0 } };
    int err = move_msrs(k, KVM_GET_MSRS, &l);
    for (size_t i = 0; i < NELEM(state_msrs); i++)
        value[i] = l.head.entries[i].data;
    return err < 0 ? err : 0;
}

/* KVM takes a TSC value near the one that it expects at this moment for an attempt to
 * synchronize this CPU's TSC with others', and puts in the expected value instead.  So the
 * TSC is set to something far away first, and then to what is wanted. */
#define FAR_AWAY BIT(40)

static void set_tsc_far_away(struct kvm_cpu *k, uint64_t tsc)
{
    union msr_one one = { .head.nmsrs = 1 };
    one.head.entries[0] = (struct kvm_msr_entry){ .index = MSR_TSC, .data = tsc ^ FAR_AWAY };
    ioctl(k->fd, KVM_SET_MSRS, &one);
}

int kvm_put_msrs(struct kvm_cpu *k, const uint64_t value[KVM_N_MSRS])
{
    union msr_list l = { .room = { 0 } };
    for (size_t i = 0; i < NELEM(state_msrs); i++) {
        l.head.entries[i].data = value[i];
        if (state_msrs[i].index == MSR_TSC)
            set_tsc_far_away(k, value[i]);
    }
    return move_msrs(k, KVM_SET_MSRS, &l);
}

static int get_msrs(struct kvm_cpu *k, struct cpu_state *s)
{
    uint64_t value[KVM_N_MSRS];
    int err = kvm_get_msrs(k, value);
    for (size_t i = 0; !err && i < NELEM(state_msrs); i++)
        memcpy((char *)s + state_msrs[i].offset, &value[i], 8);
    return err;
}

/* What the kernel refuses stays as it was; that is no error here. */
static int set_msrs(struct kvm_cpu *k, const struct cpu_state *s)
{
    uint64_t value[KVM_N_MSRS];
    for (size_t i = 0; i < NELEM(state_msrs); i++)
        memcpy(&value[i], (const char *)s + state_msrs[i].offset, 8);
    int err = kvm_put_msrs(k, value);
    return err < 0 ? err : 0;
}

/* The XSAVE area begins with the FXSAVE image; XSTATE_BV follows it.
 * [SDM 1 "XSAVE Area"] */
#define XSTATE_BV 128           /* in 32-bit words */

static int get_fpu(struct kvm_cpu *k, struct cpu_state *s)
{
    struct kvm_xsave x;
    if (ioctl(k->fd, KVM_GET_XSAVE, &x))
        return -errno;
    memcpy(s->fpu, x.region, sizeof(s->fpu));
    return 0;
}

/* Read, change, write: behind the FXSAVE image the area holds what is not ours.  XSTATE_BV
 * says which parts of the image are in it; parts that are not marked would be reset instead
 * of loaded. */
static int set_fpu(struct kvm_cpu *k, const struct cpu_state *s)
{
    struct kvm_xsave x;
    if (ioctl(k->fd, KVM_GET_XSAVE, &x))
        return -errno;
    memcpy(x.region, s->fpu, sizeof(s->fpu));
    x.region[XSTATE_BV] |= 3;   /* x87 and SSE are in the image */
    return ioctl(k->fd, KVM_SET_XSAVE, &x) ? -errno : 0;
}

/* ---- the engine's interface ---- */

/* get_state() of the engine.  Only debug registers, MSRs and the FPU cost system calls of
 * their own (slow_state in kvm.c). */
int kvm_get_state(struct vcpu *v, unsigned groups, struct cpu_state *s)
{
    struct kvm_cpu *k = v->priv;
    int err = kvm_settle(k);

    if (!err && (groups & ST_GPRS))
        get_gprs(v, s);
    if (!err && (groups & (ST_SEGS | ST_CRS)))
        get_sregs(k, groups, s);
    if (!err && (groups & ST_DRS))
        err = get_drs(k, s);
    if (!err && (groups & ST_MSRS))
        err = get_msrs(k, s);
    if (!err && (groups & ST_FPU))
        err = get_fpu(k, s);
    return err;
}

/* set_state() of the engine.  Segments and control registers go first: the kernel checks
 * RFLAGS against the mode.  -EBUSY in the middle of a REP INS that KVM reads ahead: nothing
 * can be set there. */
int kvm_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *s)
{
    struct kvm_cpu *k = v->priv;
    int err = k->have_exit && k->part ? -EBUSY : kvm_settle(k);

    if (!err && (groups & (ST_SEGS | ST_CRS)))
        err = set_sregs(k, groups, s);
    if (!err && (groups & ST_GPRS))
        err = set_gprs(k, s);
    if (!err && (groups & ST_DRS))
        err = set_drs(k, s);
    if (!err && (groups & ST_MSRS))
        err = set_msrs(k, s);
    if (!err && (groups & ST_FPU))
        err = set_fpu(k, s);
    v->irq_ready = false;       /* not known before the next exit */
    return err;
}

/* ---- looking at code ---- */

/* The address size of code without prefixes: by L and D of CS.  Real and virtual-8086 mode
 * have 16 bits.  [SDM 3A "Code- and Data-Segment Descriptor Types"] */
EXIT_PATH unsigned kvm_code_bytes(const struct kvm_cpu *k)
{
    const struct kvm_sregs *r = &k->run->s.regs.sregs;

    if (!(r->cr0 & CR0_PE) || (k->run->s.regs.regs.rflags & FLAG_VM))
        return 2;
    if ((r->efer & EFER_LMA) && r->cs.l)
        return 8;
    return r->cs.db ? 4 : 2;
}

/* How places in the code that runs now are said. */
EXIT_PATH struct code_segment kvm_code_segment(const struct kvm_cpu *k)
{
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    bool flat = (r->efer & EFER_LMA) && r->cs.l;
    bool real = !(r->cr0 & CR0_PE), v86 = k->run->s.regs.regs.rflags & FLAG_VM;
    uint32_t base = flat ? 0 : (uint32_t)r->cs.base;

    return (struct code_segment){ .base = base, .sel = r->cs.selector,
                                  .segmented = base || real || (v86 && !flat) };
}

/* WALK_PEEK: the walk sets no A and D bits, for it is us who look, not the guest. */
EXIT_PATH void *kvm_hva(const struct vcpu *v, gla_t gla, size_t n, unsigned access)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    struct paging pg = { .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4, .efer = r->efer };
    struct walk w;

    if (!(r->cr0 & CR0_PG))
        return gmem_ptr(v->gmem, gla, n);
    walk(&pg, v->gmem, gla, access | WALK_PEEK, &w);
    return w.result == WALK_OK ? gmem_ptr(v->gmem, w.gpa, n) : NULL;
}

/* Page by page: the code may run over the end of one, and the next page may be elsewhere or
 * missing. */
EXIT_PATH size_t kvm_fetch(const struct vcpu *v, uint64_t rip, uint8_t *buf, size_t n)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    bool flat = kvm_code_bytes(k) == 8;
    size_t got = 0;

    while (got < n) {
        gla_t gla = flat ? rip + got : (uint32_t)(r->cs.base + rip + got);
        size_t here = PAGE_SIZE - (gla & (PAGE_SIZE - 1));
        if (here > n - got)
            here = n - got;
        const void *hva = kvm_hva(v, gla, here, WALK_FETCH);
        if (!hva)
            break;
        memcpy(buf + got, hva, here);
        got += here;
    }
    return got;
}
