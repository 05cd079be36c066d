/*
 * screen-only: prints, but on the VGA screen.
 *
 *   run    vitrine run build/guests/silent/screen-only.elf
 *          vitrine run --screen-dump - build/guests/silent/screen-only.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    movl $0x07690748, 0xb8000   /* "Hi" */
    cli
    hlt
