/*
 * lib/real.S -- from flat 32-bit protected mode down to real mode.
 *
 * enter_real never returns: it moves the section .low to where it was linked,
 * below 64 KiB, and jumps to real_main there, in real mode, with all segments
 * 0, a stack at 0:0x7000 and interrupts off.  The guest provides real_main, in
 * .low and in .code16.
 */
    .text
    .code32
    .globl enter_real
enter_real:
    cli
    cld
    mov $low_load, %esi
    mov $low_start, %edi
    mov $low_end, %ecx
    sub %edi, %ecx
    rep movsb
    lgdt real_gdt_ptr
    lidt real_idt_ptr                   /* the vector table of real mode: at 0, 4 bytes each */
    ljmp $8, $1f                        /* a 16-bit code segment: mode 16, but protected */

    .section .low, "awx"
    .code16
1:  mov $0x10, %ax                      /* limits of 64 KiB, for they will stay */
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov %cr0, %eax
    and $0xfffffffe, %eax               /* PE off */
    mov %eax, %cr0
    ljmp $0, $2f                        /* CS gets a real-mode value */
2:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov $0x7000, %sp
    jmp real_main

    .balign 8
real_gdt:
    .quad 0
    .quad 0x00009b000000ffff            /* code, base 0, limit 64 KiB, 16-bit */
    .quad 0x000093000000ffff            /* data, the same */
real_gdt_ptr:
    .word . - real_gdt - 1
    .long real_gdt
real_idt_ptr:
    .word 0x3ff
    .long 0

    .section .note.GNU-stack, "", @progbits
