/*
 * cpu/kvm/probe.c -- what this host's KVM can really do.
 *
 * Capability bits tell what a kernel was written to do.  Whether guests in a
 * certain mode run is found out by running one: a few bytes of code that
 * compute something and say it by OUT.  A guest that fails ends with the wrong
 * value, a triple fault or an internal error; one that hangs is kicked.
 *
 * The table `trials` is the list of questions; begin there.
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "base/x86.h"
#include "mem/gmem.h"

#define TRIAL_MS  200               /* a guest that runs longer hangs */

/* A trial's guest has one MiB of memory, laid out so. */
#define RAM_BYTES 0x100000u
#define CODE      0x1000u
#define TSS       0x2000u
#define DATA      0x3000u
#define TABLES    0x10000u          /* page tables, up to 4 pages */
#define GDT       0x4000u
#define IDT       0x6000u
#define STACK     0x8000u
#define REMAPPED  0x5000u           /* in paged trials this linear page is DATA */

/* ---- entry states ---- */

/* Segment attributes: code that may be read, or data that may be written, both accessed
 * already (type 0xb and 0x3), with limits in pages where G is set.  [SDM 3A "Segment
 * Descriptors"] */
#define CODE32 (SEG_P | SEG_S | 0xb | SEG_DB | SEG_G)
#define CODE64 (SEG_P | SEG_S | 0xb | SEG_L | SEG_G)
#define DATA32 (SEG_P | SEG_S | 0x3 | SEG_DB | SEG_G)

/* All six segments flat from 0, CS with selector 8 and the others with 16. */
static void set_segs(struct cpu_state *s, uint16_t code, uint16_t data, uint32_t limit)
{
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct segment){ .sel = i == SEG_CS ? 8 : 16, .limit = limit,
                                      .attr = i == SEG_CS ? code : data };
}

/* Each of these functions sets the registers with which a trial's guest begins, and writes
 * the tables that they point to.  The guest need not switch modes itself: KVM_SET_SREGS
 * puts it there. */
static void enter_real(struct cpu_state *s, struct gmem *m)
{
    (void)m;
    set_segs(s, SEG_P | SEG_S | 0xb, SEG_P | SEG_S | 0x3, 0xffff);
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i].sel = 0;
}

static void enter_protected(struct cpu_state *s, struct gmem *m)
{
    (void)m;
    set_segs(s, CODE32, DATA32, 0xffffffff);
    s->cr0 = CR0_PE | CR0_ET | CR0_NE;
}

/* The lowest page table: an identity map of the first MiB but for one page, REMAPPED, which
 * is DATA.  A guest that reads its data through REMAPPED proves that its paging works.
 * `bytes` is the size of an entry, 4 or 8. */
static void fill_leaf(struct gmem *m, gpa_t at, unsigned bytes)
{
    for (uint64_t page = 0; page < RAM_BYTES; page += PAGE_SIZE) {
        uint64_t e = (page == REMAPPED ? DATA : page) | PTE_P | PTE_W;
        gmem_write(m, at + page / PAGE_SIZE * bytes, &e, bytes);
    }
}

static void put64(struct gmem *m, gpa_t at, uint64_t v)
{
    gmem_write(m, at, &v, sizeof(v));
}

/* Two levels of 4-byte entries: 32-bit paging.  [SDM 3A "32-Bit Paging"] */
static void enter_paging32(struct cpu_state *s, struct gmem *m)
{
    enter_protected(s, m);
    put64(m, TABLES, (TABLES + 0x1000) | PTE_P | PTE_W);
    fill_leaf(m, TABLES + 0x1000, 4);
    s->cr3 = TABLES;
    s->cr0 |= CR0_PG;
}

/* Three levels of 8-byte entries; those of the first have no W bit.  [SDM 3A "PAE Paging"] */
static void enter_pae(struct cpu_state *s, struct gmem *m)
{
    enter_protected(s, m);
    put64(m, TABLES, (TABLES + 0x1000) | PTE_P);
    put64(m, TABLES + 0x1000, (TABLES + 0x2000) | PTE_P | PTE_W);
    fill_leaf(m, TABLES + 0x2000, 8);
    s->cr3 = TABLES;
    s->cr4 = CR4_PAE;
    s->cr0 |= CR0_PG;
}

