/*
 * no-pae: long mode without CR4.PAE.
 *
 *   run    vitrine run build/guests/crash/no-pae.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $page_tables + 3, page_directory
    mov $page_directory, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx       /* EFER */
    rdmsr
    or $0x100, %eax             /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax
enable:
    mov %eax, %cr0
