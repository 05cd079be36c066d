/*
 * long-ist-zero: the gate names stack IST 1, and the TSS does not have it.
 *
 *   run    vitrine run build/guests/crash/long-ist-zero.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate64 6, ist=1
    load_idt limit=256*16-1
    load_tss                    /* in 32-bit mode: all zeros, and that is long enough */
    long_mode
long_main:
    ud2
