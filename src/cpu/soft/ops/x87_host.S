/*
 * cpu/soft/ops/x87_host.S -- one x87 instruction on the host's own FPU.
 *
 * Every register form and every memory form is here as a piece of code of four
 * bytes: opcode, ModRM, RET.  The memory operand is always at (%rdi).  Begin
 * with x87.c, which says why this is allowed.
 */
    .text
    .globl  x87_on_host, x87_register_forms, x87_memory_forms

/* uint64_t x87_on_host(struct fxsave *fpu, const uint8_t *form, void *operand, uint64_t rflags)
 * The guest's FPU goes in and out again around the instruction; the host's is
 * left as after FNINIT, as every x86-64 function may expect it.  Gives RFLAGS. */
    .type   x87_on_host, @function
    .balign 16
x87_on_host:
    push    %rbx
    mov     %rdi, %rbx
    sub     $16, %rsp
    stmxcsr 8(%rsp)
    fxrstor (%rbx)
    mov     %rdx, %rdi
    mov     %rcx, (%rsp)
    popfq
    call    *%rsi
    pushfq
    mov     (%rsp), %rax
    fxsave  (%rbx)
    fninit
    ldmxcsr 8(%rsp)
    add     $16, %rsp
    pop     %rbx
    cld
    ret
    .size   x87_on_host, . - x87_on_host

    .macro  forms first step count      /* for the opcodes D8 to DF */
    .set    opcode, 0xd8
    .rept   8
    .set    modrm, \first
    .rept   \count
    .byte   opcode, modrm, 0xc3, 0x90
    .set    modrm, modrm + \step
    .endr
    .set    opcode, opcode + 1
    .endr
    .endm

x87_register_forms:
    forms   0xc0 1 64
x87_memory_forms:
    forms   0x07 8 8

    .section .note.GNU-stack, "", @progbits
