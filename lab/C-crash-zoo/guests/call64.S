/*
 * call64: a kernel of 64 bits has a system call at vector 80h.  (64 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    gate64 0x80, service
    movw $256 * 8 - 1, idt_pointer      /* 256 gates */
    load_idt
    long_mode
main64:
    mov $6, %edi
ask:
    int $0x80
    cmp $42, %rax
    jne wrong
    done
wrong:
    jmp wrong

/* RAX = 7 * RDI */
service:
    imul $7, %rdi, %rax
    iretq
