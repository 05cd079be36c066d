/*
 * threads: two threads that give the CPU to each other.  (32 bits)
 *
 * A thread that does not run has its registers on its own stack; its stack pointer is in
 * thread_esp.  A new thread gets a stack that looks as if it had called switch_to once.
 */
    .include "zoo.inc"

    .set WORKER, 4              /* its offset in thread_esp; kmain's is 0 */

    kernel
kmain:
    mark 1
    load_idt
    paging
    call make_worker
    mov $0, %eax
    mov $WORKER, %edx
    call switch_to
back:
    cmpl $0x600d, work
    jne wrong
    done
wrong:
    jmp wrong

worker:
    movl $0x600d, work
    mov $WORKER, %eax
    mov $0, %edx
    call switch_to
    jmp wrong

/* The worker's stack: where to begin, and the registers that switch_to takes off it. */
make_worker:
    mov $worker_stack, %eax
    sub $4, %eax
    movl $worker, (%eax)
    .rept 3
    sub $4, %eax
    movl $0, (%eax)
    .endr
    mov %eax, thread_esp + WORKER
    ret

/* From the thread whose offset is in EAX to that in EDX. */
switch_to:
    push %ebx
    push %esi
    push %edi
    push %ebp
    mov %esp, thread_esp(%eax)
    mov thread_esp(%edx), %esp
    pop %ebp
    pop %edi
    pop %esi
    pop %ebx
leave:
    ret

    .data
thread_esp:
    .long 0, 0
work:
    .long 0

    .bss
    .skip 1024
worker_stack:
    .skip 64                    /* a little room behind it */
