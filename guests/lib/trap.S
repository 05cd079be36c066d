/*
 * lib/trap.S -- from the interrupt gate to trap() in desc.c, and user_run().
 *
 * The CPU pushes an error code for some exceptions and none for the others; a
 * stub for each vector makes the frames alike (struct frame in desc.h).
 */
#include "lib/desc.inc"

/* For debuggers: the interrupted code is trap_common's caller.  Its frame ends behind
 * what the CPU pushed. */
    .cfi_sections .debug_frame
    .text
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    push $0
    .endif
    push $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .balign 16
    .globl trap_common
#ifdef __x86_64__
trap_common:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 56
    .cfi_offset %rip, -40
    .cfi_offset %rsp, -16
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    .cfi_def_cfa_offset 176
    .cfi_offset %rax, -64
    .cfi_offset %rbx, -72
    .cfi_offset %rcx, -80
    .cfi_offset %rdx, -88
    .cfi_offset %rsi, -96
    .cfi_offset %rdi, -104
    .cfi_offset %rbp, -112
    .cfi_offset %r8, -120
    .cfi_offset %r9, -128
    .cfi_offset %r10, -136
    .cfi_offset %r11, -144
    .cfi_offset %r12, -152
    .cfi_offset %r13, -160
    .cfi_offset %r14, -168
    .cfi_offset %r15, -176
    cld
    mov %rsp, %rdi
    call trap                           /* 22 words pushed: the stack is aligned */
    .globl trap_return
trap_return:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp                       /* vector, error */
    iretq
    .cfi_endproc

/* void user_run(void (*fn)(void), ulong flags) */
    .globl user_run
user_run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, user_back
    pushq $SEL_UDATA
    pushq $user_stack_top - 8
    push %rsi
    pushq $SEL_UCODE
    push %rdi
    mov $SEL_UDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    iretq

    .globl user_exit_entry
user_exit_entry:                        /* INT USER_EXIT out of ring 3 */
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov user_back, %rsp
    cld
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

#else
trap_common:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %esp, 20
    .cfi_offset 8, -12                  /* eip */
    /* esp: where the frame ends, or from another ring what is saved there,
     * cfa + ((*cfa - cfa) & -((cs & 3) != 0)) */
    .cfi_escape 0x16, 4, 16, 0x12, 0x12, 0x06, 0x16, 0x1c, 0x14, 0x38, 0x1c, 0x06, 0x33, 0x1a, 0x30, 0x2e, 0x1f, 0x1a, 0x22
    pusha
    /* Not PUSH %ds: whether that writes the upper half of the word, CPUs do not
     * agree on, and this stack is compared.  [SDM 2B "PUSH"] */
    mov %ds, %eax
    push %eax
    mov %es, %eax
    push %eax
    mov %fs, %eax
    push %eax
    mov %gs, %eax
    push %eax
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    push %esp
    .cfi_def_cfa_offset 72
    .cfi_offset 0, -24
    .cfi_offset 1, -28
    .cfi_offset 2, -32
    .cfi_offset 3, -36
    .cfi_offset 5, -44
    .cfi_offset 6, -48
    .cfi_offset 7, -52
    call trap
    add $4, %esp
    .globl trap_return
trap_return:
    pop %gs
    pop %fs
    pop %es
    pop %ds
    popa
    add $8, %esp                        /* vector, error */
    iret
    .cfi_endproc

/* void user_run(void (*fn)(void), ulong flags) */
    .globl user_run
user_run:
    mov 4(%esp), %ecx
    mov 8(%esp), %edx
    push %ebx
    push %ebp
    push %esi
    push %edi
    mov %esp, user_back
    push $SEL_UDATA
    push $user_stack_top - 4
    push %edx
    push $SEL_UCODE
    push %ecx
    mov $SEL_UDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    iret

    .globl user_exit_entry
user_exit_entry:                        /* INT USER_EXIT out of ring 3 */
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov user_back, %esp
    cld
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret
#endif

    .bss
    .balign 16
user_back:
    .skip 8
    .balign 4096
user_stack:
    .skip 8192
    .globl user_stack_top
user_stack_top:

    .section .note.GNU-stack, "", @progbits
