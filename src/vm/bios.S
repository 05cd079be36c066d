/*
 * vm/bios.S -- a small BIOS: what a boot sector may expect of a PC.
 *
 * 8 KiB of 16-bit code, assembled here as data of the monitor and copied by
 * load_bios() to the end of the ROM at 0xf0000 and of its alias under 4 GiB.
 * The CPU leaves reset at `reset_vector`; `post` sets up the interrupt table,
 * the BIOS data area (segment 0x40) and the chips, and INT 19h reads the first
 * sector of the disk to 0:7c00 and jumps there.
 *
 * No monitor stands behind it.  The disk is a RAM disk that the loader put at
 * the top of memory (load_flat.c says where its address is kept), and INT 13h
 * copies from it through protected mode.  What is printed by INT 10h teletype
 * goes to COM1 too, and INT 16h takes characters from there: "console
 * redirection", as servers have it.
 *
 * Not here: graphics modes, scrolling down, disks other than the booted one,
 * INT 15h block moves, power management.
 *
 * Every service is entered through `service`, which saves all registers in
 * the frame below and looks the function in AH up in a table; a function
 * returns values by writing to the frame.
 * [IBM PC AT Technical Reference "BIOS"; Ralf Brown's Interrupt List;
 *  "BIOS Enhanced Disk Drive Specification"; ACPI "System Address Map Interfaces"]
 */
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
#define E_DRIVE     0x22
#define E_N_E820    0x23
#define E_E820      0x40

    .section .rodata
    .globl bios_image, bios_image_end
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

/* ---- INT 10h: the screen is 80 x 25 cells at b800:0 ---- */

/* Offset in video memory of row DH, column DL, in DI; ES there. */
cell:
    push %ax
    push $0xb800
    pop %es
    mov $80, %al
    mul %dh
    movzx %dl, %di
    add %ax, %di
    shl $1, %di
    pop %ax
    ret

video_mode:                                 /* every mode is mode 3; bit 7: do not clear */
    test $0x80, %al
    jnz 1f
    mov $0x0700, %bx
    xor %cx, %cx
    mov $0x184f, %dx
    xor %al, %al
    call scroll
1:  xor %dx, %dx
video_set_cursor:
    mov %dx, B_CURSOR
move_cursor:                                /* tell the CRTC, registers 0eh and 0fh */
    mov B_CURSOR, %dx
    call cell
    shr $1, %di
    mov $0x3d4, %dx
    mov %di, %ax
    mov $0x0e, %al
    out %ax, %dx
    mov %di, %ax
    mov %al, %ah
    mov $0x0f, %al
    out %ax, %dx
    ret

video_shape:
    mov %cx, B_SHAPE
    ret
video_get_cursor:
    mov B_CURSOR, %ax
    mov %ax, F_DX(%bp)
    mov B_SHAPE, %ax
    mov %ax, F_CX(%bp)
    ret
video_get_mode:
    movw $(80 << 8 | 3), F_AX(%bp)
    movb $0, F_BX+1(%bp)
    ret

video_read_cell:
    mov B_CURSOR, %dx
    call cell
    mov %es:(%di), %ax
    mov %ax, F_AX(%bp)
    ret

video_fill:                                 /* 09h with attribute, 0ah without: CX times AL */
    mov B_CURSOR, %dx
    call cell
    jcxz 3f
1:  cmp $4000, %di                          /* the screen ends here */
    jae 3f
    mov %al, %es:(%di)
    cmpb $0x09, F_AH(%bp)
    jne 2f
    mov %bl, %es:1(%di)
2:  add $2, %di
    loop 1b
3:  ret

video_scroll_up:
    cmp $24, %dh
    ja nothing
    cmp $79, %dl
    ja nothing
scroll:                                     /* CX..DX (row, column) up by AL lines, filled with BH */
    cmp %dh, %ch
    ja nothing
    cmp %dl, %cl
    ja nothing
    pushal
    push %ds
    push %es
    mov %al, %ah                            /* AH lines; 0 clears */
