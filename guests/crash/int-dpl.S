/*
 * int-dpl: a system call through a gate that is not meant for programs.
 *
 *   run    vitrine run build/guests/crash/int-dpl.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x80                   /* DPL 0 */
    load_idt
    movl $stack_top, tss + 4
    movl $DATA, tss + 8
    load_tss
    to_ring3
user:
    int $0x80