/* Four levels.  LME and LMA are both set, as they are once paging is on.  [SDM 3A "4-Level
 * Paging and 5-Level Paging"] */
static void enter_long(struct cpu_state *s, struct gmem *m)
{
    set_segs(s, CODE64, DATA32, 0xffffffff);
    for (unsigned level = 0; level < 3; level++)
        put64(m, TABLES + level * 0x1000, (TABLES + (level + 1) * 0x1000) | PTE_P | PTE_W);
    fill_leaf(m, TABLES + 0x3000, 8);
    s->cr3 = TABLES;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
}

/* SSE needs OSFXSR in CR4; without it every SSE instruction is #UD.  [SDM 3A "Enabling
 * SSE/SSE2/SSE3/SSSE3/SSE4 Extensions"] */
static void enter_sse(struct cpu_state *s, struct gmem *m)
{
    enter_long(s, m);
    s->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->cr0 |= CR0_MP;
}

/* Protected mode with a GDT in memory, so that selectors can be loaded.  Entry 1 is flat
 * 32-bit code, entry 2 flat data. */
static void enter_with_gdt(struct cpu_state *s, struct gmem *m)
{
    enter_protected(s, m);
    put64(m, GDT + 8, 0x00cf9b000000ffff);
    put64(m, GDT + 16, 0x00cf93000000ffff);
    s->gdtr = (struct table_reg){ GDT, 23 };
}

/* Long mode with a GDT, and an IDT whose gate 0x20 leads to CODE + 16. */
static void enter_long_idt(struct cpu_state *s, struct gmem *m)
{
    enter_long(s, m);
    put64(m, GDT + 8, 0x00af9b000000ffff);
    put64(m, GDT + 16, 0x00cf93000000ffff);
    s->gdtr = (struct table_reg){ GDT, 23 };
    put64(m, IDT + 0x20 * 16, 0x00008e0000080000 | (CODE + 16));
    s->idtr = (struct table_reg){ IDT, 0x21 * 16 - 1 };
}

/* The same for #UD, vector 6. */
static void enter_long_ud(struct cpu_state *s, struct gmem *m)
{
    enter_long_idt(s, m);
    put64(m, IDT + VEC_UD * 16, 0x00008e0000080000 | (CODE + 16));
}

/* Ring 3 of long mode; only the page of the code is the user's.  STAR, LSTAR and SCE of
 * EFER are set for SYSCALL, which goes to CODE + 16.  [SDM 3A "Fast System Calls in 64-Bit
 * Mode"] */
static void enter_user64(struct cpu_state *s, struct gmem *m)
{
    enter_long(s, m);
    for (unsigned level = 0; level < 3; level++)
        put64(m, TABLES + level * 0x1000, (TABLES + (level + 1) * 0x1000) | PTE_P | PTE_W | PTE_U);
    put64(m, TABLES + 0x3000 + CODE / PAGE_SIZE * 8, CODE | PTE_P | PTE_U);
    for (int i = SEG_ES; i <= SEG_GS; i++) {
        s->seg[i].attr |= SEG_DPL;
        s->seg[i].sel = i == SEG_CS ? 0x2b : 0x23;
    }
    s->efer |= EFER_SCE;
    s->star = (UINT64_C(0x1b) << 48) | (UINT64_C(8) << 32);
    s->lstar = CODE + 16;
}

/* The same with IOPL 3, so that the guest may use OUT. */
static void enter_user_io(struct cpu_state *s, struct gmem *m)
{
    enter_user64(s, m);
    s->rflags |= FLAG_IOPL;
}

/* On the way to virtual-8086 mode by IRET, and out of it by a #GP to CODE + 44.
 * The guest loads TR itself: not every simulated SVM takes a busy TSS at entry. */