1:  push %dx                                /* one row: CH */
    mov %ch, %dh
    mov %cl, %dl
    call cell
    pop %dx
    mov %ch, %al
    add %ah, %al
    jc 2f
    test %ah, %ah
    jz 2f
    cmp %dh, %al
    ja 2f
    call copy_row                           /* from AH rows below */
    jmp 3f
2:  call blank_row
3:  inc %ch
    cmp %dh, %ch
    jbe 1b
    pop %es
    pop %ds
    popal
    ret

copy_row:
    pusha
    mov %es, %bx
    mov %bx, %ds
    mov $160, %al
    mul %ah
    mov %di, %si
    add %ax, %si
    sub %cl, %dl
    inc %dl
    movzx %dl, %cx
    rep movsw
    popa
    ret
blank_row:
    pusha
    mov %bh, %ah
    mov $' ', %al
    sub %cl, %dl
    inc %dl
    movzx %dl, %cx
    rep stosw
    popa
    ret

/* Teletype: AL to the screen and to COM1.  Keeps all registers; DS is the BDA. */
putc:
    pushal
    push %es
    call serial_put
    mov B_CURSOR, %dx
    cmp $'\r', %al
    je 2f
    cmp $'\n', %al
    je 3f
    cmp $8, %al
    je 5f
    cmp $7, %al
    je 6f
    call cell
    stosb
    inc %dl
    cmp $80, %dl
    jb 4f
    xor %dl, %dl
    jmp 3f
2:  xor %dl, %dl
    jmp 4f
5:  sub $1, %dl
    adc $0, %dl                             /* not left of column 0 */
    jmp 4f
3:  inc %dh
    cmp $25, %dh
    jb 4f
    mov $24, %dh
    push %dx
    mov $0x0700, %bx
    xor %cx, %cx
    mov $0x184f, %dx
    mov $1, %al
    call scroll
    pop %dx
4:  mov %dx, B_CURSOR
    call move_cursor
6:  pop %es
    popal
    ret

/* String ES:BP of CX characters at DX; AL bit 0: move the cursor, bit 1: attributes inside. */
video_string:
    push B_CURSOR
    push %ax
    mov %dx, B_CURSOR
    mov 12(%bp), %si                        /* the caller's BP */
    jcxz 3f
1:  mov F_AX(%bp), %ah
    lodsb %es:(%si), %al
    test $2, %ah
    jz 4f
    mov %es:(%si), %bl
    inc %si
4:  cmp $' ', %al                           /* CR, LF and such have no cell */
    jb 2f
    push %es
    mov B_CURSOR, %dx
    call cell
    mov %bl, %es:1(%di)
    pop %es
2:  call putc
    loop 1b
3:  pop %ax
    pop %dx
    test $1, %al
    jz video_set_cursor
    ret

/* ---- COM1, polled; a UART that is not there answers ff ---- */

serial_put:
    push %ax
    push %cx
    push %dx
    mov %al, %ah
    mov $0x3fd, %dx
    mov $0xffff, %cx
1:  in %dx, %al
    test $0x20, %al                         /* transmit holding register empty */
    loopz 1b
    mov $0x3f8, %dx
    mov %ah, %al
    out %al, %dx
    pop %dx
    pop %cx
    pop %ax
    ret

serial_poll:                                /* a character that came in goes to the key buffer */
    push %dx
    mov $0x3fd, %dx
    in %dx, %al
    cmp $0xff, %al
    je 1f
    test $1, %al
    jz 1f
    mov $0x3f8, %dx
    in %dx, %al
    xor %ah, %ah
    call key_put
1:  pop %dx
    ret

/* ---- INT 13h: the RAM disk ---- */

disk_bad:
    mov $0x01, %ah                          /* invalid function or drive */
disk_error:
    mov %ah, F_AH(%bp)
    jmp failed

/* DS = EBDA; leaves the caller's caller with an error if DL is another drive. */
disk_select:
    push $EBDA_SEG
    pop %ds
    cmp E_DRIVE, %dl
    je 1f
    add $2, %sp
    jmp disk_bad
1:  ret

disk_reset:
    call disk_select
disk_ok:
    movb $0, F_AH(%bp)
    ret

