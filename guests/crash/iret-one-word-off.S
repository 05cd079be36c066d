/*
 * iret-one-word-off: the handler pushes a register that it does not pop.
 *
 *   run    vitrine run build/guests/crash/iret-one-word-off.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x30
    mov $own_handler, %eax
    mov %ax, idt + 8 * 0x30
    shr $16, %eax
    mov %ax, idt + 8 * 0x30 + 6
    load_idt
    int $0x30
idle:
    hlt
    jmp idle

own_handler:
    push %eax
    iret
