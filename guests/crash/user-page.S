/*
 * user-page: a program in ring 3 lies on a page that is the kernel's.
 *
 *   run    vitrine run build/guests/crash/user-page.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x30, 0xee
    load_idt
    paging
    load_tss
    movl $DATA, tss + 8
    movl $stack_top, tss + 4
    to_ring3
user:
    int $0x30
