/*
 * hello: the first words of a machine are OUT instructions.
 *
 * The same greeting on two devices.  The debug console (port 0xE9, an old
 * habit of Bochs) takes any byte at any time: one OUT, one exit.  The serial
 * port is real hardware of 1987: before each byte the guest has to ask the
 * line status register whether the transmitter is free, so a byte costs an IN
 * and an OUT, two exits.  The last line is one REP OUTSB: one instruction, and
 * still one exit for each byte.
 *
 *   run    vitrine run   build/guests/hello.elf
 *   watch  vitrine run   --stat build/guests/hello.elf   (I/O exits by port)
 *
 * MARK 1: debug console.  MARK 2: serial port.  MARK 3: REP OUTSB.
 */
#include "base/abi.h"
#define COM1        0x3f8
#define COM1_LSR    (COM1 + 5)
#define LSR_THRE    0x20        /* transmitter holding register empty */
#define LSR_TEMT    0x40        /* and the shift register behind it   */

    .text
    .globl main
main:
    push %esi
    mov $1, %eax
    out %eax, $PORT_MARK
    mov $to_debugcon, %esi
1:  lodsb
    test %al, %al
    jz 2f
    out %al, $PORT_DEBUGCON
    jmp 1b

2:  mov $2, %eax
    out %eax, $PORT_MARK
    call serial_init
    mov $to_serial, %esi
3:  mov $COM1_LSR, %dx
4:  in %dx, %al
    test $LSR_THRE, %al
    jz 4b                       /* still busy with the byte before */
    lodsb
    test %al, %al
    jz 5f
    mov $COM1, %dx
    out %al, %dx
    jmp 3b

5:  mov $COM1_LSR, %dx
6:  in %dx, %al                 /* the last byte may still be on its way */
    test $LSR_TEMT, %al
    jz 6b
    mov $3, %eax
    out %eax, $PORT_MARK
    mov $rep_line, %esi
    mov $rep_line_end - rep_line, %ecx
    mov $PORT_DEBUGCON, %dx
    rep outsb

    xor %eax, %eax              /* main returns 0: the exit status */
    pop %esi
    ret

    .section .rodata
to_debugcon:
    .asciz "Hello, debug console!\n"
to_serial:
    .asciz "Hello, serial port!\n"
rep_line:
    .ascii "Hello, all at once!\n"
rep_line_end:
    .section .note.GNU-stack, "", @progbits
