/*
 * irq-in-stack-switch: an interrupt comes while the kernel is between two stacks.
 *
 *   run    vitrine run build/guests/crash/irq-in-stack-switch.elf
 */
#include "crash/crash.inc"

    kernel
kmain:
    gate 0x20
    mov $own_handler, %eax
    mov %ax, idt + 8 * 0x20
    shr $16, %eax
    mov %ax, idt + 8 * 0x20 + 6
    load_idt
    paging
    remap_pic 0xfe              /* IRQ 0 is vector 0x20, all others are masked */
    start_timer
    sti
again:
    mov %esp, %ebx
    xor %esp, %esp              /* "nobody needs it for a moment" */
    mov $1000, %ecx
1:  loop 1b
    mov %ebx, %esp
    jmp again

own_handler:
    push %eax
    mov $0x20, %al              /* EOI */
    out %al, $0x20
    pop %eax
    iret
