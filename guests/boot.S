/*
 * boot: a machine of 512 bytes.
 *
 * The BIOS reads the first sector of the disk to 0:0x7c00, checks that it ends
 * in 55 AA, and jumps there in real mode: that is the whole agreement.  This
 * sector speaks, switches to protected mode, speaks again, and ends.
 *
 *   run    vitrine run   build/guests/boot.bin
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/boot.bin
 *
 * MARK 1: real mode.  MARK 2: protected mode.
 */
#include "lib/real.inc"

    .text
    .code16
    .globl _start
_start:
    ljmp $0, $1f                        /* some BIOSes come with 07c0:0000 */
1:  cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp                    /* the stack grows down from the code */
    MARK 1
    SAY "a boot sector, in real mode"
    cmpw $0xaa55, 0x7dfe
    EXPECT e, "no 55 AA at 0x7dfe"
    lgdt gdt_ptr
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $8, $2f
    .code32
2:  mov $0x10, %eax
    mov %eax, %ds
    MARK 2
    mov $message, %esi
3:  lodsb
    test %al, %al
    jz 4f
    out %al, $PORT_DEBUGCON
    jmp 3b
4:  EXIT 0

    .code16
    SAY_FUNCTION

message:
    .asciz "the same sector, in protected mode\n"
    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_ptr:
    .word . - gdt - 1
    .long gdt

    .org 510
    .byte 0x55, 0xaa
    .section .note.GNU-stack, "", @progbits
