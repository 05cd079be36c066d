/*
 * lgdt-16-bit: LGDT with a 16-bit operand takes 24 bits of the address.
 *
 *   run    vitrine run build/guests/crash/lgdt-16-bit.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $0x83, page_directory + 4 * 0x300      /* 0xc0000000 is 0 */
    paging
    mov $upper + 0xc0000000, %eax
    jmp *%eax
upper:
    lgdtw gdt_pointer_upper
    movl $0, page_directory + 4 * 0
    mov %cr3, %eax
    mov %eax, %cr3
    mov $DATA, %eax
reload:
    mov %eax, %es

    .data
gdt_pointer_upper:
    .word gdt_end - gdt - 1
    .long gdt + 0xc0000000
