/*
 * stack-not-aligned: MOVAPS to a stack that is not aligned to 16 bytes.
 *
 *   run    vitrine run build/guests/crash/stack-not-aligned.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov %cr4, %eax
    or $0x600, %eax             /* OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    call function
idle:
    hlt
    jmp idle

function:                       /* counts on ESP being 12 modulo 16 here */
    push %ebp
    mov %esp, %ebp
    sub $20, %esp
store:
    movaps %xmm0, (%esp)
    leave
    ret
