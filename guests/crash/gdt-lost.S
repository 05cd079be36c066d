/*
 * gdt-lost: after paging the GDT is where nothing is mapped any more.
 *
 *   run    vitrine run build/guests/crash/gdt-lost.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $0x83, page_directory + 4 * 0x300      /* 0xc0000000 is 0 ... */
    paging
    mov $upper + 0xc0000000, %eax
    jmp *%eax
upper:
    movl $0, page_directory                     /* ... and 0 is nothing */
    mov %cr3, %eax
    mov %eax, %cr3
    mov $DATA, %eax
reload:
    mov %eax, %es
