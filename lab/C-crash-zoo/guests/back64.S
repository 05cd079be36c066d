/*
 * back64: a scheduler starts a thread by IRET, with flags of its own: this one may use ports.
 * The scheduler was ported from 32 bits.  (64 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    load_idt
    long_mode
main64:
    mov $thread_stack, %esp     /* an address below 4 GiB: the upper half of RSP becomes 0 */
    pushq $0x3002               /* RFLAGS: IOPL 3, interrupts off */
    pushq $CODE64
    mov $thread, %eax
    push %rax                   /* RIP */
start_thread:
    iretq

thread:
    pushfq
    pop %rax
    and $0x3000, %eax
    cmp $0x3000, %eax
    jne wrong
    mov $canary, %ebx           /* what lies above the stack must still be whole */
    cmpq $0x600d, (%rbx)
    jne wrong
    done
wrong:
    jmp wrong

    .data
    .skip 512
thread_stack:
canary:
    .quad 0x600d, 0x600d, 0x600d, 0x600d
