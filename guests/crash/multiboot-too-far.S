/*
 * multiboot-too-far: the header lies behind the first 8 KiB of the file, where no loader looks.
 *
 *   run    vitrine run build/guests/crash/multiboot-too-far.elf
 */
    .text
    .code32
    .globl _start
_start:
    cmp $0x2badb002, %eax       /* what a loader that has seen the header says */
    je kmain
panic:
    cli
    hlt
    jmp panic
kmain:
    mov $stack_top, %esp
    movl $0x07410742, 0xb8000
halt:
    hlt
    jmp halt

    .data
tables:                         /* large, and linked before the header */
    .skip 12 * 1024, 1
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .bss
    .skip 4096
stack_top:
