/*
 * long-no-idt: the way to long mode is right, and then a pointer is not.
 *
 *   run    vitrine run build/guests/crash/long-no-idt.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $page_tables + 3, page_directory       /* as PML4: one PDPT, ... */
    movl $page_tables + 0x1003, page_tables     /* ... one page directory, ... */
    movl $0x83, page_tables + 0x1000            /* ... one page of 2 MiB */
    mov %cr4, %eax
    or $0x20, %eax              /* CR4.PAE */
    mov %eax, %cr4
    mov $page_directory, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx       /* EFER */
    rdmsr
    or $0x100, %eax             /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    ljmp $CODE64, $long_main
    .code64
long_main:
    mov $0x40000000, %eax       /* 1 GiB: not mapped */
    mov (%rax), %rbx
