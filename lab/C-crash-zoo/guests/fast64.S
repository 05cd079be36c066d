/*
 * fast64: a program of 64 bits calls its kernel by SYSCALL.  (64 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    load_idt
    long_mode
main64:
    mov $0xc0000081, %ecx       /* STAR: selectors for SYSCALL and for SYSRET */
    xor %eax, %eax
    mov $CODE64 | (USER_CODE64 - 16) << 16, %edx
    wrmsr
    mov $0xc0000082, %ecx       /* LSTAR: where SYSCALL goes */
    mov $entry, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000084, %ecx       /* FMASK: flags that SYSCALL clears: IF */
    mov $0x200, %eax
    xor %edx, %edx
    wrmsr

    pushq $USER_DATA            /* SS, RSP, RFLAGS, CS and RIP of the program */
    mov $user_stack, %eax
    push %rax
    pushq $2
    pushq $USER_CODE64
    mov $program, %eax
    push %rax
    iretq

program:
    mov $21, %edi
ask:
    syscall
answered:
    jmp answered

/* RCX has the program's RIP, R11 its flags. */
entry:
    cmp $21, %edi
    jne wrong
    done
wrong:
    jmp wrong
