/*
 * door: a user program asks the kernel for the square of a number.  (32 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    movl $stack_top, tss + 4    /* the kernel's stack: ESP0, SS0 */
    movl $DATA, tss + 8
    load_tss
    gate 0x80, service
    load_idt
    to_ring3 program, user_stack

/* EAX: the number; 0: the program has ended. */
service:
    test %eax, %eax
    jz ended
    imul %eax, %eax
    iret
ended:
    done

program:
    mov $5, %eax
ask:
    int $0x80
    sub $25, %eax
    jnz wrong
leave:
    int $0x80
wrong:
    jmp wrong
