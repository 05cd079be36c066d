/*
 * sysenter: a system call without looking anything up.
 *
 * INT reads a gate, a TSS and two descriptors.  SYSENTER takes CS, ESP and EIP
 * from three MSRs and makes up flat segments; nothing is pushed, so user code
 * must say in ECX and EDX where SYSEXIT shall return to.
 *
 *   run    vitrine run   build/guests/sysenter.elf
 *   watch  vitrine run   --stat build/guests/sysenter.elf     (WRMSR exits: the set-up only)
 *
 * MARK 1: calls.  MARK 2: not set up.  MARK 3: done.
 * See [SDM 2B "SYSENTER-Fast System Call"].
 */
#include "lib/guest.h"
#include "lib/desc.h"

enum { CALLS = 100 };

static char kernel_stack[4096] __attribute__((aligned(16)));
static struct { uint32_t cs, ss, flags, sp; } in_kernel;
static uint32_t sum, user_cs, user_ss, user_if, fell;

/* EAX, EBX: two numbers; their sum goes back in EAX. */
__asm__(".text\n"
        "sysenter_entry:\n"
        "    push %ecx; push %edx\n"
        "    push %eax; push %ebx\n"
        "    call add_in_kernel\n"
        "    add $8, %esp\n"
        "    pop %edx; pop %ecx\n"
        "    sti\n"                             /* SYSENTER cleared IF; this shows after SYSEXIT */
        "    sysexit\n"
        "sysenter_call:\n"                      /* uint32_t sysenter_call(uint32_t, uint32_t) */
        "    push %ebx\n"
        "    mov 8(%esp), %eax\n"
        "    mov 12(%esp), %ebx\n"
        "    mov %esp, %ecx\n"
        "    mov $1f, %edx\n"
        "    sysenter\n"
        "1:  pop %ebx\n"
        "    ret\n");
void sysenter_entry(void);
uint32_t sysenter_call(uint32_t a, uint32_t b);
uint32_t add_in_kernel(uint32_t b, uint32_t a);

uint32_t add_in_kernel(uint32_t b, uint32_t a)
{
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(in_kernel.cs), "=r"(in_kernel.ss));
    in_kernel.flags = flags_read();
    in_kernel.sp = (uint32_t)&a - (uint32_t)kernel_stack;
    return a + b;
}

static void user_calls(void)
{
    for (uint32_t i = 0; i < CALLS; i++)
        sum += sysenter_call(i, 1000);
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(user_cs), "=r"(user_ss));
    user_if = flags_read() & FLAG_IF;
    user_exit();
}

static void user_unprepared(void)
{
    fell = TRY("sysenter", : : : "memory", "eax", "ecx", "edx");
    user_exit();
}

int main(void)
{
    if (!(cpuid(1).edx & 1 << 11))
        die("this CPU has no SYSENTER");
    pic_init();                         /* all masked: IF may be on in ring 3 */
    wrmsr(MSR_SYSENTER_CS, SEL_KCODE);
    wrmsr(MSR_SYSENTER_ESP, (uint32_t)kernel_stack + sizeof(kernel_stack));
    wrmsr(MSR_SYSENTER_EIP, (uint32_t)sysenter_entry);
    mark(1);
    user_run(user_calls, 2 | FLAG_IF);
    printf("%d calls, sum %u\n", CALLS, sum);
    printf("kernel: CS %x, SS %x, IF %d; user: CS %x, SS %x, IF %d\n", in_kernel.cs, in_kernel.ss,
           (in_kernel.flags & FLAG_IF) != 0, user_cs, user_ss, user_if != 0);
    CHECK("sum", sum, CALLS * 1000 + CALLS * (CALLS - 1) / 2);
    CHECK("kernel CS", in_kernel.cs, SEL_KCODE);
    CHECK("kernel SS", in_kernel.ss, SEL_KDATA);
    CHECK("IF in the kernel", in_kernel.flags & FLAG_IF, 0);
    check(in_kernel.sp < sizeof(kernel_stack), "the stack", in_kernel.sp, sizeof(kernel_stack));
    CHECK("user CS", user_cs, SEL_UCODE);
    CHECK("user SS", user_ss, SEL_UDATA);
    CHECK("IF in ring 3", user_if, FLAG_IF);

    mark(2);
    wrmsr(MSR_SYSENTER_CS, 0);
    user_run(user_unprepared, 2);
    CHECK("without a CS it faults", fell, true);
    CHECK("with #GP", caught.vector, 13);
    CHECK("and 0", caught.error, 0);
    printf("with the CS MSR 0: #GP(%lx)\n", caught.error);
    mark(3);
    return check_result();
}
