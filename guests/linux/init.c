/*
 * guests/linux/init.c -- the first and only program of a Linux without a disk.
 *
 * Linux finds it as /init in the initial RAM disk that tests/linux packs, and
 * makes it process 1.  It has no C library: each request to the kernel is a
 * SYSCALL.  It looks at what a kernel must have right by then -- a console, a
 * file system, floating point across a context switch, processes, the timer --
 * prints a line of each, and ends the machine by the port at which our other
 * guests do, for which it asks Linux's leave (ioperm).
 *
 * [Linux "man 2 syscall"; AMD64 ABI "Linux Conventions"]
 */
#include "base/abi.h"

enum { SYS_write = 1, SYS_ioctl = 16, SYS_nanosleep = 35, SYS_getpid = 39, SYS_fork = 57,
       SYS_exit = 60, SYS_wait4 = 61, SYS_uname = 63, SYS_mkdir = 83, SYS_rmdir = 84, SYS_ioperm = 173 };
enum { TCSBRK = 0x5409 };       /* with 1: wait until the terminal has sent everything */

static long linux_call(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile ("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                      : "rcx", "r11", "memory");
    return result;
}

static void print(const char *text)
{
    long n = 0;

    while (text[n])
        n++;
    linux_call(SYS_write, 1, (long)text, n, 0);
}

static void print_number(const char *before, long value, const char *after)
{
    char digits[24], *at = digits + sizeof digits;

    *--at = 0;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    print(before);
    print(at);
    print(after);
}

static void die(long status)
{
    linux_call(SYS_ioctl, 1, TCSBRK, 1, 0);
    linux_call(SYS_ioperm, PORT_EXIT, 1, 1, 0);
    __asm__ volatile ("outb %b0, %w1" :: "a"(status), "Nd"(PORT_EXIT));
    linux_call(SYS_exit, status, 0, 0, 0);
}

/* Newton's method. */
static double square_root(double of)
{
    double x = of;

    for (int i = 0; i < 40; i++)
        x = (x + of / x) / 2;
    return x;
}

static void test_file_system(void)
{
    static const char name[] = "/tmp-of-init";

    print_number("init: mkdir says ", linux_call(SYS_mkdir, (long)name, 0700, 0, 0), ", ");
    print_number("again -", -linux_call(SYS_mkdir, (long)name, 0700, 0, 0), ", ");
    print_number("rmdir ", linux_call(SYS_rmdir, (long)name, 0, 0, 0), "\n");
}

/* A child with another number in its registers runs while we wait. */
static void test_processes(void)
{
    double mine = square_root(2);
    int status = -1;
    long child = linux_call(SYS_fork, 0, 0, 0, 0);

    if (!child)
        linux_call(SYS_exit, (long)(square_root(3) * 100) % 256, 0, 0, 0);
    linux_call(SYS_wait4, child, (long)&status, 0, 0);
    print_number("init: the child ended with ", status >> 8 & 0xff, ", ");
    print_number("and a million times the root of 2 is ", (long)(mine * 1000000), "\n");
}

static void test_timer(void)
{
    long thirty_ms[2] = { 0, 30000000 };

    print_number("init: slept, ", linux_call(SYS_nanosleep, (long)thirty_ms, 0, 0, 0), "\n");
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
    static char names[6][65];                   /* struct utsname */

    linux_call(SYS_uname, (long)names, 0, 0, 0);
    print("init: hello from ");
    print(names[0]);
    print_number(" as process ", linux_call(SYS_getpid, 0, 0, 0, 0), "\n");
    test_file_system();
    test_processes();
    test_timer();
    print("init: that is all\n");
    die(42);
}