static void enter_v86(struct cpu_state *s, struct gmem *m)
{
    enter_with_gdt(s, m);
    put64(m, TSS + 4, (STACK - 0x800) | UINT64_C(16) << 32);        /* ESP0, SS0 */
    put64(m, GDT + 24, UINT64_C(0x89) << 40 | (uint64_t)TSS << 16 | 0x67);
    s->gdtr.limit = 31;
    put64(m, IDT + VEC_GP * 8, 0x00008e0000080000 | (CODE + 44));
    s->idtr = (struct table_reg){ IDT, VEC_GP * 8 + 7 };
}

/* ---- the trials ---- */

/* A guest passes if it says SECRET at port 0xe9, in as many pieces as it
 * likes, 32 bits in all (there it ends), and if `see` (0: nothing special) was among its exits. */
#define SECRET 0x2a7c915bu
#define SECRET_BYTES 0x5b, 0x91, 0x7c, 0x2a

/* One question, and the guest that answers it. */
struct trial {
    const char *name;
    size_t      cap;                /* offset of the answer, a bool, in struct engine_caps */
    void      (*enter)(struct cpu_state *s, struct gmem *m);
    bool        step;               /* run it under the monitor trap flag */
    unsigned    see;                /* the exit that it must make; 0: nothing special */
    gla_t       stop;               /* not 0: a debugger waits there, at DATA for writes and
                                     * elsewhere for code; with `step`, a step must end there */
    uint8_t     code[48];
};

/* In the following the comment is the assembly of the bytes below it.
 *
 * mov eax, [DATA]; inc eax; out 0xe9, eax, in 16-bit code, where 66 makes an operand 32
 * bits wide.  DATA holds SECRET - 1. */
#define SAY_DATA_16 { 0x66, 0xa1, 0x00, 0x30, 0x66, 0x40, 0x66, 0xe7, 0xe9 }
/* mov eax, [page << 8]; inc eax; out 0xe9, eax, in 32-bit code */
#define SAY_DATA_32(page) { 0xa1, 0x00, page, 0x00, 0x00, 0x40, 0xe7, 0xe9 }
/* mov eax, [REMAPPED]; inc eax; out 0xe9, eax, in 64-bit code */
#define SAY_DATA_64 { 0x8b, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0xff, 0xc0, 0xe7, 0xe9 }
/* mov eax, SECRET; movd xmm0, eax; pxor xmm1, xmm1; por xmm1, xmm0; movd eax, xmm1; out */
#define SAY_BY_SSE { 0xb8, SECRET_BYTES, 0x66, 0x0f, 0x6e, 0xc0, 0x66, 0x0f, 0xef, 0xc9, \
                     0x66, 0x0f, 0xeb, 0xc8, 0x66, 0x0f, 0x7e, 0xc8, 0xe7, 0xe9 }
/* mov eax, SECRET; nop; out 0xe9, eax */
#define SAY_SECRET { 0xb8, SECRET_BYTES, 0x90, 0xe7, 0xe9 }
/* pushfd; push cs; push the address after IRET; iretd; mov eax, SECRET; out */
#define SAY_AFTER_IRET { 0x9c, 0x0e, 0x68, 0x08, 0x10, 0, 0, 0xcf, 0xb8, SECRET_BYTES, 0xe7, 0xe9 }
/* mov ax, 0x18; ltr ax; push 0 for GS, FS, DS, ES, SS; push ESP; push EFLAGS with VM; push 0 for
 * CS; push the address of what follows; iretd.  Then in virtual-8086 mode: mov eax, [DATA];
 * inc eax; hlt, which is #GP there; and the handler: out 0xe9, eax */
#define SAY_FROM_V86 { 0x66, 0xb8, 0x18, 0, 0x0f, 0x00, 0xd8, \
                       0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x68, 0x00, 0x80, 0, 0, \
                       0x68, 0x02, 0x00, 0x02, 0, 0x6a, 0, 0x68, 0x23, 0x10, 0, 0, 0xcf,  \
                       0x66, 0xa1, 0x00, 0x30, 0x66, 0x40, 0xf4, [44] = 0xe7, 0xe9 }
