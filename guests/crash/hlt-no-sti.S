/*
 * hlt-no-sti: a kernel waits for the timer with interrupts off.
 *
 *   run    vitrine run build/guests/crash/hlt-no-sti.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20
    load_idt
    remap_pic 0xfe              /* IRQ 0 is vector 0x20, all others are masked */
    start_timer
wait:
    hlt
    jmp wait
