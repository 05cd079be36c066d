/*
 * frame: a boot sector stays in 16-bit code, but in protected mode, with an interrupt of its own.
 * It asks INT 20h for the sum of AX and BX.  (16 bits)
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov $1, %eax
    out %eax, $0xe0             /* MARK 1 */
    lgdt gdt_pointer
    lidt idt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $0x08, $protected
protected:
    mov $0x10, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    mov $40, %ax
    mov $2, %bx
ask:
    int $0x20
    cmp $42, %ax
    jne wrong
    mov $2, %eax
    out %eax, $0xe0             /* MARK 2 */
    xor %al, %al
    out %al, $0xf4              /* the end of the run */
wrong:
    jmp wrong

add:
    add %bx, %ax
return:
    iret

    .align 8
gdt:
    .quad 0
    .quad 0x00009a000000ffff    /* code of 16 bits, 64 KiB */
    .quad 0x000092000000ffff    /* data, 64 KiB            */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
idt:
    .skip 8 * 0x20
    .word add, 0x08             /* offset, selector        */
    .byte 0, 0x8e               /* present, interrupt gate */
    .word 0
idt_pointer:
    .word idt_pointer - idt - 1
    .long idt

    .org 510
    .word 0xaa55
