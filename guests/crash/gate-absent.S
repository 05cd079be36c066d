/*
 * gate-absent: the gate is filled in, all but one bit.
 *
 *   run    vitrine run build/guests/crash/gate-absent.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6, type=0x0e
    load_idt
    ud2
