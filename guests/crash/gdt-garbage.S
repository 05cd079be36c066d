/*
 * gdt-garbage: a GDT that is built anew, with the code segment in another place.
 *
 *   run    vitrine run build/guests/crash/gdt-garbage.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 6
    load_idt
    movl $0, gdt + 8            /* the descriptor that the gates name is gone */
    movl $0, gdt + 12
    ud2
