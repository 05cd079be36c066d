/*
 * tss-ss0-null: a program in ring 3 calls the kernel, whose TSS has ESP0 but not SS0.
 *
 *   run    vitrine run build/guests/crash/tss-ss0-null.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x30, type=0xee        /* DPL 3: programs may use it */
    load_idt
    movl $stack_top, tss + 4    /* ESP0; SS0, behind it, is forgotten */
    load_tss
    to_ring3
user:
    int $0x30
