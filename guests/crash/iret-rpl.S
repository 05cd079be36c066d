/*
 * iret-rpl: the way to ring 3 has selectors without RPL 3.
 *
 *   run    vitrine run build/guests/crash/iret-rpl.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    load_tss
    mov %esp, %eax
    pushl $USER_DATA - 3
    push %eax
    pushl $0x2
    pushl $USER_CODE - 3
    pushl $user
to_user:
    iret
user:
    nop
