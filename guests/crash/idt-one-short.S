/*
 * idt-one-short: the IDT ends with the gate for #UD, and its limit was counted by hand.
 *
 *   run    vitrine run build/guests/crash/idt-one-short.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6
    load_idt limit=7*8-2        /* a limit is the size minus 1 */
    ud2