/* int 0x20; its handler: mov eax, SECRET; out 0xe9, eax */
#define SAY_IN_HANDLER { 0xcd, 0x20, [16] = 0xb8, SECRET_BYTES, 0xe7, 0xe9 }
/* ud2; its handler: the same */
#define SAY_AFTER_UD { 0x0f, 0x0b, [16] = 0xb8, SECRET_BYTES, 0xe7, 0xe9 }
/* syscall; at LSTAR: mov [0x6000], esp; mov eax, SECRET; out 0xe9, eax */
#define SAY_AFTER_SYSCALL { 0x0f, 0x05, [16] = 0x89, 0x24, 0x25, 0, 0x60, 0, 0, \
                            0xb8, SECRET_BYTES, 0xe7, 0xe9 }
/* mov eax, SECRET; nop; mov [DATA], eax; nop; out 0xe9, eax */
#define SAY_STORED { 0xb8, SECRET_BYTES, 0x90, 0xa3, 0x00, 0x30, 0, 0, 0x90, 0xe7, 0xe9 }
/* mov ecx, MTRRCAP; rdmsr; mov eax, SECRET; out */
#define SAY_AFTER_RDMSR { 0xb9, 0xfe, 0, 0, 0, 0x0f, 0x32, 0xb8, SECRET_BYTES, 0xe7, 0xe9 }

#define CAP(field) offsetof(struct engine_caps, field)

static const struct trial trials[] = {
    { "real mode",         CAP(real_mode),        enter_real,      false, 0, 0,    SAY_DATA_16 },
    { "protected mode",    CAP(protected_mode),   enter_protected, false, 0, 0,
      SAY_DATA_32(0x30) },
    { "32-bit paging",     CAP(paging32),         enter_paging32,  false, 0, 0,
      SAY_DATA_32(0x50) },
    { "PAE paging",        CAP(pae),              enter_pae,       false, 0, 0,
      SAY_DATA_32(0x50) },
    { "long mode",         CAP(long_mode),        enter_long,      false, 0, 0,    SAY_DATA_64 },
    { "IRET in 32-bit protected mode", CAP(iret32), enter_with_gdt, false, 0, 0, SAY_AFTER_IRET },
    { "INT n in long mode", CAP(int64),           enter_long_idt,  false, 0, 0,    SAY_IN_HANDLER },
    { "SYSCALL from ring 3", CAP(syscall64),      enter_user64,    false, 0, 0,
      SAY_AFTER_SYSCALL },
    { "virtual-8086 mode", CAP(v86),              enter_v86,       false, 0, 0,    SAY_FROM_V86 },
    { "SSE in ring 0",     CAP(sse),              enter_sse,       false, 0, 0,    SAY_BY_SSE },
    { "single step",       CAP(single_step),      enter_protected, true,  EXIT_MTF, 0, SAY_SECRET },
    { "steps into handlers", CAP(steps_into_handlers), enter_long_ud, true, EXIT_MTF, CODE + 16,
      SAY_AFTER_UD },
    { "hardware breakpoints", CAP(breakpoints),   enter_protected, false, EXIT_BREAKPOINT, CODE + 5,
      SAY_STORED },
    { "hardware breakpoints in ring 3", CAP(user_breakpoints), enter_user_io, false,
      EXIT_BREAKPOINT, CODE + 5, SAY_SECRET },
    { "hardware watchpoints", CAP(watchpoints),   enter_protected, false, EXIT_BREAKPOINT, DATA,
      SAY_STORED },
    { "MSR exits",         CAP(sees_msr),         enter_protected, false, EXIT_RDMSR, 0,
      SAY_AFTER_RDMSR },
    { "first touches",     CAP(sees_first_touch), enter_protected, false, EXIT_EPT_VIOLATION, 0,
      SAY_SECRET },
};

/* ---- running one ---- */

/* What became of a trial: passed, or in words why not. */
struct outcome { bool ok; char what[120]; };

/* A trial that hangs is kicked after TRIAL_MS, by a timer of its own: there is no machine around
 * it that would set an alarm.  The timer fires again and again, because a signal that comes just
 * before KVM_RUN has no effect.  SIGEV_THREAD_ID: to this thread.  [timer_create(2)] */
