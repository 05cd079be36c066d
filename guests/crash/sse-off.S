/*
 * sse-off: an SSE instruction without CR4.OSFXSR.
 *
 *   run    vitrine run build/guests/crash/sse-off.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    xorps %xmm0, %xmm0
