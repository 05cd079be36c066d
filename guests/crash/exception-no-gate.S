/*
 * exception-no-gate: interrupts have handlers, exceptions were left for later.
 *
 *   run    vitrine run build/guests/crash/exception-no-gate.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20
    gate 0x21
    load_idt
    movw $0x1230, %ax
    mov %ax, %fs                /* no such segment */
