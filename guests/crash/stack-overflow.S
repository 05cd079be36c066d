/*
 * stack-overflow: a function calls itself for ever, and the page below its stack is not mapped.
 *
 *   run    vitrine run build/guests/crash/stack-overflow.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 14
    load_idt
    paging
    movl $page_tables + 3, page_directory + 4   /* 4 MiB: one page, for the stack */
    movl $stack_page + 3, page_tables + 4 * 2   /* at 0x402000 */
    mov $0x403000, %esp
overflow:
    call overflow

    .bss
    .align 4096
stack_page:
    .skip 4096
