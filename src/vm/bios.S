/*
 * vm/bios.S -- a small BIOS: what a boot sector may expect of a PC.
 *
 * 8 KiB of 16-bit code, assembled here as data of the monitor and copied by
 * load_bios() to the end of the ROM at 0xf0000 and of its alias under 4 GiB.
 * The CPU leaves reset at `reset_vector`; `post` sets up the interrupt table,
 * the BIOS data area (segment 0x40) and the chips, and INT 19h reads the first
 * sector of the disk to 0:7c00 and jumps there.
 *
 * No monitor stands behind it.  A disk image that was given as the guest is a RAM
 * disk that the loader put at the top of memory (load_bios.c says where its
 * address is kept), and INT 13h copies from it through protected mode; disks of
 * --disk are read by their ports.  What is printed by INT 10h teletype
 * goes to COM1 too, and INT 16h takes characters from there: "console
 * redirection", as servers have it.
 *
 * Not here: graphics modes, scrolling down, power management.
 *
 * The disk, video and key services are in bios_*.inc.
 *
 * Every service is entered through `service`, which saves all registers in
 * the frame below and looks the function in AH up in a table; a function
 * returns values by writing to the frame.
 * [IBM PC AT Technical Reference "BIOS"; Ralf Brown's Interrupt List;
 *  "BIOS Enhanced Disk Drive Specification"; ACPI "System Address Map Interfaces"]
 */
#include "base/abi.h"
#define FAILED_STATUS 120                   /* of the run, as of a triple fault */

#define ROM_SEG   0xf000
#define BDA_SEG   0x40
#define EBDA_SEG  0x9fc0
#define ROM_ORG   0xe000                    /* offset of our first byte in the segment */
#define O(label)  label - bios_image + ROM_ORG

/* Saved registers, relative to BP; CF and ZF are returned in F_FLAGS. */
#define F_DI    4
#define F_SI    8
#define F_BX    20
#define F_DX    24
#define F_CX    28
#define F_AX    32
#define F_AH    33
#define F_FLAGS 40
#define CF      0x01
#define ZF      0x40

/* BIOS data area */
#define B_COM1      0x00
#define B_EBDA      0x0e
#define B_EQUIPMENT 0x10
#define B_MEM_KIB   0x13
#define B_KEYFLAGS  0x17                    /* 0, 1: shift; 2: ctrl; 3: alt; 6: caps lock */
#define B_KEYHEAD   0x1a
#define B_KEYTAIL   0x1c
#define B_KEYBUF    0x1e
#define B_KEYEND    0x3e
#define B_DISKETTE  0x41                    /* status of the last operation, for INT 13h AH=01h */
#define B_HARD_DISK 0x74
#define B_N_DISKS   0x75
#define B_MODE      0x49
#define B_COLUMNS   0x4a
#define B_CURSOR    0x50                    /* column, row */
#define B_SHAPE     0x60
#define B_CRTC      0x63
#define B_TICKS     0x6c
#define B_MIDNIGHT  0x70
#define B_ROWS      0x84

/* EBDA, written by the loader */
#define E_BASE      0x14
#define E_SECTORS   0x18
#define E_PER_TRACK 0x1c
#define E_HEADS     0x1e
#define E_CYLINDERS 0x20
#define E_BOOT      0x22                    /* the drive that INT 19h boots from */
#define E_N_E820    0x23
#define E_DRIVE     0x24                    /* which drive this disk is          */
#define E_E820      0x40

    .section .rodata
    .globl bios_image, bios_image_end
    .globl bios_vectors, bios_data, bios_ignore, bios_irq_master, bios_irq_slave   /* load_bios.c */
    .balign 16
    .code16
bios_image:

/* ---- how every service is entered and left ---- */

    .macro SERVICE n
int_\n:
    pushal
    push %ds
    push %es
    mov $O(table_\n), %si
    jmp service
    .endm
    .macro FUNCTION ah, handler
    .byte \ah
    .word O(\handler)
    .endm

service:
    cld
    mov %sp, %bp
    push $BDA_SEG
    pop %ds
    andb $~CF, F_FLAGS(%bp)
1:  lodsb %cs:(%si), %al
    cmp $0xff, %al                          /* the last row takes the rest */
    je 2f
    cmp F_AH(%bp), %al
    je 2f
    add $2, %si
    jmp 1b