disk_chs:                                   /* 02h, 03h, 04h: AL sectors at CX, DH */
    call disk_select
    mov %cl, %bl
    and $0x3f, %bx
    jz 1f                                   /* sectors count from 1 */
    dec %bx
    cmp E_PER_TRACK, %bx
    jae 1f
    movzx %dh, %dx
    cmp E_HEADS, %dx
    jae 1f
    xchg %ch, %cl                           /* cylinder: CL 7:6, CH */
    shr $6, %ch
    movzx %cx, %ecx
    movzwl E_HEADS, %edi
    imul %edi, %ecx
    movzx %dx, %edx
    add %edx, %ecx
    movzwl E_PER_TRACK, %edi
    imul %edi, %ecx
    movzx %bx, %ebx
    add %ebx, %ecx                          /* LBA */
    movzx %al, %eax
    test %al, %al
    jz 1f
    cmp $128, %al
    ja 1f
    xchg %eax, %ecx
    mov %es, %di
    movzx %di, %edi
    shl $4, %edi
    movzwl F_BX(%bp), %ebx
    add %ebx, %edi
    mov F_AH(%bp), %bl
    jmp disk_transfer
1:  mov $0x04, %ah                          /* sector not found */
    jmp disk_error

disk_lba:                                   /* 42h, 43h: the packet at the caller's DS:SI */
    call disk_select
    mov 2(%bp), %es
    mov F_SI(%bp), %si
    cmpl $0, %es:12(%si)
    jne 1b
    mov %es:8(%si), %eax
    movzwl %es:2(%si), %ecx
    cmp $127, %cx
    ja 1b
    movzwl %es:6(%si), %edi
    shl $4, %edi
    movzwl %es:4(%si), %ebx
    add %ebx, %edi
    mov F_AH(%bp), %bl
    and $3, %bl

/* ECX sectors from LBA EAX to or from linear EDI; BL 2: read, 3: write, 4: verify. */
disk_transfer:
    mov E_SECTORS, %edx
    sub %eax, %edx
    jb 1b
    cmp %ecx, %edx
    jb 1b
    mov %eax, %esi
    shl $9, %esi
    add E_BASE, %esi
    shl $7, %ecx                            /* doublewords */
    cmp $4, %bl
    je disk_ok
    cmp $3, %bl
    jne 2f
    xchg %esi, %edi
2:  call copy
    jmp disk_ok

disk_geometry:
    call disk_select
    mov E_CYLINDERS, %ax
    dec %ax
    mov %ah, %cl
    shl $6, %cl
    or E_PER_TRACK, %cl
    mov %al, %ch
    mov %cx, F_CX(%bp)
    mov E_HEADS, %dh
    dec %dh
    mov $1, %dl                             /* one drive */
    mov %dx, F_DX(%bp)
    cmpb $0x80, E_DRIVE
    jae disk_ok
    movb $4, F_BX(%bp)                      /* a 1.44 MB diskette drive */
    jmp disk_ok

disk_type:
    call disk_select
    movb $1, F_AH(%bp)                      /* diskette */
    cmpb $0x80, E_DRIVE
    jb 1f
    movb $3, F_AH(%bp)                      /* hard disk, CX:DX sectors */
    mov E_SECTORS, %eax
    mov %ax, F_DX(%bp)
    shr $16, %eax
    mov %ax, F_CX(%bp)
1:  ret

disk_extensions:
    call disk_select
    cmp $0x55aa, %bx
    jne disk_bad
    movw $0xaa55, F_BX(%bp)
    movw $1, F_CX(%bp)                      /* packet access only */
    movb $0x21, F_AH(%bp)
    ret

disk_parameters:
    call disk_select
    mov 2(%bp), %es
    mov F_SI(%bp), %di
    cmpw $26, %es:(%di)
    jb disk_bad
    mov $26, %ax
    stosw
    mov $2, %ax                             /* the geometry is valid */
    stosw
    movzwl E_CYLINDERS, %eax
    stosl
    movzwl E_HEADS, %eax
    stosl
    movzwl E_PER_TRACK, %eax
    stosl
    mov E_SECTORS, %eax
    stosl
    xor %eax, %eax
    stosl
    mov $512, %ax
    stosw
    jmp disk_ok

