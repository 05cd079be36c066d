/*
 * read-sector-0: a boot sector reads its kernel from sector 0 (they begin with 1), and does not look at CF.
 *
 *   run    vitrine run build/guests/crash/read-sector-0.bin
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    mov $0x0201, %ax            /* read 1 sector */
    mov $0x0000, %cx            /* cylinder 0, sector 0 */
    mov $0x00, %dh
    mov $0x1000, %bx
    int $0x13
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $0x1000

    .align 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .org 510
    .word 0xaa55
