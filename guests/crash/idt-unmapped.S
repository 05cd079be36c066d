/*
 * idt-unmapped: an IDT whose address was a physical one.
 *
 *   run    vitrine run build/guests/crash/idt-unmapped.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 3
    movl $0x40000000, idt_pointer + 2           /* 1 GiB */
    load_idt
    paging
    int3
