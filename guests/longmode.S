/*
 * longmode: from 32 to 64 bits, and a look back.
 *
 * Long mode cannot be had without paging: the CPU wants four levels of tables,
 * CR4.PAE, EFER.LME, and only when CR0.PG goes on does it become active (it
 * sets EFER.LMA itself).  Even then the code is 32-bit, "compatibility mode",
 * until a far jump loads a code segment with the L bit.  The guest goes up,
 * steps back into compatibility mode and up again, and at last leaves long
 * mode the way it came.
 *
 *   run    vitrine run   build/guests/longmode.elf
 *   watch  vitrine run   --trace - --trace-kinds MODE,MARK build/guests/longmode.elf
 *
 * MARK 1: 32-bit.  MARK 2: long mode active, compatibility mode.  MARK 3:
 * 64-bit.  MARK 4: compatibility.  MARK 5: left.
 * See [SDM 3A "Initializing IA-32e Mode"].
 */
#include "base/abi.h"
#define EFER 0xc0000080

.macro MARK n
    mov $\n, %eax
    out %eax, $PORT_MARK
.endm
.macro SAY text                         /* 32- and 64-bit code alike */
    mov $9f, %esi
    call 7f
    jmp 8f
9:  .asciz "\text\n"
7:  lodsb
    test %al, %al
    jz 6f
    out %al, $PORT_DEBUGCON
    jmp 7b
6:  ret
8:
.endm

    .text
    .code32
    .globl main
main:
    MARK 1
    SAY "32-bit protected mode"
    lgdt gdt_ptr

    /* The smallest map there is: entry 0 of each level, then a 2 MiB page. */
    movl $table3 + 3, table4            /* PML4 entry: present, writable   */
    movl $table2 + 3, table3            /* page-directory-pointer entry    */
    movl $0x83, table2                  /* 2 MiB page at 0: we live there  */

    mov %cr4, %eax
    or $0x20, %eax                      /* PAE */
    mov %eax, %cr4
    mov $table4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    test $0x500, %eax
    jnz wrong32                         /* neither LME nor LMA yet */
    or $0x100, %eax                     /* LME: enabled ... */
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0                      /* PG: ... and active */
    MARK 2
    mov $EFER, %ecx
    rdmsr
    test $0x400, %eax                   /* LMA, set by the CPU */
    jz wrong32
    mov $1, %eax                        /* 48 ff c0 is  dec %eax; inc %eax  here */
    .byte 0x48, 0xff, 0xc0              /* ... and      inc %rax  in 64-bit mode */
    cmp $1, %eax
    jne wrong32
    SAY "long mode is active, compatibility mode"

    ljmp $0x08, $in_64                  /* the L bit of this segment counts */
    .code64
in_64:
    MARK 3
    mov $1, %eax
    .byte 0x48, 0xff, 0xc0
    cmp $2, %eax
    jne wrong64
    mov $0x123456789abcdef0, %r15       /* sixteen registers of 64 bits */
    lea (%r15, %r15), %rax
    mov $0x2468acf13579bde0, %rbx
    cmp %rbx, %rax
    jne wrong64
    mov $0xffffffff, %eax               /* writing 32 bits clears the upper half */
    inc %eax
    test %rax, %rax
    jnz wrong64
    mov $-1, %rax
    mov $0, %ax                         /* writing 16 does not */
    cmp $-65536, %rax
    jne wrong64
    lea in_64(%rip), %rbx               /* addresses relative to RIP are new, too */
    mov $in_64, %ecx
    cmp %rcx, %rbx
    jne wrong64
    SAY "64-bit mode"

    pushq $0x18                         /* a far return into the 32-bit segment */
    mov $in_compatibility, %eax
    push %rax
    lretq
    .code32
in_compatibility:
    MARK 4
    mov $1, %eax
    .byte 0x48, 0xff, 0xc0
    cmp $1, %eax
    jne wrong32
    SAY "compatibility mode"

    mov %cr0, %eax                      /* leaving: PG off ... */
    and $0x7fffffff, %eax
    mov %eax, %cr0
    MARK 5
    mov $EFER, %ecx
    rdmsr
    test $0x400, %eax                   /* ... and the CPU clears LMA */
    jnz wrong32
    and $~0x100, %eax
    wrmsr
    mov %cr4, %eax
    and $~0x20, %eax
    mov %eax, %cr4
    SAY "32-bit protected mode again"
    xor %eax, %eax
    ret                                 /* main returns 0 */

wrong32:
    SAY "WRONG, in 32-bit code"
    mov $1, %al
    out %al, $PORT_EXIT
    .code64
wrong64:
    SAY "WRONG, in 64-bit code"
    mov $1, %al
    out %al, $PORT_EXIT

    .data
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 0x08: code, L: 64-bit        */
    .quad 0x00cf93000000ffff            /* 0x10: data, where the segments already point */
    .quad 0x00cf9b000000ffff            /* 0x18: code, D: 32-bit        */
gdt_ptr:
    .word . - gdt - 1
    .long gdt

    .bss
    .balign 4096
table4:
    .skip 4096
table3:
    .skip 4096
table2:
    .skip 4096

    .section .note.GNU-stack, "", @progbits
