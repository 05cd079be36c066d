/*
 * selfstep: a debugger in one function, for itself.
 *
 * With TF set the CPU traps after every instruction: #DB, and DR6.BS.  Each case
 * is a few instructions run so; what is printed is where the traps were, as
 * offsets from the first of them, and who saw TF where.  Rules that are easily got wrong:
 *
 *   - the POPF that sets TF is not followed by a trap, the one that clears it is;
 *   - INT n saves TF and clears it: no trap after it, and none in the handler;
 *   - a fault saves TF too; its handler is not stepped, the instruction is, once;
 *   - REP traps after each iteration;
 *   - SYSCALL saves TF in R11; if the mask clears it there is no trap;
 *   - instructions that trap into a monitor are stepped like all others.
 *
 * A debugger outside that steps this guest, or breaks into it, must not be noticed.
 *
 *   run    vitrine run   build/guests/selfstep64.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/selfstep64.elf
 *
 * MARK 1: ring 0.  MARK 2: ring 3.  MARK 3: done.
 * See [SDM 3B "Single-Step Exception Condition"].
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#ifdef __x86_64__
#define PUSHF "pushfq"
#define POPF  "popfq"
#define TOP   "(%rsp)"
#define POP_DX "pop %rdx"
#define IRET_WORDS "mov %ss, %eax; push %rax; lea 8(%rsp), %rax; push %rax; "  \
                   "pushfq; andl $~0x100, (%rsp); mov %cs, %eax; push %rax; push $1f; iretq; 1: nop"
#else
#define PUSHF "pushf"
#define POPF  "popf"
#define TOP   "(%esp)"
#define POP_DX "pop %edx"
#define IRET_WORDS "pushf; andl $~0x100, (%esp); mov %cs, %eax; push %eax; push $1f; iret; 1: nop"
#endif
#define HOLE_VA 0xa00000ul              /* a page that is absent at first */
#define HOLE    "0xa00000"

/*    name       instructions                                      */
#define CASES(X)                                                     \
    X(nops,      "nop; nop; nop")                                    \
    X(pushed,    PUSHF "; " POP_DX "; nop")                          \
    X(int_n,     "int $0x80; nop")                                   \
    X(fault,     "mov $" HOLE ", %eax; movl $7, (%eax); nop")        \
    X(rep,       "mov $3, %ecx; mov $bytes, %edi; rep stosb; nop")   \
    X(ports,     "out %al, $0x80; in $0x80, %al; nop")               \
    X(cpuid,     "xor %eax, %eax; cpuid; nop")                       \
    X(control,   "mov %cr0, %" AX "; mov %" AX ", %cr0; nop")        \
    X(iret_off,  IRET_WORDS)                                         \
    X(jumps,     "mov $2, %ecx; 2: dec %ecx; jnz 2b; call 3f; 3: " POP_DX) \
    CASES_OF_WIDTH(X)
#ifdef __x86_64__
#define AX "rax"
#define CASES_OF_WIDTH(X) X(syscall, "syscall; nop")
#else
#define AX "eax"
#define CASES_OF_WIDTH(X)
#endif

#define AS_CODE(id, code)                                            \
    __asm__(".text\ncase_" #id ": " PUSHF "; orl $0x100, " TOP "; " POPF "\n" \
            "at_" #id ": " code "\n"                                 \
            PUSHF "; andl $~0x100, " TOP "; " POPF "; ret");         \
    void case_##id(void);                                            \
    extern char at_##id[];
CASES(AS_CODE)

static const struct { const char *name; void (*run)(void); char *at; } cases[] = {
#define AS_ROW(id, code) { #id, case_##id, at_##id },
    CASES(AS_ROW)
};

enum { MAX_TRAPS = 32 };
static ulong trap_ip[MAX_TRAPS];
static unsigned n_traps;
static unsigned bs_missing, tf_inside, tf_saved, tf_not_saved;
uint8_t bytes[16];

static ulong dr6_take(void)
{
    ulong dr6;
    __asm__ volatile("mov %%dr6, %0; mov %1, %%dr6" : "=&r"(dr6) : "r"(0xffff0ff0ul));
    return dr6;
}

static void note_flags(const struct frame *f)
{
    tf_inside += (flags_read() & FLAG_TF) != 0;
    if (f->flags & FLAG_TF)
        tf_saved++;
    else
        tf_not_saved++;
}

static void on_debug(struct frame *f)
{
    note_flags(f);
    bs_missing += !(dr6_take() & (1u << 14));
    if (n_traps < MAX_TRAPS)
        trap_ip[n_traps] = f->ip;
    n_traps++;
}

static void on_int(struct frame *f)
{
    note_flags(f);
}

static pte_t *hole;

static void on_page_fault(struct frame *f)
{
    note_flags(f);
    *hole |= PTE_P;
}

static void show(const char *name, const char *at)
{
    printf("%-9s", name);
    for (unsigned i = 0; i < n_traps && i < MAX_TRAPS; i++)
        printf(" %lx", trap_ip[i] - (ulong)at);
    printf("; TF saved %u, not saved %u\n", tf_saved, tf_not_saved);
    CHECK("TF in a handler", tf_inside, 0);
    CHECK("DR6.BS missing", bs_missing, 0);
    n_traps = tf_saved = tf_not_saved = 0;
}

/* EDX as the case left it. */
static ulong run_case(void (*run)(void))
{
    ulong dx = 0;
#ifdef __x86_64__
    __asm__ volatile("call *%1" : "+d"(dx) : "S"(run) : "rax", "rbx", "rcx", "rdi", "r11", "memory", "cc");
#else
    __asm__ volatile("call *%1" : "+d"(dx) : "S"(run) : "eax", "ebx", "ecx", "edi", "memory", "cc");
#endif
    return dx;
}

/* The IRET into ring 3 sets TF, the INT out of it clears it. */
__asm__(".text\nuser_code: nop; nop; xor %eax, %eax; int $0x80; nop; int $0x81");
void user_code(void);

#ifdef __x86_64__
ulong syscall_r11;
__asm__(".text\nsyscall_entry: mov %r11, syscall_r11; push %r11; popfq; jmp *%rcx");
void syscall_entry(void);

static void syscall_set_up(void)
{
    wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32);
    wrmsr(MSR_LSTAR, (ulong)syscall_entry);
    wrmsr(MSR_FMASK, FLAG_TF);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}
#endif

static void set_up(void)
{
    pte_t *root = page_start(PTE_U);
    hole = page_entry(root, HOLE_VA);
    *hole &= ~PTE_P;
    cr3_write((ulong)root);
    trap_set(1, on_debug);
    trap_set(14, on_page_fault);
    trap_set(0x80, on_int);
    gate_user(0x80);
    dr6_take();
#ifdef __x86_64__
    syscall_set_up();
#endif
}

int main(void)
{
    set_up();
    mark(1);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ulong dx = run_case(cases[i].run);
        show(cases[i].name, cases[i].at);
        if (cases[i].run == case_pushed)
            CHECK("PUSHF shows TF", dx & FLAG_TF, FLAG_TF);
    }
#ifdef __x86_64__
    CHECK("R11 after SYSCALL", syscall_r11 & FLAG_TF, FLAG_TF);
#endif
    mark(2);
    user_run(user_code, FLAG_TF | 2);
    show("ring 3", (char *)user_code);
    mark(3);
    return check_result();
}
