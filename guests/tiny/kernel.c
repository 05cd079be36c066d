/*
 * tiny/kernel.c -- processes, system calls, demand paging, preemption.
 *
 * A process is a kernel stack, a page-table root and a state.  All that a
 * process was doing when it entered the kernel lies as a struct frame on its
 * kernel stack, so switching processes is switching stacks (switch.S), and a
 * new process is a stack forged to look as if it had just entered.
 *
 * The kernel runs with interrupts off, except in idle(); it is left by IRET,
 * and the timer takes the CPU away from user code only.  So nothing in here
 * needs a lock.  Kernel and programs are one image, mapped in every address
 * space: its code is for all to read, its data for the kernel; only what lies
 * in USER_BASE..USER_TOP is a process's own.
 *
 *   run    vitrine run   build/guests/tiny32.elf            (type help)
 *          vitrine run   build/guests/tiny32.elf --append "run=primes; ps; exit 3"
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/tiny32.elf
 *
 * MARK 1: the kernel is up.  MARK 2: first process.  MARK 3: halting.
 */
#include "tiny/tiny.h"

enum { N_PROCS = 8, STACK_BYTES = 4096, HZ = 100, IRQ_TIMER = 0, IRQ_COM1 = 4, PAGE_FAULT = 14 };
enum state { FREE, READY, WAITING, READING, ZOMBIE };

struct process {
    enum state state;
    ulong sp;                   /* kernel stack pointer while switched out */
    pte_t *root;
    unsigned program, waits_for, ticks, faults;
    int status;
    char stack[STACK_BYTES] __attribute__((aligned(16)));
};

static struct process procs[N_PROCS];
static struct process *self = procs;    /* procs[0] is the idle loop */
static volatile ulong ticks;

static char input[256];
static uint8_t input_put, input_taken;

void switch_stacks(ulong *save, ulong load);            /* switch.S */
void program_start(void);
extern char image_start[], image_data[];                /* link.ld */
extern char trap_return[];

/* ---- choosing who runs ---- */

static void switch_to(struct process *p)
{
    struct process *old = self;

    if (p == old)
        return;
    self = p;
    TSS_SP0(&tss) = (ulong)(p->stack + STACK_BYTES);
    cr3_write((ulong)p->root);
    switch_stacks(&old->sp, p->sp);
}

/* Round robin; nobody ready: the idle loop. */
static void schedule(void)
{
    unsigned me = (unsigned)(self - procs);

    for (unsigned i = 1; i <= N_PROCS; i++) {
        struct process *p = &procs[(me + i) % N_PROCS];
        if (p != procs && p->state == READY) {
            switch_to(p);
            return;
        }
    }
    switch_to(procs);
}

static void block(enum state why)
{
    self->state = why;
    schedule();
}

/* ---- making and ending processes ---- */

static void forge_frame(struct process *p, program_fn *start, ulong arg)
{
    struct frame *f = (struct frame *)(p->stack + STACK_BYTES) - 1;

    *f = (struct frame){
        .ip = (ulong)program_start, .cs = SEL_UCODE, .flags = FLAG_IF | 2,
        .sp = USER_TOP, .ss = SEL_UDATA,
#ifdef __x86_64__
        .di = arg, .si = (ulong)start,
#else
        .ax = arg, .dx = (ulong)start, .ds = SEL_UDATA, .es = SEL_UDATA,
#endif
    };
    ulong *sp = (ulong *)f;
    *--sp = (ulong)trap_return;        /* where switch_stacks "returns" to ... */
    for (int i = 0; i < 6; i++)
        *--sp = 0;                      /* ... with these saved registers */
    p->sp = (ulong)sp;
}

