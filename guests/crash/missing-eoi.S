/*
 * missing-eoi: the handler of the timer never tells the PIC that it is done.
 *
 *   run    vitrine run build/guests/crash/missing-eoi.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20
    mov $own_handler, %eax
    mov %ax, idt + 8 * 0x20
    shr $16, %eax
    mov %ax, idt + 8 * 0x20 + 6
    load_idt
    remap_pic 0xfe              /* IRQ 0 is vector 0x20, all others are masked */
    start_timer
    sti
idle:
    hlt
    incl ticks
    cmpl $3, ticks
    jb idle
    ud2                         /* never reached */

own_handler:
    iret

    .bss
ticks:
    .skip 4
