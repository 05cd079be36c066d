/*
 * task-gate-no-tss: double faults have a task of their own, but its TSS was forgotten.
 *
 *   run    vitrine run build/guests/crash/task-gate-no-tss.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 8, type=0x85, selector=0x38
    load_idt
    xor %ecx, %ecx
    div %ecx                    /* #DE has no gate, so it becomes #DF */
