/*
 * stack-unmapped: there is a handler for page faults, but where does it push?
 *
 *   run    vitrine run build/guests/crash/stack-unmapped.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 14
    load_idt
    paging
    mov $0x800000, %esp         /* 8 MiB: not mapped */
    mov 0xdeadb000, %eax