static long spawn(unsigned program, ulong arg)
{
    if (program >= N_PROGRAMS)
        return -1;
    for (struct process *p = procs + 1; p < procs + N_PROCS; p++) {
        if (p->state != FREE)
            continue;
        p->root = page_alloc();
        memcpy(p->root, procs[0].root, PAGE_SIZE);
#ifdef __x86_64__       /* 512 GiB per entry of the root: our part begins one level down */
        pte_t *upper = page_alloc();
        memcpy(upper, (void *)(p->root[0] & PTE_FRAME), PAGE_SIZE);
        upper[USER_BASE >> 30] = 0;
        p->root[0] = (ulong)upper | PTE_P | PTE_W | PTE_U;
#endif
        p->program = program;
        p->ticks = p->faults = 0;
        p->state = READY;
        forge_frame(p, programs[program], arg);
        return p - procs;
    }
    return -1;
}

static void free_tables(pte_t *table, int level, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (!(table[i] & PTE_P))
            continue;
        if (level > 0)
            free_tables((pte_t *)(table[i] & PTE_FRAME), level - 1, 0, PAGE_SIZE / sizeof(pte_t));
        page_free((void *)(table[i] & PTE_FRAME));
    }
}

static void free_space(struct process *p)
{
#ifdef __x86_64__
    pte_t *upper = (pte_t *)(p->root[0] & PTE_FRAME);

    free_tables(upper, 2, USER_BASE >> 30, (USER_BASE >> 30) + 1);
    page_free(upper);
#else
    free_tables(p->root, 1, USER_BASE >> 22, (USER_BASE >> 22) + 1);
#endif
    page_free(p->root);
}

static void end_process(int status)
{
    unsigned me = (unsigned)(self - procs);

    self->status = status;
    self->state = ZOMBIE;
    for (struct process *p = procs; p < procs + N_PROCS; p++)
        if (p->state == WAITING && p->waits_for == me)
            p->state = READY;
    if (self->program == PROG_shell)
        guest_exit(status);
    schedule();
}

/* ---- system calls: one function each, called through a table ---- */

static long sys_exit(ulong status, ulong unused)
{
    (void)unused;
    end_process((int)status);
    return 0;
}

/* May the process read (write) [at, at + n)?  Strings of the image, its own pages. */
static bool user_may(ulong at, ulong n, bool write)
{
    if (at >= USER_BASE)
        return at <= USER_TOP && n <= USER_TOP - at;
    return !write && at >= (ulong)image_start && at <= (ulong)image_data &&
           n <= (ulong)image_data - at;
}

static long sys_write(ulong text, ulong n)
{
    if (!user_may(text, n, false))
        return -1;
    for (ulong i = 0; i < n; i++)
        serial_putc(((const char *)text)[i]);
    return (long)n;
}

static long sys_read(ulong a, ulong b)
{
    (void)a, (void)b;
    while (input_put == input_taken)
        block(READING);
    return (uint8_t)input[input_taken++];
}

static long sys_spawn(ulong program, ulong arg)
{
    return spawn((unsigned)program, arg);
}

static long sys_wait(ulong pid, ulong unused)
{
    (void)unused;
    if (pid == 0 || pid >= N_PROCS || procs[pid].state == FREE || &procs[pid] == self)
        return -1;
    self->waits_for = (unsigned)pid;
    while (procs[pid].state != ZOMBIE)
        block(WAITING);
    free_space(&procs[pid]);
    procs[pid].state = FREE;
    return procs[pid].status;
}

static long sys_ps(ulong a, ulong b)
{
    static const char *const names[] = {"free", "ready", "waiting", "reading", "ended"};

    (void)a, (void)b;
    printf("pid state   program\n");
    for (struct process *p = procs + 1; p < procs + N_PROCS; p++)
        if (p->state != FREE)
            printf("%3d %-7s %s\n", (int)(p - procs), p == self ? "running" : names[p->state],
                   program_names[p->program]);
    return 0;
}

static long sys_ticks(ulong a, ulong b)
{
    (void)a, (void)b;
    return (long)ticks;
}

static long sys_mem(ulong a, ulong b)
{
    (void)a, (void)b;
    return pages_free();
}

static long sys_halt(ulong status, ulong unused)
{
    (void)unused;
    mark(3);
    if (status == POWER_OFF)
        power_off();
    guest_exit((int)status);
}

static long sys_faults(ulong a, ulong b)
{
    (void)a, (void)b;
    return self->faults;
}

