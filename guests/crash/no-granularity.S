/*
 * no-granularity: the GDT has limits of 0xfffff bytes instead of pages.
 *
 *   run    vitrine run build/guests/crash/no-granularity.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    lgdt small_pointer
    mov $DATA, %eax
    mov %eax, %ds
store:
    mov %eax, tss

    .data
    .align 8
small:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x004f92000000ffff    /* flags 4, not c */
small_pointer:
    .word small_pointer - small - 1
    .long small