2:  lodsw %cs:(%si), %ax
    mov %ax, %si
    mov F_AX(%bp), %ax
    call *%si
    pop %es
    pop %ds
    popal
    iret

    SERVICE 10
    SERVICE 11
    SERVICE 12
    SERVICE 13
    SERVICE 15
    SERVICE 16
    SERVICE 1a

table_10:
    FUNCTION 0x00, video_mode
    FUNCTION 0x01, video_shape
    FUNCTION 0x02, video_set_cursor
    FUNCTION 0x03, video_get_cursor
    FUNCTION 0x06, video_scroll_up
    FUNCTION 0x08, video_read_cell
    FUNCTION 0x09, video_fill
    FUNCTION 0x0a, video_fill
    FUNCTION 0x0e, putc
    FUNCTION 0x0f, video_get_mode
    FUNCTION 0x13, video_string
    FUNCTION 0xff, nothing
table_11:
    FUNCTION 0xff, equipment
table_12:
    FUNCTION 0xff, memory_size
table_13:
    FUNCTION 0x00, disk_reset
    FUNCTION 0x01, disk_status
    FUNCTION 0x02, disk_chs
    FUNCTION 0x03, disk_chs
    FUNCTION 0x04, disk_chs
    FUNCTION 0x08, disk_geometry
    FUNCTION 0x15, disk_type
    FUNCTION 0x41, disk_extensions
    FUNCTION 0x42, disk_lba
    FUNCTION 0x43, disk_lba
    FUNCTION 0x48, disk_parameters
    FUNCTION 0xff, disk_bad
table_15:
    FUNCTION 0x24, a20
    FUNCTION 0x86, wait_us
    FUNCTION 0x87, block_move
    FUNCTION 0x88, memory_88
    FUNCTION 0xe8, memory_map
    FUNCTION 0xff, unsupported
table_16:
    FUNCTION 0x00, key_read
    FUNCTION 0x10, key_read
    FUNCTION 0x01, key_peek
    FUNCTION 0x11, key_peek
    FUNCTION 0x02, key_flags
    FUNCTION 0xff, nothing
table_1a:
    FUNCTION 0x00, ticks_get
    FUNCTION 0x01, ticks_set
    FUNCTION 0x02, rtc_time
    FUNCTION 0x04, rtc_date
    FUNCTION 0xff, unsupported

unsupported:
    movb $0x86, F_AH(%bp)
failed:
    orb $CF, F_FLAGS(%bp)
nothing:
    ret

equipment:
    mov B_EQUIPMENT, %ax
    mov %ax, F_AX(%bp)
    ret
memory_size:
    mov B_MEM_KIB, %ax
    mov %ax, F_AX(%bp)
    ret

#include "vm/bios_video.inc"
#include "vm/bios_disk.inc"
#include "vm/bios_keys.inc"

/* ---- INT 15h ---- */

a20:                                        /* 2400h off, 2401h on, 2402h state, 2403h how */
    movb $0, F_AH(%bp)
    cmp $3, %al
    ja unsupported
    je 3f
    cmp $2, %al
    je 2f
    mov %al, %bl
    shl $1, %bl
    in $0x92, %al
    and $0xfc, %al                          /* bit 0 would reset the machine */
    or %bl, %al
    out %al, $0x92
    ret
2:  in $0x92, %al
    shr $1, %al
    and $1, %al
    mov %al, F_AX(%bp)
    ret
3:  movw $3, F_BX(%bp)                      /* by keyboard controller or port 92h */
    ret

/* 87h: CX words from the segment of the third descriptor at ES:SI to that of the fourth.  Only
 * their bases count: 24 bits, and 8 more where a 386 has them. */
block_move:
    cmp $0x8000, %cx
    mov $0x02, %ah                          /* more than 64 KiB: an exception, on an AT */
    ja 1f
    mov F_SI(%bp), %si
    mov %es:0x1a(%si), %edi
    and $0xffffff, %edi
    movzbl %es:0x1f(%si), %eax
    shl $24, %eax
    or %eax, %edi
    movzbl %es:0x17(%si), %eax
    shl $24, %eax
    mov %es:0x12(%si), %esi
    and $0xffffff, %esi
    or %eax, %esi
    movzx %cx, %ecx
    call copy
    movb $0, F_AH(%bp)
    ret
1:  mov %ah, F_AH(%bp)
    jmp failed

/* CX:DX microseconds, by counting channel 0 of the timer: it runs down once
 * in 838 ns; 1.2 counts for a microsecond is never too short. */
