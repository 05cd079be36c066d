/*
 * fault-again: the page fault handler only returns.
 *
 *   run    vitrine run build/guests/silent/fault-again.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 14
    mov $on_page_fault, %eax
    mov %ax, idt + 8 * 14
    shr $16, %eax
    mov %ax, idt + 8 * 14 + 6
    load_idt
    paging
touch:
    mov 0x400000, %eax          /* not mapped */
    cli
    hlt
on_page_fault:
    add $4, %esp                /* the error code */
    iret
