/*
 * null-call: a function pointer is 0, and paging is off.
 *
 *   run    vitrine run build/guests/crash/null-call.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    xor %eax, %eax
call:
    call *%eax
