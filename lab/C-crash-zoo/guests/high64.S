/*
 * high64: a kernel of 64 bits keeps its data in the last 2 GiB of the address space, where gcc
 * expects it (-mcmodel=kernel).  (64 bits)
 */
    .include "zoo.inc"

    .set PAGE, 0x400000         /* where the page is in memory */

    kernel
kmain:
    mark 1
    load_idt
    movl $page_table + (PRESENT | WRITABLE), page_directory + 511 * 8
    movl $spare_table + (PRESENT | WRITABLE), page_table + 510 * 8
    movl $PAGE + (PRESENT | WRITABLE | LARGE), spare_table      /* at FFFFFFFF80000000h */
    long_mode
main64:
    mov $0x80000000, %ebx       /* the lowest address of the last 2 GiB */
store:
    movq $0x600d, 8(%rbx)
load:
    cmpq $0x600d, 8(%rbx)
    jne wrong
    sar $31, %rbx               /* of an address up there the upper 33 bits are 1 */
    cmp $-1, %rbx
    jne wrong
    done
wrong:
    jmp wrong
