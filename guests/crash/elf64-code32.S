/*
 * elf64-code32: an ELF file of 64 bits, without a Multiboot header, whose entry is 32-bit code.
 *
 *   run    vitrine run build/guests/crash/elf64-code32.elf
 */
    .text
    .code32
    .globl _start
_start:
    cli
    lgdt gdt_pointer
far_jump:
    ljmp $0x08, $1f
1:  mov $0x10, %eax
    mov %eax, %ds
    movl $0x07410742, 0xb8000
halt:
    hlt
    jmp halt

    .data
    .align 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .quad gdt
