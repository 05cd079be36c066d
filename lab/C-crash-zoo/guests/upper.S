/*
 * upper: a kernel moves to the upper gigabyte, and leaves the lower ones to its programs.  (32 bits)
 *
 * Section .upper runs 3 GiB higher than it is loaded; what was loaded low is there, too, at its
 * address plus UPPER.
 */
    .include "zoo.inc"

    .set UPPER, 0xc0000000

    kernel
kmain:
    mark 1
    gate 14, fault
    movl $PRESENT | WRITABLE | LARGE, page_directory            /* the first 4 MiB: as they are */
    movl $PRESENT | WRITABLE | LARGE, page_directory + 768 * 4  /* and at UPPER */
    mov %cr4, %eax
    or $0x10, %eax              /* CR4.PSE: pages of 4 MiB */
    mov %eax, %cr4
    mov $page_directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    mov $moved, %eax
    jmp *%eax

    .section .upper, "ax"
moved:
    addl $UPPER, gdt_pointer + 2        /* the tables, too, are needed at their upper addresses */
    lgdt gdt_pointer
    addl $UPPER, idt_pointer + 2
    lidt idt_pointer
    movl $0, page_directory + UPPER     /* the lower part is for programs */
    mov %cr3, %eax
    mov %eax, %cr3
first_call:
    call greet
    cmpl $0, page_directory + UPPER     /* is it? */
    jne wrong
    done
wrong:
    jmp wrong

greet:
    movb $'U', UPPER + 0xb8000
    ret

fault:
    jmp fault
