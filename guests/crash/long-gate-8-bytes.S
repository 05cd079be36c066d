/*
 * long-gate-8-bytes: the IDT of a 32-bit kernel was taken along to long mode.
 *
 *   run    vitrine run build/guests/crash/long-gate-8-bytes.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0
    gate 1
    gate 2
    gate 3
    gate 4
    gate 5
    gate 6
    load_idt
    long_mode
long_main:
    ud2
