/*
 * syscall: the 64-bit way into the kernel.
 *
 * SYSCALL puts the return address in RCX and the flags in R11, takes RIP from
 * LSTAR, the selectors from STAR, and clears the flags named in FMASK.  It does
 * not touch RSP: the first instruction of the kernel runs on the user's stack.
 * It exists only where EFER.SCE says so.
 *
 *   run    vitrine run   build/guests/syscall.elf
 *   watch  vitrine run   --stat build/guests/syscall.elf
 *
 * MARK 1: calls.  MARK 2: not enabled.  MARK 3: done.
 * See [SDM 2B "SYSCALL-Fast System Call"].
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

enum { CALLS = 100 };

static char kernel_stack[4096] __attribute__((aligned(16)));
static struct { ulong cs, ss, flags, rcx, r11, user_sp; } in_kernel;
static ulong sum, user_cs, user_ss, user_flags, fell;

__asm__(".text\n"
        "syscall_entry:\n"
        "    mov %rsp, syscall_user_sp\n"       /* one CPU: a variable will do */
        "    mov syscall_kernel_sp, %rsp\n"
        "    push %rcx; push %r11\n"
        "    mov %rcx, %rdx\n"                  /* (a, b, rcx, r11) */
        "    mov %r11, %rcx\n"
        "    call add_in_kernel\n"
        "    pop %r11; pop %rcx\n"
        "    mov syscall_user_sp, %rsp\n"
        "    sysretq\n"
        "syscall_call:\n"                       /* ulong syscall_call(ulong a, ulong b) */
        "    syscall\n"
        "    .globl after_syscall\n"
        "after_syscall:\n"
        "    ret\n");
void syscall_entry(void);
extern char after_syscall[];
ulong syscall_call(ulong a, ulong b);
ulong add_in_kernel(ulong a, ulong b, ulong rcx, ulong r11);
ulong syscall_user_sp, syscall_kernel_sp;

ulong add_in_kernel(ulong a, ulong b, ulong rcx, ulong r11)
{
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(in_kernel.cs), "=r"(in_kernel.ss));
    in_kernel.flags = flags_read();
    in_kernel.rcx = rcx;
    in_kernel.r11 = r11;
    in_kernel.user_sp = syscall_user_sp;
    return a + b;
}

static void user_calls(void)
{
    for (ulong i = 0; i < CALLS; i++)
        sum += syscall_call(i, 1ul << 40);
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(user_cs), "=r"(user_ss));
    user_flags = flags_read();
    user_exit();
}

static void user_unprepared(void)
{
    fell = TRY("syscall", : : : "memory", "rax", "rcx", "r11");
    user_exit();
}

int main(void)
{
    page_start(PTE_U);
    pic_init();                         /* all masked: IF may be on in ring 3 */
    syscall_kernel_sp = (ulong)kernel_stack + sizeof(kernel_stack);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr(MSR_STAR, (uint64_t)SEL_UCODE32 << 48 | (uint64_t)SEL_KCODE << 32);
    wrmsr(MSR_LSTAR, (ulong)syscall_entry);
    wrmsr(MSR_FMASK, FLAG_IF | FLAG_DF);
    mark(1);
    user_run(user_calls, 2 | FLAG_IF);
    printf("%d calls, sum %lx\n", CALLS, sum);
    printf("kernel: CS %lx, SS %lx, IF %d; user: CS %lx, SS %lx, IF %d\n", in_kernel.cs,
           in_kernel.ss, (in_kernel.flags & FLAG_IF) != 0, user_cs, user_ss,
           (user_flags & FLAG_IF) != 0);
    CHECK("sum", sum, ((ulong)CALLS << 40) + CALLS * (CALLS - 1) / 2);
    CHECK("kernel CS", in_kernel.cs, SEL_KCODE);
    CHECK("kernel SS", in_kernel.ss, SEL_KDATA);
    CHECK("IF in the kernel", in_kernel.flags & FLAG_IF, 0);
    CHECK("RCX is the return address", in_kernel.rcx, after_syscall);
    CHECK("R11 has the user's IF", in_kernel.r11 & FLAG_IF, FLAG_IF);
    CHECK("user CS", user_cs, SEL_UCODE);
    CHECK("user SS", user_ss, SEL_UDATA);
    CHECK("IF in ring 3", user_flags & FLAG_IF, FLAG_IF);

    mark(2);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
    user_run(user_unprepared, 2);
    CHECK("without EFER.SCE it faults", fell, true);
    CHECK("with #UD", caught.vector, 6);
    printf("with EFER.SCE 0: #%s\n", caught.vector == 6 ? "UD" : "?");
    mark(3);
    return check_result();
}
