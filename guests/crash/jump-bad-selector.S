/*
 * jump-bad-selector: a boot sector goes to protected mode and jumps by a selector that its GDT does not have.
 *
 *   run    vitrine run build/guests/crash/jump-bad-selector.bin
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
far_jump:
    ljmp $0x18, $protected      /* the code segment is 0x08 */

    .code32
protected:
    hlt
    jmp protected

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
