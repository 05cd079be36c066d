/*
 * disk: what a BIOS's disk service leaves alone, and what it says when it fails.
 *
 * A diskette of a few sectors.  The boot sector goes to "unreal mode": it loads DS in protected
 * mode with a limit of 4 GiB and returns, and the limit stays, hidden in the CPU.  Loaders do so
 * to put a kernel above 1 MiB; each read from the disk must leave that limit as it is.
 *
 *   run    vitrine run   build/guests/disk.bin
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/disk.bin
 *
 * MARK 1: unreal mode.  MARK 2: errors.  MARK 3: block moves.  MARK 4: tables and modes.
 * See Ralf Brown's Interrupt List; src/vm/bios_disk.inc is the other side.
 */
#include "lib/real.inc"

    .text
    .code16
    .globl _start
_start:
    ljmp $0, $1f
1:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    mov $0x0207, %ax                    /* the rest of us: 7 sectors from the second on */
    mov $0x0002, %cx
    xor %dh, %dh
    mov $second, %bx
    int $0x13
    EXPECT nc, "INT 13h cannot read"
    jmp second

    SAY_FUNCTION
drive:
    .byte 0
    .balign 8
gdt:
    .quad 0, 0x00cf93000000ffff         /* 08: data, 4 GiB */
gdt_ptr:
    .word . - gdt - 1
    .long gdt
    .balign 4
packet:                                 /* 7 sectors from 4 GiB on */
    .byte 16, 0
    .word 7, 0x6000, 0
    .quad 0x7fffff

    .org 510
    .byte 0x55, 0xaa

second:
    MARK 1
    cli
    lgdt gdt_ptr
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $8, %bx
    mov %bx, %ds
    and $0xfe, %al
    mov %eax, %cr0
    xor %bx, %bx
    mov %bx, %ds
    sti
    mov $0x0201, %ax                    /* a read in between */
    mov $0x0001, %cx
    mov drive, %dl
    xor %dh, %dh
    mov $0x6000, %bx
    int $0x13
    EXPECT nc, "INT 13h cannot read again"
    mov $0x300000, %esi                 /* with a limit of 64 KiB: a general protection fault */
    movl $0x12345678, (%esi)
    cmpl $0x12345678, %ds:(%esi)
    EXPECT e, "memory above 1 MiB does not hold"
    SAY "a disk read leaves unreal mode alone"

    MARK 2
    mov $0x0201, %ax                    /* a diskette has no sector 60 */
    mov $60, %cx
    mov drive, %dl
    xor %dh, %dh
    mov $0x6000, %bx
    int $0x13
    EXPECT c, "read sector 60 of a track"
    mov %ah, %bl
    mov $0x01, %ah
    int $0x13
    EXPECT c, "INT 13h AH=01h forgets that the last operation failed"
    cmp %ah, %bl
    EXPECT e, "INT 13h AH=01h forgets how"
    mov $0x0201, %ax                    /* DMA counts to the end of 64 KiB */
    mov $0x0001, %cx
    mov drive, %dl
    xor %dh, %dh
    mov $0xff00, %bx
    int $0x13
    EXPECT c, "a diskette's DMA went past 64 KiB"
    cmp $0x09, %ah
    EXPECT e, "a DMA past 64 KiB is error 09h"
    jmp third

third:
    mov $0x41, %ah                      /* by number, if this BIOS can do that with a diskette */
    mov $0x55aa, %bx
    mov drive, %dl
    int $0x13
    jc 1f
    mov $packet, %si
    mov $0x42, %ah
    int $0x13
    EXPECT c, "read beyond the end of the disk"
    cmpw $0, packet + 2
    EXPECT e, "sectors were counted that were not read"
1:  SAY "errors are told"

    MARK 3
    push %ds
    pop %es
    movl $0x200000, %eax                /* five words up, */
    mov %eax, to + 2
    mov $0x93, %al
    mov %al, to + 5
    mov $moves, %si
    mov $5, %cx
    mov $0x87, %ah
    int $0x15
    EXPECT nc, "INT 15h AH=87h cannot move a block up"
    movl $0x93200000, from + 2
    movl $0x93006000, to + 2
    movl $0x55555555, 0x6008
    mov $moves, %si
    mov $5, %cx                         /* and down */
    mov $0x87, %ah
    int $0x15
    EXPECT nc, "INT 15h AH=87h cannot move a block down"
    mov $0x6000, %si
    mov $0x7c00, %di
    mov $5, %cx
    cld
    repe cmpsw
    EXPECT e, "a block that was moved up and down is another one"
    cmpw $0x5555, 0x600a
    EXPECT e, "more than five words were moved"
    SAY "five words went above 1 MiB and came back"
    jmp fourth
    .balign 8
moves:
    .quad 0, 0
from:
    .quad 0x000093007c00ffff
to:
    .quad 0x000093000000ffff
    .quad 0, 0

fourth:
    MARK 4
    les 0x78, %di                       /* vector 1Eh is no handler but points to a table */
    cmpb $18, %es:4(%di)
    EXPECT e, "INT 1Eh does not point to the table of a diskette"
    mov $0x0013, %ax
    int $0x10
    mov $0x0f, %ah
    int $0x10
    cmp $0x13, %al
    mov $0x0003, %ax
    int $0x10
    EXPECT e, "mode 13h was not set"
    SAY "a table and a mode"
    EXIT 0
    .org 4096
    .section .note.GNU-stack, "", @progbits
