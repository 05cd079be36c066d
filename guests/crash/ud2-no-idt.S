/*
 * ud2-no-idt: the first panic() of a kernel that has no IDT yet.  Who handles #UD?
 *
 *   run    vitrine run build/guests/crash/ud2-no-idt.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    ud2
