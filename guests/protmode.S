/*
 * protmode: from real mode to protected mode, step by step.
 *
 * Four things make protected mode: a table of segments (GDT), the register
 * that points to it, the bit PE in CR0, and a far jump, since the code segment
 * still is a real-mode one until something loads it.  Then a segment is no
 * longer a number times 16 but an entry of the table: a base, a limit, rights.
 *
 *   run    vitrine run   build/guests/protmode.elf
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/protmode.elf
 *
 * MARK 1: in real mode.  MARK 2: PE set, not jumped yet.  MARK 3: 32-bit.
 * MARK 4: a segment with a base.  MARK 5: a 16-bit segment, still protected.
 * See [SDM 3A "Switching to Protected Mode"].
 */
#include "lib/real.inc"

    .text
    .code32
    .globl main
main:
    jmp enter_real                      /* lib/real.S: a loader left us in protected mode */

    .section .low, "awx"
    .code16
    SAY_FUNCTION

    .globl real_main
real_main:
    MARK 1
    SAY "real mode: CS is a number times 16"
    cli                                 /* no interrupt table for the new mode yet */
    lgdt gdt_ptr
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0                      /* protected; CS still has its old hidden part */
    MARK 2                              /* so this runs as 16-bit code */
    ljmpl $0x08, $protected             /* loads CS from the table */

    .code32
protected:
    MARK 3
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x7000, %esp
    mov $in_protected, %esi
    call say32
    mov %cs, %eax
    cmp $8, %eax
    jne wrong

    MARK 4
    mov $0x18, %eax                     /* base 0x30000, limit 0xfff */
    mov %eax, %fs
    movl $0x600df00d, %fs:0x123         /* lands at 0x30123 */
    cmpl $0x600df00d, 0x30123
    jne wrong
    lsl %eax, %ecx                      /* the limit, as the CPU will check it */
    jnz wrong
    cmp $0xfff, %ecx
    jne wrong
    mov $has_base, %esi
    call say32

    MARK 5
    ljmp $0x20, $small                  /* 16-bit code is a property of the segment */
    .code16
small:
    mov $0xffff, %ax                    /* the same bytes add 32 bits in segment 8 */
    inc %ax
    mov $0x10, %eax
    SAY "protected mode, 16-bit segment"
    mov %cr0, %eax
    test $1, %al
    EXPECT nz, "PE is off"
    EXIT 0

    .code32
say32:
    cld
1:  lodsb
    test %al, %al
    jz 2f
    out %al, $PORT_DEBUGCON
    jmp 1b
2:  ret
wrong:
    mov $is_wrong, %esi
    call say32
    EXIT 1

in_protected:
    .asciz "protected mode: CS is an entry of a table\n"
has_base:
    .asciz "fs:0x123 is 0x30123, limit 0xfff\n"
is_wrong:
    .asciz "WRONG\n"

/*   63      56 55  52 51  48 47      40 39             16 15          0
 *   base 31:24  G D L  lim    P DPL S type   base 23:0     limit 15:0    */
    .balign 8
gdt:
    .quad 0                             /* 0x00: no segment                          */
    .quad 0x00cf9b000000ffff            /* 0x08: code, base 0, 4 GiB, 32-bit         */
    .quad 0x00cf93000000ffff            /* 0x10: data, base 0, 4 GiB                 */
    .quad 0x0040930300000fff            /* 0x18: data, base 0x30000, limit 0xfff     */
    .quad 0x00009b000000ffff            /* 0x20: code, base 0, 64 KiB, 16-bit        */
gdt_ptr:
    .word . - gdt - 1
    .long gdt

    .section .note.GNU-stack, "", @progbits
