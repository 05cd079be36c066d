/*
 * table-not-aligned: a page table lies at an address that is no multiple of 4096.
 *
 *   run    vitrine run build/guests/crash/table-not-aligned.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov $page_tables + 0x800, %edi
    lea 3(%edi), %eax
    mov %eax, page_directory    /* present, writable */
    mov $3, %eax
    mov $1024, %ecx
1:  stosl
    add $0x1000, %eax
    loop 1b
    mov $page_directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
behind:
    nop
