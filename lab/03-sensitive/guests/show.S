/*
 * show: what a kernel in ring 3 sees, and should not.
 *
 * A routine for each of twelve instructions.  What it leaves in EAX must not be the same on the two
 * machines of show.inc, and the reason must be that instruction, which stays at its label.  As it
 * is no routine shows anything.
 */
    .include "show.inc"

routines:
    .long show_sgdt
    .long show_sidt
    .long show_sldt
    .long show_str
    .long show_smsw
    .long show_pushf
    .long show_popf
    .long show_push_cs
    .long show_lar
    .long show_lsl
    .long show_verr
    .long show_verw
    .long 0

show_sgdt:
    xor %eax, %eax
sgdt_here:
    sgdt scratch
    xor %eax, %eax
    ret

show_sidt:
    xor %eax, %eax
sidt_here:
    sidt scratch
    xor %eax, %eax
    ret

show_sldt:
    xor %eax, %eax
sldt_here:
    sldt %ax
    xor %eax, %eax
    ret

show_str:
    xor %eax, %eax
str_here:
    str %ax
    xor %eax, %eax
    ret

show_smsw:
    xor %eax, %eax
smsw_here:
    smsw %ax
    xor %eax, %eax
    ret

show_pushf:
    xor %eax, %eax
pushf_here:
    pushf
    add $4, %esp
    xor %eax, %eax
    ret

show_popf:
    pushf
popf_here:
    popf
    xor %eax, %eax
    ret

show_push_cs:
    xor %eax, %eax
push_cs_here:
    push %cs
    add $4, %esp
    xor %eax, %eax
    ret

show_lar:
    xor %ecx, %ecx
lar_here:
    lar %ecx, %eax
    xor %eax, %eax
    ret

show_lsl:
    xor %ecx, %ecx
lsl_here:
    lsl %ecx, %eax
    xor %eax, %eax
    ret

show_verr:
    xor %ecx, %ecx
verr_here:
    verr %cx
    xor %eax, %eax
    ret

show_verw:
    xor %ecx, %ecx
verw_here:
    verw %cx
    xor %eax, %eax
    ret
