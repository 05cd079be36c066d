/*
 * uart-busy: writes a line to COM1 without asking whether the port has room.
 *
 *   run    vitrine run build/guests/silent/uart-busy.elf
 *          vitrine run --uart fast build/guests/silent/uart-busy.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov $message, %esi
    mov $0x3f8, %dx
1:  lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp 1b
2:  cli
    hlt
message:
    .asciz "kernel up\n"
