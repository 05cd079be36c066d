/*
 * tiny/switch.S -- switch_stacks, the SYSCALL entry, and user-mode stubs.
 */
#include "lib/desc.inc"

    .text
#ifdef __x86_64__
/* void switch_stacks(ulong *save, ulong load) */
    .globl switch_stacks
switch_stacks:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* SYSCALL leaves the user's stack pointer in place, and RIP and RFLAGS in RCX
 * and R11: the kernel has to find its own stack.  One CPU: tss.sp[0] tells.
 * What an interrupt gate would push is pushed by hand; leaving by IRET is
 * slower than SYSRET and has none of its traps. */
    .globl syscall_entry
syscall_entry:
    mov %rsp, user_sp
    mov tss + 4, %rsp
    pushq $SEL_UDATA
    pushq user_sp
    push %r11
    pushq $SEL_UCODE
    push %rcx
    pushq $0                            /* error */
    pushq $0x80                         /* vector */
    mov %rdx, %rcx                      /* the second argument, as INT 0x80 has it */
    jmp trap_common

/* long syscall(ulong nr, ulong a, ulong b) */
    .globl syscall
syscall:
    push %rbx
    mov %rdi, %rax
    mov %rsi, %rbx
    syscall
    pop %rbx
    ret

/* long syscall_by_int(ulong nr, ulong a, ulong b) */
    .globl syscall_by_int
syscall_by_int:
    push %rbx
    mov %rdi, %rax
    mov %rsi, %rbx
    mov %rdx, %rcx
    int $0x80
    pop %rbx
    ret

    .bss
    .balign 8
user_sp:
    .skip 8

#else
    .globl switch_stacks
switch_stacks:
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    push %ebx
    push %ebp
    push %esi
    push %edi
    push $0                             /* six words, as in 64 bits */
    push $0
    mov %esp, (%eax)
    mov %edx, %esp
    add $8, %esp
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret

    .globl syscall, syscall_by_int
syscall:
syscall_by_int:
    push %ebx
    mov 8(%esp), %eax
    mov 12(%esp), %ebx
    mov 16(%esp), %ecx
    int $0x80
    pop %ebx
    ret
#endif

/* The start of a program: its function and argument come in registers, as the
 * new stack has no page to hold them. */
    .text
    .globl program_start
program_start:
#ifdef __x86_64__
    call *%rsi
    mov %rax, %rsi                      /* what it returned is its status */
    xor %edi, %edi                      /* SYS_exit */
    call syscall
#else
    push %eax
    call *%edx
    push $0
    push %eax
    push $0                             /* SYS_exit */
    call syscall
#endif
    hlt                                 /* not reached; in ring 3 it would trap */

    .section .note.GNU-stack, "", @progbits
