/*
 * ring: a user program counts, and the timer interrupts it.  (32 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    gate 0x20, tick
    load_idt
    paging
    movl $DATA, tss + 8         /* the kernel's stack segment: SS0 */
    load_tss
    timer
    pics 0xfe                   /* the timer's line and no other */
    to_ring3 program, user_stack

program:
    xor %eax, %eax
count:
    inc %eax
    jmp count

/* EAX is the program's; the frame says that the program was interrupted. */
tick:
    test %eax, %eax
    jz wrong
    cmpl $USER_CODE, 4(%esp)
    jne wrong
    mov $0x20, %al              /* end of interrupt */
    out %al, $0x20
    done
wrong:
    jmp wrong
