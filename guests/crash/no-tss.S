/*
 * no-tss: ring 3 was reached by IRET, and nobody thought of the way back.
 *
 *   run    vitrine run build/guests/crash/no-tss.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20, type=0x8e
    gate 13
    load_idt
    to_ring3
user:
    cli                         /* not allowed here */
