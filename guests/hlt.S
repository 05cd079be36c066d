/*
 * hlt: the CPU stops and something outside has to wake it.
 *
 * HLT is where a hypervisor earns its keep: the guest says that it has nothing
 * to do, and the monitor may run somebody else until an interrupt is due.  The
 * timer is set to fire once; HLT waits; the handler does nothing but return,
 * and execution goes on behind the HLT.  Three times, each wait longer.
 *
 *   run    vitrine run   build/guests/hlt.elf
 *   watch  vitrine run   --stat build/guests/hlt.elf     (exit reason HLT: 3)
 *
 * MARK 1, 2, 3: about to wait for the nth time.  MARK 4: done.
 */
#include "base/abi.h"

    .text
    .globl main
main:
    push %ebx
    call pic_init
    push $on_timer
    push $0x20                  /* IRQ 0 arrives at vector 0x20 */
    call trap_set
    push $0
    call pic_unmask
    add $12, %esp

    mov $1, %ebx
again:
    mov %ebx, %eax
    out %eax, $PORT_MARK
    imul $1193, %ebx, %eax      /* 1193 ticks of the PIT are 1 ms */
    push %eax
    call pit_one_shot
    pop %eax
    sti                         /* takes effect after the next instruction, so */
    hlt                         /* the interrupt cannot slip in between */
    cli
    cmp %ebx, woken             /* woken as often as we slept? */
    jne wrong
    inc %ebx
    cmp $4, %ebx
    jne again

    mov $4, %eax
    out %eax, $PORT_MARK
    xor %eax, %eax              /* main returns 0: the exit status */
    pop %ebx
    ret
wrong:
    mov $1, %eax
    pop %ebx
    ret

on_timer:                       /* called by trap() for vector 0x20 */
    incl woken
    push $0
    call pic_eoi
    pop %eax
    ret

    .data
woken:
    .long 0
    .section .note.GNU-stack, "", @progbits
