/*
 * irq-not-remapped: interrupts are let in before the PICs were told which vectors to use.
 *
 *   run    vitrine run build/guests/crash/irq-not-remapped.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    load_idt
    mov $0x11, %al              /* as a BIOS leaves it: IRQ 0 is vector 8 */
    out %al, $0x20
    mov $0x08, %al
    out %al, $0x21
    mov $0x04, %al
    out %al, $0x21
    mov $0x01, %al
    out %al, $0x21
    mov $0xfe, %al
    out %al, $0x21
    mov $0x34, %al              /* the timer: every 65536 ticks */
    out %al, $0x43
    xor %al, %al
    out %al, $0x40
    out %al, $0x40
    sti
idle:
    hlt
    jmp idle