/* ECX doublewords from linear ESI to EDI, through protected mode: real-mode
 * segments end at 64 KiB.  The caller's GDTR is kept.
 * [SDM 3A "Switching to Protected Mode"] */
copy:
    cli
    push %ds
    push %es
    sub $6, %sp
    mov %sp, %bx
    sgdtl %ss:(%bx)
    lgdtl %cs:O(gdt_pointer)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    .byte 0xea                              /* far jump to 8:1f */
    .word O(1f), 0x08
1:  mov $0x10, %ax
    mov %ax, %ds
    mov %ax, %es
    .byte 0x67, 0x66, 0xf3, 0xa5            /* rep movsl by ESI and EDI, not SI and DI */
    mov $0x18, %ax                          /* limits of 64 KiB again */
    mov %ax, %ds
    mov %ax, %es
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    .byte 0xea
    .word O(1f), ROM_SEG
1:  lgdtl %ss:(%bx)
    add $6, %sp
    pop %es
    pop %ds
    ret

    .balign 8
gdt:
    .quad 0
    .quad 0x00009b0f0000ffff                /* 08: this ROM, 16-bit code */
    .quad 0x00cf93000000ffff                /* 10: all 4 GiB, data       */
    .quad 0x000093000000ffff                /* 18: 64 KiB at 0, data     */
gdt_pointer:
    .word 31
    .long 0xf0000 + O(gdt)

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

/* ---- INT 16h and IRQ 1: the keyboard ---- */

key_read:
    sti
1:  call serial_poll
    mov B_KEYHEAD, %bx
    cmp B_KEYTAIL, %bx
    jne 2f
    hlt                                     /* the timer wakes us to look at COM1 again */
    jmp 1b
2:  cli
    mov (%bx), %ax
    mov %ax, F_AX(%bp)
    call key_next
    mov %bx, B_KEYHEAD
    ret

key_peek:
    call serial_poll
    orb $ZF, F_FLAGS(%bp)
    mov B_KEYHEAD, %bx
    cmp B_KEYTAIL, %bx
    je 1f
    andb $~ZF, F_FLAGS(%bp)
    mov (%bx), %ax
    mov %ax, F_AX(%bp)
1:  ret

key_flags:
    mov B_KEYFLAGS, %al
    mov %al, F_AX(%bp)
    ret

key_next:                                   /* BX to the next place of the ring */
    add $2, %bx
    cmp $B_KEYEND, %bx
    jb 1f
    mov $B_KEYBUF, %bx
1:  ret

key_put:                                    /* AH scan code, AL character; lost if it is full */
    push %bx
    push %si
    pushf
    cli
    mov B_KEYTAIL, %bx
    mov %bx, %si
    call key_next
    cmp B_KEYHEAD, %bx
    je 1f
    mov %ax, (%si)
    mov %bx, B_KEYTAIL
1:  popf
    pop %si
    pop %bx
    ret

irq_1:
    pusha
    push %ds
    push $BDA_SEG
    pop %ds
    in $0x60, %al
    mov $O(modifiers), %si
1:  cmpb $0, %cs:(%si)                      /* a shift key pressed or released? */
    je 3f
    mov %al, %bl
    and $0x7f, %bl
    cmp %bl, %cs:(%si)
    je 2f
    add $2, %si
    jmp 1b
2:  mov %cs:1(%si), %bl
    or %bl, B_KEYFLAGS
    test $0x80, %al
    jz 6f
    not %bl
    and %bl, B_KEYFLAGS
    jmp 6f
3:  cmp $0x3a, %al
    jne 4f
    xorb $0x40, B_KEYFLAGS                  /* caps lock */
4:  cmp $0x58, %al                          /* releases, prefixes and answers end here */
    ja 6f
    cmp $0x3a, %al
    je 6f
    call translate
    call key_put
6:  mov $0x20, %al
    out %al, $0x20
    pop %ds
    popa
    iret

modifiers:
    .byte 0x2a, 2, 0x36, 1, 0x1d, 4, 0x38, 8, 0

