/*
 * boot-too-long: a boot sector goes on behind its 512 bytes, which nobody has read.
 *
 *   run    vitrine run build/guests/crash/boot-too-long.bin
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $protected

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

    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    movl $0x07410742, 0xb8000
halt:
    hlt
    jmp halt
    .org 1024
