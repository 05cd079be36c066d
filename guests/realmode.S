/*
 * realmode: the machine as the 8086 left it, and one crack in the wall.
 *
 * Real mode: an address is segment * 16 + offset, there is no protection, and
 * interrupts go through a table of far pointers at address 0.  The guest shows
 * each of these.  Then "unreal mode": the CPU keeps base and limit of a segment
 * in a hidden part that only a load in protected mode can give a 4 GiB limit;
 * back in real mode the limit stays, and a 16-bit program reaches all memory.
 *
 *   run    vitrine run   build/guests/realmode.elf
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/realmode.elf
 *
 * MARK 1: segments.  MARK 2: an interrupt.  MARK 3: above 1 MiB.  MARK 4: unreal.
 * See [SDM 3A "8086 Emulation"], "Real-Address Mode".
 */
#include "lib/real.inc"

    .text
    .code32
    .globl main
main:
    jmp enter_real                      /* lib/real.S; it comes back at real_main */

    .section .low, "awx"
    .code16
    SAY_FUNCTION

    .globl real_main
real_main:
    mov %cr0, %eax
    test $1, %al
    EXPECT z, "PE is on"
    SAY "in real mode"

    MARK 1                              /* many names for one byte */
    mov $0x1000, %ax
    mov %ax, %es
    movw $0x1234, %es:0x0010
    mov $0x1001, %ax
    mov %ax, %fs
    cmpw $0x1234, %fs:0x0000
    EXPECT e, "1000:0010 is not 1001:0000"
    mov $0x0fff, %ax
    mov %ax, %gs
    cmpw $0x1234, %gs:0x0020
    EXPECT e, "1000:0010 is not 0fff:0020"
    SAY "1000:0010 = 1001:0000 = 0fff:0020"

    MARK 2                              /* vector 0x60: the word pair at 0x180 */
    xor %ax, %ax
    mov %ax, %es
    movw $on_int60, %es:0x180
    movw $0, %es:0x182
    mov $41, %cx
    mov %sp, %bx
    int $0x60
    cmp $42, %cx
    EXPECT e, "INT 0x60 did not arrive"
    cmp %bx, %sp
    EXPECT e, "IRET left something on the stack"
    SAY "INT 0x60 and back"

    MARK 3                              /* ffff:0010 is 1 MiB, if line A20 is on */
    mov $0xffff, %ax
    mov %ax, %es
    cmpl $0x1badb002, %es:0x0010        /* our own Multiboot header is there */
    EXPECT e, "ffff:0010 is not 1 MiB"
    mov $0x10, %si                      /* a 16-bit offset wraps, an address does not */
    mov $0xfffe, %bx
    mov %cs:12(%bx, %si), %ax           /* fffe + 10 + c = 1001a, cut to 001a */
    cmp %cs:0x001a, %ax
    EXPECT e, "an offset went beyond 64 KiB"
    SAY "ffff:0010 is 1 MiB, offsets wrap"

    MARK 4
    lgdt unreal_gdt_ptr
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0                      /* protected, for two instructions */
    mov $8, %bx
    mov %bx, %gs                        /* the hidden limit becomes 4 GiB */
    and $0xfe, %al
    mov %eax, %cr0
    xor %ax, %ax
    mov %ax, %gs                        /* base 0 again; the limit is not touched */
    mov $0x100000, %ebx
    cmpl $0x1badb002, %gs:(%ebx)        /* a 32-bit offset in 16-bit code */
    EXPECT e, "GS does not reach 1 MiB"
    mov $0x10, %ax
    mov %ax, %gs                        /* base 0x100, the limit still 4 GiB */
    cmpl $0x1badb002, %gs:-0x100(%ebx)
    EXPECT e, "GS lost its limit"
    SAY "unreal: 16-bit code reads at 1 MiB"
    EXIT 0

on_int60:                               /* on the stack: IP, CS, FLAGS */
    inc %cx
    iret

    .balign 8
unreal_gdt:
    .quad 0
    .quad 0x00cf93000000ffff            /* data, base 0, limit 4 GiB */
unreal_gdt_ptr:
    .word . - unreal_gdt - 1
    .long unreal_gdt

    .section .note.GNU-stack, "", @progbits
