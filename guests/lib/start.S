/*
 * lib/start.S -- the first instructions of a guest.
 *
 * A Multiboot loader (Vitrine, QEMU -kernel, GRUB) enters in flat 32-bit
 * protected mode without paging: EAX = 0x2BADB002, EBX = the information
 * structure.  A 64-bit guest builds an identity map of 4 GiB with 2 MiB pages
 * and climbs from there into long mode; longmode.S explains that slowly.
 *
 * _start64 is for the plain ELF64 file, whose loader did all this already.
 */
    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002                    /* Multiboot 1 "The layout of Multiboot header" */
    .long 3                             /* page-align modules, tell the memory size */
    .long -(0x1badb002 + 3)

    .text
#ifndef __x86_64__
    .globl _start
_start:
    mov $stack_top, %esp
    push $0                             /* flags a loader may have left */
    popf
    cld
    push %ebx
    push %eax
    call guest_start

#else
    .code32
    .globl _start
_start:
    mov $stack_top, %esp
    mov %eax, %esi                      /* keep what the loader said */
    mov %ebx, %ebp
    mov $pml4, %edi
    movl $pdpt + 3, (%edi)              /* present, writable */
    mov $pdpt, %edi
    movl $pd + 0x0003, 0(%edi)
    movl $pd + 0x1003, 8(%edi)
    movl $pd + 0x2003, 16(%edi)
    movl $pd + 0x3003, 24(%edi)
    mov $pd, %edi
    mov $0x83, %eax                     /* a 2 MiB page, present, writable */
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b                              /* until 4 GiB */

    mov %cr4, %eax
    or $0x20, %eax                      /* PAE */
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER */
    rdmsr
    or $0x100, %eax                     /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax                /* PG, PE: long mode is active ... */
    mov %eax, %cr0
    lgdt gdt64_ptr
    ljmp $8, $1f                        /* ... and this is 64-bit code */
    .code64
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %esi, %edi                      /* the first two arguments */
    mov %ebp, %esi
    jmp begin

    .globl _start64
_start64:
    xor %edi, %edi                      /* nobody left any information */
    xor %esi, %esi
begin:
    lea stack_top, %rsp
    pushq $0
    popfq
    cld
    call guest_start

    .data
    .balign 8
gdt64:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt64_ptr:
    .word . - gdt64 - 1
    .long gdt64

    .bss
    .balign 4096
    .globl pml4
pml4:
    .skip 4096
pdpt:
    .skip 4096
pd:
    .skip 4 * 4096
#endif

    .bss
    .balign 16
stack:
    .skip 32768
    .globl stack_top
stack_top:

    .section .note.GNU-stack, "", @progbits
