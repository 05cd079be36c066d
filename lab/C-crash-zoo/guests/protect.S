/*
 * protect: a boot sector goes to protected mode.  (16 and 32 bits)
 */
    .code16
    .text
    .globl _start
_start:
    cli
    mov $1, %eax
    out %eax, $0xe0             /* MARK 1 */
    mov $0x7c0, %ax             /* we were loaded at 7C00h */
    mov %ax, %ds
    xor %ax, %ax
    mov %ax, %ss
    mov $0x7c00, %sp

    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
jump:
    ljmp $0x08, $protected

    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x9000, %esp
store:
    movl $0x600d, 0x9000
    mov $2, %eax
    out %eax, $0xe0             /* MARK 2 */
    xor %al, %al
    out %al, $0xf4              /* the end of the run */
idle:
    hlt
    jmp idle

    .align 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff    /* code, 4 GiB */
    .quad 0x00cf92000000ffff    /* data, 4 GiB */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .org 510
    .word 0xaa55
