/*
 * loop-cli: the end of many first kernels, and of many panics.
 *
 *   run    vitrine run build/guests/silent/loop-cli.elf           (Ctrl-C ends it)
 */
#include "crash/crash.inc"

    kernel
kmain:
    cli
forever:
    jmp forever
