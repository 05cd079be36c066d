/*
 * divide-no-idt: a division by zero before interrupts were set up.
 *
 *   run    vitrine run build/guests/crash/divide-no-idt.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov $7, %eax
    xor %edx, %edx
    xor %ecx, %ecx
    div %ecx
