/*
 * roundtrip: a boot sector goes to protected mode, to reach all of memory, and comes back to real
 * mode, to print by the BIOS.  (16 bits)
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
    mov $1, %eax
    out %eax, $0xe0             /* MARK 1 */

    lgdt gdt_pointer
    lidt no_idt                 /* no interrupts while there is no handler for them */
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $0x08, $protected
protected:
    mov $0x10, %ax
    mov %ax, %es
    mov $0x200000, %edi         /* the third megabyte */
    movl $0x600d, %es:(%edi)

    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0, $real
real:
    xor %ax, %ax
    mov %ax, %es
    mov $'A', %al
    mov $0x0e, %ah              /* print a character, as in a terminal */
    xor %bx, %bx
print:
    int $0x10

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
    .quad 0x00009a000000ffff    /* code of 16 bits, 64 KiB */
    .quad 0x00cf92000000ffff    /* data, 4 GiB */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
no_idt:
    .word 0
    .long 0

    .org 510
    .word 0xaa55
