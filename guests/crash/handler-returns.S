/*
 * handler-returns: a function of C is the handler of a fault: it ends with RET.
 *
 *   run    vitrine run build/guests/crash/handler-returns.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6
    mov $own_handler, %eax
    mov %ax, idt + 8 * 6
    shr $16, %eax
    mov %ax, idt + 8 * 6 + 6
    load_idt
    ud2
idle:
    hlt
    jmp idle

own_handler:
    push %ebp
    mov %esp, %ebp
    pop %ebp
    ret
