/*
 * uart-no-out2: waits for COM1 to say by an interrupt that it can send.  None comes.
 *
 *   run    vitrine run build/guests/silent/uart-no-out2.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x24
    load_idt
    pic unmasked=0xef           /* IRQ 4 */
    mov $0x3f9, %dx
    mov $0x02, %al              /* IER: interrupt when THR is empty, and it is */
    out %al, %dx
    sti
1:  hlt
    jmp 1b
