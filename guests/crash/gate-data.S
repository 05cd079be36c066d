/*
 * gate-data: the selectors of code and data were mixed up in the gates.
 *
 *   run    vitrine run build/guests/crash/gate-data.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6, selector=DATA
    load_idt
    ud2