static timer_t start_alarm(struct kvm_cpu *k)
{
    timer_t t;
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL };
    struct itimerspec when = { .it_value.tv_nsec = TRIAL_MS * 1000000l,
                               .it_interval.tv_nsec = 20 * 1000000l };

    ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    k->deadline_ns = host_monotonic_ns() + TRIAL_MS * UINT64_C(1000000);
    if (timer_create(CLOCK_MONOTONIC, &ev, &t))
        return (timer_t)-1;
    timer_settime(t, 0, &when, NULL);
    return t;
}

/* Did it pass?  Only if it said SECRET and made the exit that was asked for.  Otherwise
 * write down what became of it, for the user. */
static void judge(const struct trial *t, struct outcome *o, uint32_t said, unsigned seen,
                  const struct vmexit *last)
{
    char line[100];
    o->ok = last->reason == EXIT_IO && said == SECRET && (!t->see || seen);
    if (o->ok)
        return;
    if (last->reason == EXIT_TRIPLE_FAULT)
        snprintf(o->what, sizeof(o->what), "%s triple-faults", t->name);
    else if (last->reason == EXIT_KICKED)
        snprintf(o->what, sizeof(o->what), "%s hangs", t->name);
    else if (last->reason == EXIT_IO && said != SECRET)
        snprintf(o->what, sizeof(o->what), "%s computes wrongly", t->name);
    else if (last->reason == EXIT_IO)
        snprintf(o->what, sizeof(o->what), "%s are not shown", t->name);
    else if (last->reason == EXIT_UNHANDLED)
        snprintf(o->what, sizeof(o->what), "%s ends in an internal error", t->name);
    else
        snprintf(o->what, sizeof(o->what), "%s fails (%.60s)", t->name,
                 exit_describe(last, line, sizeof(line)));
}

/* Run the guest until it has said 32 bits, or until it makes an exit that no trial expects,
 * or 200 exits.  A little machine: it answers 0 to everything.  `seen` counts the exits
 * that the trial is about. */
static void run_trial(struct vcpu *v, const struct trial *t, struct outcome *o)
{
    struct kvm_cpu *k = v->priv;
    struct vmexit x;
    uint32_t said = 0;
    unsigned seen = 0, shift = 0;
    timer_t alarm = start_alarm(k);

    for (int i = 0; i < 200 && shift < 32; i++) {
        engine_kvm.run(v, UINT64_MAX, &x);
        if (x.reason == t->see && !(t->step && t->stop && x.rip != t->stop))
            seen++;
        if (x.reason == EXIT_IO && x.io.port == 0xe9 && !x.io.in) {
            said |= (uint32_t)x.io.value << shift;
            shift += 8u * x.io.size;
        }
        bool go_on = x.reason == EXIT_IO || x.reason == EXIT_MTF || x.reason == EXIT_RDMSR ||
                     x.reason == EXIT_EPT_VIOLATION || x.reason == EXIT_BREAKPOINT;
        engine_kvm.conclude(v, &x, go_on ? RETIRE : STOP);
        if (!go_on)
            break;
    }
    if (alarm != (timer_t)-1)
        timer_delete(alarm);
    judge(t, o, said, seen, &x);
}

/* Make a guest of one MiB, enter it by the trial's own rules, and destroy it.  The trials
 * must not ask kvm_known_caps() themselves (`trial`): it would try the trials. */
