/*
 * hdboot: a boot sector on a hard disk, and the disk service that it finds there.
 *
 * The drive is 80h; the BIOS behind INT 13h drives the ATA disk by its ports.  What is written by
 * cylinder, head and sector must be read by number, and the other way round.
 *
 *   run    cp build/guests/hdboot.bin disk.img; truncate -s 2M disk.img; vitrine run --disk disk.img
 *   watch  vitrine run   --trace - --trace-kinds DISK_READ,DISK_WRITE,MARK --disk disk.img
 *
 * MARK 1: reads.  MARK 2: writes.  MARK 3: what the disk is.  MARK 4: errors.
 * See Ralf Brown's Interrupt List; src/vm/bios_ata.inc is the other side.
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
    mov $0x0207, %ax                    /* the rest of us: 7 sectors from the second on */
    mov $0x0002, %cx
    mov $0x0080, %dx
    mov $second, %bx
    int $0x13
    EXPECT nc, "INT 13h cannot read"
    jmp second

    SAY_FUNCTION

    .balign 4
packet:                                 /* 2 sectors from number 40 to 0:6000 */
    .byte 16, 0
    .word 2, 0x6000, 0
    .quad 40

    .org 510
    .byte 0x55, 0xaa

second:
    MARK 1
    mov $0x42, %ah
    call with_packet
    EXPECT nc, "INT 13h AH=42h cannot read"
    cmpl $0, 0x6000
    EXPECT e, "sector 40 is not empty"
    SAY "a hard disk is read"

    MARK 2
    mov $0x0301, %ax                    /* sector 40 is the 41st of the first track */
    mov $41, %cx
    mov $pattern, %bx
    call at_head_0
    EXPECT nc, "INT 13h AH=03h cannot write"
    movl $pattern + 512, packet + 4
    movl $41, packet + 8
    movw $1, packet + 2
    mov $0x4300, %ax
    call with_packet
    EXPECT nc, "INT 13h AH=43h cannot write"
    movl $0x6000, packet + 4
    movl $40, packet + 8
    movw $2, packet + 2
    mov $0x42, %ah
    call with_packet
    EXPECT nc, "they cannot be read again"
    mov $pattern, %si
    mov $0x6000, %di
    mov $512, %cx
    repe cmpsw
    EXPECT e, "by number it is not what was written"
    mov $0x0202, %ax
    mov $41, %cx
    mov $0x6800, %bx
    call at_head_0
    mov $pattern, %si
    mov $0x6800, %di
    mov $512, %cx
    repe cmpsw
    EXPECT e, "by head and sector it is not what was written"
    mov $0x0402, %ax
    mov $41, %cx
    call at_head_0
    EXPECT nc, "INT 13h AH=04h cannot verify"
    SAY "what is written is read again"

    MARK 3
    mov $0x08, %ah
    mov $0x80, %dl
    int $0x13
    EXPECT nc, "INT 13h AH=08h does not say what the disk is"
    cmp $1, %dl
    EXPECT e, "one disk is not counted as one"
    and $0x3f, %cl
    cmp $63, %cl
    EXPECT e, "there are not 63 sectors to a track"
    push %ds
    pop %es
    mov $0x15, %ah
    mov $0x80, %dl
    int $0x13
    EXPECT nc, "INT 13h AH=15h does not say how large the disk is"
    cmp $3, %ah
    EXPECT e, "INT 13h AH=15h does not call it a hard disk"
    mov $0x41, %ah
    mov $0x55aa, %bx
    mov $0x80, %dl
    int $0x13
    EXPECT nc, "there is no packet access"
    mov $0x48, %ah
    mov $0x80, %dl
    mov $parameters, %si
    int $0x13
    EXPECT nc, "INT 13h AH=48h does not say how large the disk is"
    cmpw $512, parameters + 24
    EXPECT e, "a sector has not 512 bytes"
    SAY "the disk says what it is"

    MARK 4
    mov parameters + 16, %eax           /* one sector behind the end */
    mov %eax, packet + 8
    movw $1, packet + 2
    mov $0x42, %ah
    call with_packet
    EXPECT c, "read beyond the end of the disk"
    decl packet + 8
    mov $0x42, %ah
    call with_packet
    EXPECT nc, "the last sector cannot be read"
    mov $0x0201, %ax
    mov $64, %cx                        /* sector 0 of cylinder 100h */
    mov $0x6000, %bx
    call at_head_0
    EXPECT c, "there is a sector 0"
    mov $0x0201, %ax
    mov $1, %cx
    mov $0x00ff, %dx
    int $0x13
    EXPECT c, "there is a drive FFh"
    SAY "errors are told"
    EXIT 0

with_packet:
    mov $packet, %si
    mov $0x80, %dl
    int $0x13
    ret
at_head_0:
    mov $0x0080, %dx
    int $0x13
    ret

    .balign 4
parameters:
    .word 26
    .fill 24, 1, 0
pattern:
    n = 1
    .rept 512
    .word n * 40503
    n = n + 1
    .endr
    .org 0x1000
