/*
 * cpu/soft/ops/sse_host.S -- one MMX, SSE or SSE2 instruction on the host.
 *
 * There is a piece of eight bytes for every opcode: prefix, REX.W, 0F, the
 * opcode, ModRM, RET.  ModRM is always C1: the operand in ModRM.reg is register
 * 0 and that in ModRM.rm register 1, whatever the guest named.  Begin with sse.c.
 */
    .text
    .globl  sse_on_host, sse_in_place_on_host, sse_fp_on_host, sse_mmx_on_host
    .globl  sse_forms, sse_imm_forms

    .set    XMM0, 0                     /* struct sse_io */
    .set    XMM1, 16
    .set    MM0, 32
    .set    MM1, 40
    .set    GPR0, 48
    .set    GPR1, 56
    .set    FLAGS, 64
    .set    MXCSR, 72

    .macro  function name
    .type   \name, @function
    .balign 16
\name:
    .endm

/* void sse_on_host(struct sse_io *io, const uint8_t *form) */
function sse_on_host
    push    %rbx
    mov     %rdi, %rbx
    movaps  XMM0(%rbx), %xmm0
    movaps  XMM1(%rbx), %xmm1
    mov     GPR0(%rbx), %rax
    mov     GPR1(%rbx), %rcx
    call    *%rsi
    pushfq
    pop     FLAGS(%rbx)
    mov     %rax, GPR0(%rbx)
    movaps  %xmm0, XMM0(%rbx)
    pop     %rbx
    ret
    .size   sse_on_host, . - sse_on_host

/* void sse_in_place_on_host(uint8_t reg[16], const uint8_t rm[16], const uint8_t *form) */
function sse_in_place_on_host
    movups  (%rdi), %xmm0
    movups  (%rsi), %xmm1
    call    *%rdx
    movups  %xmm0, (%rdi)
    ret
    .size   sse_in_place_on_host, . - sse_in_place_on_host

/* The same as the first, with the guest's MXCSR. */
function sse_fp_on_host
    push    %rdi
    sub     $16, %rsp
    stmxcsr (%rsp)
    ldmxcsr MXCSR(%rdi)
    call    sse_on_host
    mov     16(%rsp), %rdi
    stmxcsr MXCSR(%rdi)
    ldmxcsr (%rsp)
    add     $24, %rsp
    ret
    .size   sse_fp_on_host, . - sse_fp_on_host

/* The same, with MMX registers: the host's FPU is left empty. */
function sse_mmx_on_host
    push    %rdi
    movq    MM0(%rdi), %mm0
    movq    MM1(%rdi), %mm1
    call    sse_fp_on_host
    pop     %rdi
    movq    %mm0, MM0(%rdi)
    emms
    ret
    .size   sse_mmx_on_host, . - sse_mmx_on_host

    .macro  prefix_byte nr
    .if     \nr == 1
    .byte   0x66
    .elseif \nr == 2
    .byte   0xf3
    .elseif \nr == 3
    .byte   0xf2
    .endif
    .endm

    .balign 8
sse_forms:
    .set    wide, 0
    .rept   2
    .set    prefix, 0
    .rept   4
    .set    opcode, 0
    .rept   256
    prefix_byte prefix
    .if     wide
    .byte   0x48
    .endif
    .byte   0x0f, opcode, 0xc1, 0xc3
    .balign 8, 0xcc
    .set    opcode, opcode + 1
    .endr
    .set    prefix, prefix + 1
    .endr
    .set    wide, 1
    .endr

    .macro  imm_forms opcode
    .set    prefix, 0
    .rept   4
    .set    imm, 0
    .rept   256
    prefix_byte prefix
    .byte   0x0f, \opcode, 0xc1, imm, 0xc3
    .balign 8, 0xcc
    .set    imm, imm + 1
    .endr
    .set    prefix, prefix + 1
    .endr
    .endm

sse_imm_forms:
    .irp    opcode, 0x70, 0xc2, 0xc4, 0xc5, 0xc6
    imm_forms \opcode
    .endr

    .section .note.GNU-stack, "", @progbits