wait_us:
    sti
    shl $16, %ecx
    mov %dx, %cx
    mov %ecx, %eax
    xor %edx, %edx
    mov $5, %ebx
    div %ebx
    add %eax, %ecx
    jnc 1f
    or $-1, %ecx                            /* the longest there is: an hour */
1:
    call timer_count
    mov %ax, %bx
1:  call timer_count
    sub %ax, %bx                            /* counts gone by, modulo 65536 */
    movzx %bx, %edx
    mov %ax, %bx
    sub %edx, %ecx
    ja 1b
    movb $0, F_AH(%bp)
    ret
timer_count:
    xor %al, %al                            /* latch channel 0 */
    out %al, $0x43
    in $0x40, %al
    mov %al, %ah
    in $0x40, %al
    xchg %al, %ah
    ret

/* EAX = KiB of RAM from 1 MiB on, from the memory map; DS = EBDA. */
extended_kib:
    push $EBDA_SEG
    pop %ds
    mov $E_E820, %si
    movzbw E_N_E820, %cx
    xor %eax, %eax
    jcxz 2f
1:  cmpl $0x100000, (%si)
    jne 3f
    cmpl $0, 4(%si)
    je 4f
3:  add $20, %si
    loop 1b
2:  ret
4:  mov 8(%si), %eax
    mov 12(%si), %edx
    shrd $10, %edx, %eax
    ret

memory_88:
    call extended_kib
    cmp $0xffff, %eax
    jb 1f
    mov $0xffff, %ax
1:  mov %ax, F_AX(%bp)
    ret

memory_map:
    cmp $0x01, %al
    je memory_e801
    cmp $0x20, %al
    jne unsupported
    cmp $0x534d4150, %edx                   /* "SMAP" */
    jne unsupported
    cmp $20, %ecx
    jb unsupported
    push $EBDA_SEG
    pop %ds
    movzbl E_N_E820, %eax
    cmp %eax, %ebx
    jae unsupported
    imul $20, %bx, %si
    add $E_E820, %si
    mov F_DI(%bp), %di
    mov $5, %cx
    rep movsl
    inc %ebx
    cmp %eax, %ebx
    jb 1f
    xor %ebx, %ebx                          /* that was the last */
1:  mov %ebx, F_BX(%bp)
    mov %edx, F_AX(%bp)
    movl $20, F_CX(%bp)
    ret

memory_e801:                                /* KiB up to 16 MiB; 64 KiB blocks above */
    call extended_kib
    xor %ebx, %ebx
    cmp $0x3c00, %eax
    jbe 1f
    mov %eax, %ebx
    sub $0x3c00, %ebx
    shr $6, %ebx
    mov $0x3c00, %ax
1:  mov %ax, F_AX(%bp)
    mov %ax, F_CX(%bp)
    mov %bx, F_BX(%bp)
    mov %bx, F_DX(%bp)
    ret

/* ---- INT 1Ah and IRQ 0: the time ---- */

ticks_get:
    mov B_TICKS, %ax
    mov %ax, F_DX(%bp)
    mov B_TICKS+2, %ax
    mov %ax, F_CX(%bp)
    xor %al, %al
    xchg %al, B_MIDNIGHT
    mov %al, F_AX(%bp)
    ret
ticks_set:
    mov %dx, B_TICKS
    mov %cx, B_TICKS+2
    movb $0, B_MIDNIGHT
    ret

cmos:                                       /* AL = register AL of the clock */
    out %al, $0x70
    in $0x71, %al
    ret
rtc_time:
    mov $4, %al
    call cmos
    mov %al, F_CX+1(%bp)
    mov $2, %al
    call cmos
    mov %al, F_CX(%bp)
    xor %al, %al
    call cmos
    mov %al, F_DX+1(%bp)
    movb $0, F_DX(%bp)                      /* no daylight saving */
    ret
rtc_date:
    mov $0x32, %al
    call cmos
    mov %al, F_CX+1(%bp)
    mov $9, %al
    call cmos
    mov %al, F_CX(%bp)
    mov $8, %al
    call cmos
    mov %al, F_DX+1(%bp)
    mov $7, %al
    call cmos
    mov %al, F_DX(%bp)
    ret

irq_0:
    push %ax
    push %ds
    push $BDA_SEG
    pop %ds
    incl B_TICKS
    cmpl $0x1800b0, B_TICKS                 /* a day */
    jb 1f
    movl $0, B_TICKS
    movb $1, B_MIDNIGHT
1:  int $0x1c                               /* for programs to hook */
    mov $0x20, %al
    out %al, $0x20
    pop %ds
    pop %ax
    iret