static void try_one(const struct trial *t, struct outcome *o)
{
    struct cpu_state s;
    struct gmem *m = gmem_new();
    struct vcpu v = { .ops = &engine_kvm, .gmem = m, .mmu = MMU_NESTED };
    uint32_t data = SECRET - 1;

    snprintf(o->what, sizeof(o->what), "%s could not be tried", t->name);
    o->ok = false;
    if (!m || gmem_add(m, "probe", 0, RAM_BYTES, GMEM_RAM))
        goto out;
    gmem_freeze(m);
    gmem_write(m, CODE, t->code, sizeof(t->code));
    gmem_write(m, DATA, &data, sizeof(data));
    cpu_state_reset(&s);
    t->enter(&s, m);
    s.rip = CODE;
    s.gpr[RSP] = STACK;
    if (engine_kvm.create(&v))
        goto out;
    struct controls c = { .monitor_trap_flag = t->step };
    struct data_stop watch = { .at = DATA, .len = 4, .access = ACCESS_W };
    struct debug_stops stops = { .code = &t->stop, .n_code = t->stop && t->stop != DATA && !t->step,
                                 .data = &watch, .n_data = t->stop == DATA };
    ((struct kvm_cpu *)v.priv)->trial = true;
    ((struct kvm_cpu *)v.priv)->step.lands = t->step && t->stop;
    if (engine_kvm.set_state(&v, ST_ALL & ~(unsigned)ST_FPU, &s) == 0 &&
        engine_kvm.set_controls(&v, &c) == 0 && engine_kvm.set_debug(&v, &stops) == 0)
        run_trial(&v, t, o);
    else
        snprintf(o->what, sizeof(o->what), "%s is refused", t->name);
    if (t->see == EXIT_EPT_VIOLATION && !((struct kvm_cpu *)v.priv)->pager)
        snprintf(o->what, sizeof(o->what), "%.*s", (int)sizeof(o->what) - 1,
                 ((struct kvm_cpu *)v.priv)->no_pager_why);
    engine_kvm.destroy(&v);
out:
    if (m)
        gmem_free(m);
}

/* ---- the report ---- */

/* Print behind what is in buf[n] already. */
static void append(char *buf, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void append(char *buf, size_t n, const char *fmt, ...)
{
    size_t at = strlen(buf);
    va_list ap;
    va_start(ap, fmt);
    if (at < n)
        vsnprintf(buf + at, n - at, fmt, ap);
    va_end(ap);
}

/* Which module drives this KVM: the limits of each are known. */
static const char *kind_of_kvm(void)
{
    if (access("/sys/module/kvm_pvm", F_OK) == 0)
        return "paravirtual KVM (kvm_pvm)";
    if (access("/sys/module/kvm_intel", F_OK) == 0)
        return "KVM on VT-x (kvm_intel)";
    if (access("/sys/module/kvm_amd", F_OK) == 0)
        return "KVM on SVM (kvm_amd)";
    return "KVM";
}

/* A word on what does not run here and what to do about it. */
static void advise(struct engine_caps *caps)
{
    if (!caps->paging32 || !caps->pae)
        append(caps->why, sizeof(caps->why), "; for 32-bit kernels use --cpu soft");
    else if (!caps->sse)
        append(caps->why, sizeof(caps->why), "; for kernels that use SSE use --cpu soft");
}

/* Only the trials that a debugger wants to know of, and only once: all of them would delay
 * its first breakpoint too much. */
const struct engine_caps *kvm_known_caps(void)
{
    static struct engine_caps caps;
    if (caps.ok)
        return &caps;
    for (size_t i = 0; i < NELEM(trials); i++) {
        struct outcome o;
        if (trials[i].see != EXIT_BREAKPOINT && trials[i].cap != CAP(steps_into_handlers))
            continue;
        try_one(&trials[i], &o);
        *(bool *)((char *)&caps + trials[i].cap) = o.ok;
    }
    caps.ok = true;
    return &caps;
}

/* probe() of the engine: all trials.  -ENOTSUP if not even one mode runs. */
int kvm_probe(struct engine_caps *caps)
{
    unsigned n_failed = 0;

    memset(caps, 0, sizeof(*caps));
    int fd = kvm_open(caps->why, sizeof(caps->why));
    if (fd < 0)
        return fd;
    close(fd);

    append(caps->why, sizeof(caps->why), "%s: ", kind_of_kvm());
    for (size_t i = 0; i < NELEM(trials); i++) {
        struct outcome o = { 0 };
        try_one(&trials[i], &o);
        *(bool *)((char *)caps + trials[i].cap) = o.ok;
        if (!o.ok)
            append(caps->why, sizeof(caps->why), "%s%s", n_failed++ ? ", " : "", o.what);
    }
    if (!n_failed)
        append(caps->why, sizeof(caps->why), "every trial guest ran");
    advise(caps);
    caps->mmus = BIT(MMU_NESTED);
    caps->ok = caps->real_mode || caps->protected_mode || caps->long_mode;
    return caps->ok ? 0 : -ENOTSUP;
}
