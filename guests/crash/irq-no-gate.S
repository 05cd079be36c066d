/*
 * irq-no-gate: the PIC is told other vectors, the timer runs, and its vector has no gate.
 *
 *   run    vitrine run build/guests/crash/irq-no-gate.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    load_idt
    remap_pic 0xfe              /* IRQ 0 is vector 0x20, all others are masked */
    start_timer
    sti
idle:
    hlt
    jmp idle
