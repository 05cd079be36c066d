/*
 * cr3-linear: a kernel of the upper half loads CR3 with the address that it was linked to.
 *
 *   run    vitrine run build/guests/crash/cr3-linear.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    paging
    mov $page_directory + 0xc0000000, %eax
    mov %eax, %cr3
behind:
    nop
