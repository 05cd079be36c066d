/*
 * bench/native/native.c -- what a guest gets from init.c, as a program of the host.
 * No C library: the 32-bit programs must link where there is no multilib.
 */
#include "lib/guest.h"

static uint32_t rounds_given;

static long system_call(long nr, long a, const void *b, long c)
{
    long r;
#ifdef __x86_64__
    __asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
#endif
    return r;
}

void outb(uint16_t port, uint8_t v)
{
    if (port == PORT_DEBUGCON)
        system_call(sizeof(long) == 8 ? 1 : 4, 1, &v, 1);       /* write */
}

uint32_t option_number(const char *key, uint32_t otherwise)
{
    return strcmp(key, "rounds=") == 0 && rounds_given ? rounds_given : otherwise;
}

void guest_exit(int status)
{
    for (;;)
        system_call(sizeof(long) == 8 ? 60 : 1, status, NULL, 0);
}

/* argc and argv are on the stack.  [System V ABI "Process Initialization"] */
void native_start(const long *stack);
void native_start(const long *stack)
{
    const char *arg = stack[0] > 1 ? (const char *)stack[2] : "";

    for (; *arg >= '0' && *arg <= '9'; arg++)
        rounds_given = rounds_given * 10 + (uint32_t)(*arg - '0');
    guest_exit(main());
}

__asm__(".globl _start\n_start:\n"
#ifdef __x86_64__
        "mov %rsp, %rdi\n and $-16, %rsp\n call native_start"
#else
        "mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call native_start"
#endif
);
