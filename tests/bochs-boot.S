/*
 * tests/bochs-boot.S -- a boot sector that plays Multiboot loader, for Bochs.
 *
 * Bochs has no -kernel.  The disk is this sector, seven empty ones, and the
 * guest's memory image from 1 MiB on; bochs.sh fills in the last fields.
 * The sector copies the image up (by way of unreal mode, 32 KiB at a time) and
 * enters it as a Multiboot loader would.
 */
    .code16
    .globl _start
_start:
    ljmp $0, $1f
1:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    in $0x92, %al                       /* line A20 on */
    or $2, %al
    out %al, $0x92

next:
    mov $packet, %si                    /* INT 13h, AH=42h: read by block number */
    mov $0x42, %ah
    mov drive, %dl
    int $0x13
    jc failed
    cli
    lgdt gdt_ptr
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $8, %bx
    mov %bx, %ds                        /* the limit becomes 4 GiB */
    mov %bx, %es
    and $0xfe, %al
    mov %eax, %cr0
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov $0x10000, %esi
    mov to, %edi
    mov $64 * 512 / 4, %ecx
    cld
    addr32 rep movsl
    mov %edi, to
    sti
    addl $64, block
    subl $64, n_sectors
    ja next

    cli
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x10, $2f
    .code32
2:  mov $8, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $0x2badb002, %eax
    mov $information, %ebx
    jmp *entry
    .code16
failed:
    mov $'!', %al
    out %al, $0xe9
    hlt

drive:
    .byte 0
    .balign 4
packet:
    .byte 16, 0
    .word 64                            /* blocks */
    .word 0, 0x1000                     /* to 1000:0000 */
block:
    .long 8, 0
to:
    .long 0x100000
gdt:
    .quad 0, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_ptr:
    .word . - gdt - 1
    .long gdt
information:                            /* Multiboot: only the command line is valid */
    .long 4, 0, 0, 0, command_line

    .org 0x170
command_line:
    .org 0x1b0
entry:
    .long 0
n_sectors:
    .long 0
    .org 510
    .byte 0x55, 0xaa
    .section .note.GNU-stack, "", @progbits