static long sys_script(ulong buf, ulong n)
{
    if (!user_may(buf, n, true))
        return -1;
    const char *from = command_line();
    while (*from && strncmp(from, "run=", 4) != 0)
        from++;
    from += *from ? 4 : 0;
    size_t len = strlen(from);
    if (len >= n)
        return -1;
    memcpy((char *)buf, from, len + 1);
    return (long)len;
}

static long do_syscall(ulong nr, ulong a, ulong b)
{
    static long (*const call[N_SYSCALLS])(ulong, ulong) = {
#define X(nr, name, args, what) [nr] = sys_##name,
        SYSCALL_LIST(X)
#undef X
    };

    return nr < N_SYSCALLS ? call[nr](a, b) : -1;
}

/* ---- traps ---- */

static void on_syscall(struct frame *f)
{
    f->ax = (ulong)do_syscall(f->ax, f->bx, f->cx);
}

/* Demand paging: a page of the process's own area appears when it is touched;
 * by user code, or by the kernel on its behalf. */
static void on_page_fault(struct frame *f)
{
    ulong at = cr2_read();

    if (at >= USER_BASE && at < USER_TOP && !(f->error & 1)) {
        *page_entry(self->root, at) = (ulong)page_alloc() | PTE_P | PTE_W | PTE_U;
        self->faults++;
        return;
    }
    if ((f->cs & 3) == 0)
        die("kernel fault at %lx on %lx, error %lx", f->ip, at, f->error);
    printf("%s: page fault at %lx, killed\n", program_names[self->program], at);
    end_process(128 + PAGE_FAULT);
}

static void on_timer(struct frame *f)
{
    ticks++;
    pic_eoi(IRQ_TIMER);
    if ((f->cs & 3) == 3) {
        self->ticks++;
        schedule();
    }
}

static void on_serial(struct frame *f)
{
    int c;

    (void)f;
    while ((c = serial_getc()) >= 0)
        input[input_put++] = (char)c;
    pic_eoi(IRQ_COM1);
    for (struct process *p = procs; p < procs + N_PROCS; p++)
        if (p->state == READING)
            p->state = READY;
}

/* ---- start ---- */

#ifdef __x86_64__
void syscall_entry(void);               /* switch.S */

static void fast_syscalls(void)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr(MSR_STAR, (uint64_t)0x1b << 48 | (uint64_t)SEL_KCODE << 32);
    wrmsr(MSR_LSTAR, (ulong)syscall_entry);
    wrmsr(MSR_FMASK, FLAG_IF | FLAG_DF | FLAG_TF);
}
#else
static void fast_syscalls(void)
{
}
#endif

static _Noreturn void idle(void)
{
    for (;;) {
        schedule();
        sti_hlt();              /* interrupts only here and in ring 3 */
        cli();
    }
}

/* All for the kernel alone, but its code, which the programs are part of. */
static void map_kernel(void)
{
    procs[0].root = page_start(0);
    for (ulong va = (ulong)image_start; va < (ulong)image_data; va += PAGE_SIZE)
        *page_entry(procs[0].root, va) = va | PTE_P | PTE_U;
    cr0_write(cr0_read() | CR0_WP);     /* read-only even for us */
    cr3_write((ulong)procs[0].root);
}

int main(void)
{
    console = TO_SERIAL;
    serial_init();
    map_kernel();
    fast_syscalls();
    pic_init();
    trap_set(PAGE_FAULT, on_page_fault);
    trap_set(0x80, on_syscall);
    gate_user(0x80);
    trap_set(IRQ_BASE + IRQ_TIMER, on_timer);
    trap_set(IRQ_BASE + IRQ_COM1, on_serial);
    pit_periodic(HZ);
    pic_unmask(IRQ_TIMER);
    pic_unmask(IRQ_COM1);
    outb(COM1 + 1, 0x01);       /* the UART interrupts when a byte is there */
    mark(1);
    printf("tiny: %d bits, %d processes at most\n", (int)sizeof(ulong) * 8, N_PROCS - 1);
    spawn(PROG_shell, 0);
    mark(2);
    idle();
}
