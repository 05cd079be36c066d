/*
 * polls-apic: sends an interrupt to another processor, and waits until it is sent.
 *
 *   run    vitrine run build/guests/silent/polls-apic.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $0x000c4500, 0xfee00300    /* INIT to all others */
wait_sent:
    mov 0xfee00300, %eax
    test $0x1000, %eax              /* delivery status */
    jnz wait_sent
    cli
    hlt
