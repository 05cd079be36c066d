/*
 * polls-key: waits for a key, and what is typed goes to the serial line.
 *
 *   run    vitrine run build/guests/silent/polls-key.elf
 *          vitrine run --keyboard build/guests/silent/polls-key.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    in $0x64, %al
    test $1, %al
    jz kmain
    in $0x60, %al
    cli
    hlt
