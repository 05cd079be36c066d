/*
 * error-code-left: the handler of #GP returns as if there were no error code.
 *
 *   run    vitrine run build/guests/crash/error-code-left.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 13
    mov $own_handler, %eax
    mov %ax, idt + 8 * 13
    shr $16, %eax
    mov %ax, idt + 8 * 13 + 6
    load_idt
    mov $0x50, %eax             /* no such selector */
    mov %eax, %fs
idle:
    hlt
    jmp idle

own_handler:
    pusha
    popa
    iret
