/*
 * long-code-in-32: long mode is on, and the far jump leads to the 32-bit code segment.
 *
 *   run    vitrine run build/guests/crash/long-code-in-32.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    ljmp $CODE, $1f
1:  long_mode_on
    ljmp $CODE, $long_main
    .code64
long_main:
    movabs $0xffffffff80000000, %rax
    mov (%rax), %rbx
