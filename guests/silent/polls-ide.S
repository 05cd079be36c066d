/*
 * polls-ide: waits for a disk that is not there to be ready.
 *
 *   run    vitrine run build/guests/silent/polls-ide.elf          (Ctrl-C ends it)
 *          vitrine run --strict build/guests/silent/polls-ide.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    mov $0x1f7, %dx
wait_for_disk:
    in %dx, %al
    test $0x80, %al             /* BSY, which an empty bus reads as 1, too */
    jnz wait_for_disk
1:  cli
    hlt
