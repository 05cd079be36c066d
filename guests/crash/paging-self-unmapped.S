/*
 * paging-self-unmapped: paging is switched on with tables that map only the upper half.
 *
 *   run    vitrine run build/guests/crash/paging-self-unmapped.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 14
    load_idt
    movl $0x83, page_directory + 4 * 768        /* 3 GiB, not 0 */
    mov %cr4, %eax
    or $0x10, %eax
    mov %eax, %cr4
    mov $page_directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
behind:
    nop
