/*
 * loop-no-eoi: waits for the timer's handler to count to 100.  It counts to 1.
 *
 *   run    vitrine run build/guests/silent/loop-no-eoi.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20
    mov $on_timer, %eax         /* `gate` knows only one handler: this one lies beside it */
    mov %ax, idt + 8 * 0x20
    shr $16, %eax
    mov %ax, idt + 8 * 0x20 + 6
    load_idt
    pic unmasked=0xfe           /* IRQ 0 */
    mov $0x34, %al              /* the timer: every 65536 ticks */
    out %al, $0x43
    xor %al, %al
    out %al, $0x40
    out %al, $0x40
    sti
wait_for_ticks:
    mov ticks, %eax
    cmp $100, %eax
    jb wait_for_ticks
    cli
    hlt
on_timer:
    incl ticks                  /* where is  mov $0x20, %al; out %al, $0x20 ? */
    iret
    .data
ticks:
    .long 0