bios_irq_slave:
    push %ax
    mov $0x20, %al
    out %al, $0xa0
    jmp 1f
bios_irq_master:
    push %ax
1:  mov $0x20, %al
    out %al, $0x20
    pop %ax
    iret

/* ---- from reset to the boot sector ---- */

/* Output these: port, value; ends with port 0. */
chips:
    .word 0x20, 0x11,  0x21, 0x08,  0x21, 0x04,  0x21, 0x01     /* PIC: vectors 8 to 15    */
    .word 0xa0, 0x11,  0xa1, 0x70,  0xa1, 0x02,  0xa1, 0x01     /* and 70h to 77h          */
    .word 0x21, 0xb8,  0xa1, 0x8e                               /* masks, as in io/pic.c    */
    .word 0x43, 0x34,  0x40, 0x00,  0x40, 0x00                  /* PIT 0: 18.2 Hz          */
    .word 0x3fb, 0x83, 0x3f8, 0x01, 0x3f9, 0x00, 0x3fb, 0x03    /* COM1: 115200 8N1        */
    .word 0x3fa, 0x07, 0x3fc, 0x03                              /* FIFO, DTR and RTS       */
    .word 0x64, 0x60,  0x60, 0x45                               /* 8042: IRQ 1, set 1      */
    .word 0

bios_vectors:
    .word 0x00, O(fault_0), 0x06, O(fault_6), 0x07, O(fault_7), 0x0c, O(fault_c), 0x0d, O(fault_d)
    .word 0x08, O(irq_0), 0x09, O(irq_1), 0x1e, O(diskette_table)
    .word 0x10, O(int_10), 0x11, O(int_11), 0x12, O(int_12), 0x13, O(int_13)
    .word 0x15, O(int_15), 0x16, O(int_16), 0x1a, O(int_1a)
    .word 0x18, O(no_boot), 0x19, O(boot)
    .word 0xffff

bios_data:                                      /* word offset, value */
    .word B_COM1, 0x3f8, B_EBDA, EBDA_SEG, B_EQUIPMENT, 0x0221, B_MEM_KIB, 639
    .word B_KEYHEAD, B_KEYBUF, B_KEYTAIL, B_KEYBUF, 0x80, B_KEYBUF, 0x82, B_KEYEND
    .word B_MODE, 3, B_COLUMNS, 80, B_SHAPE, 0x0607, B_CRTC, 0x3d4, B_ROWS, 16 << 8 | 24
    .word 0xffff

post:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    xor %bx, %bx                            /* all 256 vectors, then the special ones */
1:  mov $O(bios_ignore), %ax
    mov %bx, %cx
    and $0x3e0, %cx                         /* groups of eight vectors */
    cmp $0x20, %cx
    jne 2f
    mov $O(bios_irq_master), %ax
2:  cmp $0x1c0, %cx
    jne 3f
    mov $O(bios_irq_slave), %ax
3:  mov %ax, (%bx)
    movw $ROM_SEG, 2(%bx)
    add $4, %bx
    cmp $0x400, %bx
    jb 1b
    mov $O(bios_vectors), %si
4:  lodsw %cs:(%si), %ax
    mov %ax, %bx
    shl $2, %bx
    inc %ax
    jz 5f
    lodsw %cs:(%si), %ax
    mov %ax, (%bx)
    jmp 4b

5:  mov $0x400, %di                         /* the BIOS data area */
    mov $0x80, %cx
    xor %ax, %ax
    rep stosw
    push $BDA_SEG
    pop %ds
    mov $O(bios_data), %si
6:  lodsw %cs:(%si), %ax
    mov %ax, %bx
    inc %ax
    jz 7f
    lodsw %cs:(%si), %ax
    mov %ax, (%bx)
    jmp 6b

7:  mov $O(chips), %si
8:  lodsw %cs:(%si), %ax
    mov %ax, %dx
    test %ax, %ax
    jz 9f
    lodsw %cs:(%si), %ax
    out %al, %dx
    jmp 8b
9:  mov $3, %ax
    int $0x10
    sti
    int $0x19

/* INT 19h: the first sector to 0:7c00, and there we go.  DL names the drive. */
boot:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    push $EBDA_SEG
    pop %fs
    mov %fs:E_BOOT, %dl
    mov $0x0201, %ax
    mov $0x0001, %cx
    xor %dh, %dh
    mov $0x7c00, %bx
    int $0x13
    jc no_boot
    cmpw $0xaa55, 0x7dfe
    jne no_boot
    xor %ax, %ax
    mov %ax, %fs
    xor %bx, %bx
    xor %cx, %cx
    sti
    ljmp $0, $0x7c00

