/*
 * null-call: a function pointer is 0, and paging is off.
 *
 *   run    vitrine run build/guests/crash/null-call.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movw $0x0b0f, 0             /* UD2: what lies there is the BIOS's business */
    xor %eax, %eax
call:
    call *%eax
