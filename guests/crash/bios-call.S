/*
 * bios-call: a protected-mode kernel wants to print by INT 10h.
 *
 *   run    vitrine run build/guests/crash/bios-call.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov $0x0e41, %eax           /* teletype, 'A' */
print:
    int $0x10