no_boot:
    mov $O(text_no_boot), %si
    call print
end_run:                                    /* a PC would halt: here the run ends, not in success */
    mov $FAILED_STATUS, %al
    out %al, $0xf4
1:  cli
    hlt
    jmp 1b

print:                                      /* the text at CS:SI */
    lodsb %cs:(%si), %al
    mov $0x0e, %ah
    test %al, %al
    jz 1f
    int $0x10
    jmp print
1:  ret

print_hex:                                  /* AX, four digits */
    mov $4, %cx
1:  rol $4, %ax
    push %ax
    and $0x0f, %al
    cmp $10, %al
    sbb $0x69, %al                          /* "0" to "9", "A" to "F": [SDM 2 "DAS"] */
    das
    mov $0x0e, %ah
    int $0x10
    pop %ax
    loop 1b
    ret

/* An exception that nobody handles.  The stack has what it says, the vector; IP, CS, flags. */
fault:
    mov %sp, %bp
    mov $O(text_bios), %si
    call print
    mov (%bp), %si
    call print
    mov $O(text_at), %si
    call print
    mov 4(%bp), %ax
    call print_hex
    mov $(0x0e00 | ':'), %ax
    int $0x10
    mov 2(%bp), %ax
    call print_hex
    mov $O(text_halted), %si
    call print
    jmp end_run

/* A software interrupt that no service is behind.  A PC says nothing; here the monitor is told of
 * it, unless it was one of the BIOS's own (INT 1Ch), or an exception.  Virtual-8086 mode may use
 * no ports: a monitor there reflects what it likes. */
ignore:
    pushal
    push %ds
    smsw %ax
    test $1, %al                            /* CR0.PE */
    jnz 1f
    mov %sp, %bp
    lds 34(%bp), %si                        /* where it came from: behind DS and eight registers */
    cmpb $0xcd, -2(%si)                     /* INT n */
    jne 1f
    mov %ds, %cx
    cmp $ROM_SEG, %cx
    je 1f
    movzbl -1(%si), %ebx
    movzwl %cx, %ecx
    shl $4, %ecx
    movzwl %si, %esi
    lea -2(%ecx, %esi), %ecx
    mov $HC_IGNORED_INT, %eax
    out %eax, $PORT_HYPERCALL
1:  pop %ds
    popal
    iret

text_bios:    .asciz "BIOS: "
text_0:       .asciz "divide error (INT 0)"
text_6:       .asciz "invalid opcode (INT 6)"
text_7:       .asciz "no coprocessor (INT 7)"
text_c:       .asciz "stack fault (INT 0Ch)"
text_d:       .asciz "general protection fault (INT 0Dh)"
text_at:      .asciz " at "
text_halted:  .asciz ", and no handler for it; halted\r\n"
text_no_boot: .asciz "BIOS: no boot sector on the disk\r\n"

#include "vm/bios_ata.inc"

/* The handlers that the vectors at 0 begin with keep their places, whatever changes above: code
 * that jumps to 0 by mistake executes these addresses. */
    .org bios_image + 0x1f00
fault_0:
    push $O(text_0)
    jmp fault
fault_6:
    push $O(text_6)
    jmp fault
fault_7:
    push $O(text_7)
    jmp fault
fault_c:                                    /* vectors 0Ch and 0Dh are IRQ 4 and 5, too: if the */
    push $O(text_c)                         /* 8259A has an interrupt in service it was one */
    jmp 1f
fault_d:
    push $O(text_d)
1:  push %ax
    mov $0x0b, %al                          /* OCW3: read the in-service register */
    out %al, $0x20
    in $0x20, %al
    test $0x30, %al
    pop %ax
    jz fault
    add $2, %sp
    jmp bios_irq_master

    .org bios_image + 0x1f53
bios_ignore:                                /* where every PC has it */
    jmp ignore

    .org bios_image + 0x1ff0
reset_vector:
    .byte 0xea                              /* far jump: CS's base becomes 0xf0000 */
    .word O(post), ROM_SEG
    .ascii "11/21/26"                       /* the release date, where PCs have it */
    .byte 0, 0xfc, 0                        /* model: AT */
bios_image_end:
    .code64
    .section .note.GNU-stack, "", @progbits
