/*
 * handler-beyond: the kernel code segment ends at 1 MiB, where the kernel begins.
 *
 *   run    vitrine run build/guests/crash/handler-beyond.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6
    load_idt
    movl $0x0009ffff, gdt + 8   /* limit FFFF pages would do; now without G: 64 KiB */
    movl $0x00409a00, gdt + 12
    ud2
