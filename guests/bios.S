/*
 * bios: what firmware does for a boot sector.
 *
 * A boot sector has 510 bytes and knows nothing of the machine's chips.  What
 * lies between is the BIOS, called by software interrupts: the number of the
 * interrupt is the service, AH the function.  This disk reads its own second
 * sector by cylinder, head and sector, its third by number, asks for memory,
 * waits for the clock and looks at what it printed.
 *
 *   run    vitrine run   build/guests/bios.bin
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/bios.bin     (INT 13h copies through protected mode)
 *
 * MARK 1: disk.  MARK 2: memory.  MARK 3: time.  MARK 4: screen and keyboard.
 * See Ralf Brown's Interrupt List; src/vm/bios.S is the other side.
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
    mov %dl, drive                      /* the drive we came from */

    MARK 1
    mov $0x0201, %ax                    /* read 1 sector: cylinder 0, head 0, sector 2 */
    mov $0x0002, %cx
    xor %dh, %dh
    mov $second, %bx
    int $0x13
    EXPECT nc, "INT 13h cannot read"
    jmp second

    SAY_FUNCTION
drive:
    .byte 0
    .balign 4
packet:                                 /* two sectors from number 2 on, to 0:third */
    .byte 16, 0
    .word 2, third, 0
    .quad 2

    .org 510
    .byte 0x55, 0xaa

second:
    SAY "the second sector, by cylinder, head and sector"
    mov drive, %dl
    mov $packet, %si
    mov $0x42, %ah
    int $0x13
    EXPECT nc, "INT 13h cannot read by number"
    jmp third
    .org 1024
third:
    SAY "the rest, by number"
    movl $0x7fffff, packet + 8          /* 4 GiB away */
    mov drive, %dl
    mov $packet, %si
    mov $0x42, %ah
    int $0x13
    EXPECT c, "read beyond the end of the disk"

    MARK 2
    int $0x12
    cmp $639, %ax
    EXPECT e, "INT 12h is not 639 KiB"
    xor %ebx, %ebx                      /* a walk over the memory map, for the row at 1 MiB */
1:  mov $0xe820, %eax
    mov $0x534d4150, %edx
    mov $20, %ecx
    mov $0x6000, %di
    int $0x15
    EXPECT nc, "the memory map ends early"
    cmpl $0x100000, 0x6000
    je 2f
    test %ebx, %ebx
    EXPECT nz, "no memory at 1 MiB"
    jmp 1b
2:  cmpl $1, 0x6010
    EXPECT e, "memory at 1 MiB is not usable"
    SAY "639 KiB below, more at 1 MiB"

    MARK 3
    sti
    mov 0x46c, %ebx                     /* IRQ 0 counts here, 18.2 times a second */
3:  hlt
    cmp 0x46c, %ebx
    je 3b
    SAY "the clock ticks"

    MARK 4
    mov $0x0003, %ax                    /* text mode, cleared */
    int $0x10
    mov $0x02, %ah                      /* cursor to row 24, column 79 */
    xor %bh, %bh
    mov $0x184f, %dx
    int $0x10
    mov $0x0a23, %ax                    /* one '#' there */
    mov $1, %cx
    int $0x10
    mov $0x0601, %ax                    /* the whole screen up one row */
    mov $0x07, %bh
    xor %cx, %cx
    int $0x10
    mov $0x03, %ah
    xor %bh, %bh
    int $0x10
    cmp $0x184f, %dx
    EXPECT e, "the cursor is not where it was put"
    mov $0xb800, %ax
    mov %ax, %es
    cmpw $0x0723, %es:(23 * 160 + 79 * 2)
    EXPECT e, "the character did not scroll up"
    cmpb $' ', %es:(24 * 160 + 79 * 2)
    EXPECT e, "the last row is not blank"
    SAY "a character scrolled away"
    mov $0x01, %ah
    int $0x16
    EXPECT z, "a key nobody pressed"
    EXIT 0
    .org 2048
    .section .note.GNU-stack, "", @progbits
