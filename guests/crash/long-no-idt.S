/*
 * long-no-idt: the way to long mode is right, and then a pointer is not.
 *
 *   run    vitrine run build/guests/crash/long-no-idt.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    long_mode
long_main:
    mov $0x40000000, %eax       /* 1 GiB: not mapped */
    mov (%rax), %rbx