translate:                                  /* scan code AL -> AH scan code, AL character or 0 */
    mov %al, %ah
    xor %bx, %bx
    xchg %al, %bl
    cmp $0x39, %bl
    ja 3f
    mov %cs:O(keys)(%bx), %al
    testb $3, B_KEYFLAGS
    jz 1f
    mov %cs:O(shifted_keys)(%bx), %al
1:  mov %al, %bl
    or $0x20, %bl
    sub $'a', %bl
    cmp $26, %bl
    jae 3f
    testb $0x40, B_KEYFLAGS                 /* letters only: caps lock and control */
    jz 2f
    xor $0x20, %al
2:  testb $4, B_KEYFLAGS
    jz 3f
    and $0x1f, %al
3:  ret

keys:                                       /* scan codes 0 to 39h, US layout */
    .byte 0, 27
    .ascii "1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
shifted_keys:
    .byte 0, 27
    .ascii "!@#$%^&*()_+\b\0QWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 "

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

irq_slave:
    push %ax
    mov $0x20, %al
    out %al, $0xa0
    jmp 1f
irq_master:
    push %ax
1:  mov $0x20, %al
    out %al, $0x20
    pop %ax
int_ignore:
    iret

/* ---- from reset to the boot sector ---- */

/* Output these: port, value; ends with port 0. */
chips:
    .word 0x20, 0x11,  0x21, 0x08,  0x21, 0x04,  0x21, 0x01     /* PIC: vectors 8 to 15    */
    .word 0xa0, 0x11,  0xa1, 0x70,  0xa1, 0x02,  0xa1, 0x01     /* and 70h to 77h          */
    .word 0x21, 0xf8,  0xa1, 0xff                               /* timer, keyboard, cascade */
    .word 0x43, 0x34,  0x40, 0x00,  0x40, 0x00                  /* PIT 0: 18.2 Hz          */
    .word 0x3fb, 0x83, 0x3f8, 0x01, 0x3f9, 0x00, 0x3fb, 0x03    /* COM1: 115200 8N1        */
    .word 0x3fa, 0x07, 0x3fc, 0x03                              /* FIFO, DTR and RTS       */
    .word 0x64, 0x60,  0x60, 0x45                               /* 8042: IRQ 1, set 1      */
    .word 0

vectors:
    .word 0x00, O(fault), 0x06, O(fault)
    .word 0x08, O(irq_0), 0x09, O(irq_1)
    .word 0x10, O(int_10), 0x11, O(int_11), 0x12, O(int_12), 0x13, O(int_13)
    .word 0x15, O(int_15), 0x16, O(int_16), 0x1a, O(int_1a)
    .word 0x18, O(no_boot), 0x19, O(boot)
    .word 0xffff

bda:                                        /* word offset, value */
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
1:  mov $O(int_ignore), %ax
    mov %bx, %cx
    and $0x3e0, %cx                         /* groups of eight vectors */
    cmp $0x20, %cx
    jne 2f
    mov $O(irq_master), %ax
2:  cmp $0x1c0, %cx
    jne 3f
    mov $O(irq_slave), %ax
3:  mov %ax, (%bx)
    movw $ROM_SEG, 2(%bx)
    add $4, %bx
    cmp $0x400, %bx
    jb 1b
    mov $O(vectors), %si
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
    mov $O(bda), %si
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
    mov %fs:E_DRIVE, %dl
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
    jmp halt
fault:
    mov $O(text_fault), %si
halt:
    lodsb %cs:(%si), %al
    mov $0x0e, %ah
    test %al, %al
    jz 1f
    int $0x10
    jmp halt
1:  cli
    hlt
    jmp 1b

text_no_boot:
    .asciz "BIOS: no boot sector on the disk\r\n"
text_fault:
    .asciz "BIOS: divide error or invalid opcode; halted\r\n"

    .org bios_image + 0x1ff0
reset_vector:
    .byte 0xea                              /* far jump: CS's base becomes 0xf0000 */
    .word O(post), ROM_SEG
    .ascii "11/21/26"                       /* the release date, where PCs have it */
    .byte 0, 0xfc, 0                        /* model: AT */
bios_image_end:
    .code64
    .section .note.GNU-stack, "", @progbits
