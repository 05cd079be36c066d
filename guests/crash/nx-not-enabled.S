/*
 * nx-not-enabled: a page table entry has NX set, and EFER.NXE is 0.
 *
 *   run    vitrine run build/guests/crash/nx-not-enabled.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    long_mode
long_main:
    mov $page_tables + 0x1008, %eax
    movl $0x200083, (%rax)      /* the next 2 MiB, ... */
    movl $0x80000000, 4(%rax)   /* ... bit 63: no code there */
    mov $0x200000, %eax
    mov (%rax), %ebx
