/*
 * no-far-jump: a boot sector sets CR0.PE and goes on without a far jump.
 *
 *   run    vitrine run build/guests/crash/no-far-jump.bin
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0

    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov $0x90000, %esp
    lidt gdt_pointer            /* an address of 32 bits */
    movl $0x07410742, 0xb8000
halt:
    hlt
    jmp halt

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
