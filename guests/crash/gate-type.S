/*
 * gate-type: a gate has 16 types to choose from, and this one is a call gate.
 *
 *   run    vitrine run build/guests/crash/gate-type.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6, type=0x8c
    load_idt
    ud2
