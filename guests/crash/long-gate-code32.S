/*
 * long-gate-code32: the selector in a gate of long mode is still that of 32-bit code.
 *
 *   run    vitrine run build/guests/crash/long-gate-code32.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate64 6, selector=CODE
    load_idt limit=256*16-1
    long_mode
long_main:
    ud2
