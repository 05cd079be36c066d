/*
 * hello: the first words of a machine are OUT instructions.
 *
 * The debug console (port 0xE9, an old habit of Bochs) takes any byte at any
 * time: one OUT, one exit.  The second line is one REP OUTSB: one instruction,
 * and still one exit for each byte.  A serial port is real hardware of 1987
 * and has to be asked before each byte whether it is ready: that is guest echo.
 *
 *   run    vitrine run   build/guests/hello.elf
 *   watch  vitrine run   --trace - build/guests/hello.elf
 *
 * MARK 1: byte by byte.  MARK 2: REP OUTSB.
 */
#include "base/abi.h"

    .text
    .globl main
main:
    push %esi
    mov $1, %eax
    out %eax, $PORT_MARK
    mov $one_by_one, %esi
1:  lodsb
    test %al, %al
    jz 2f
    out %al, $PORT_DEBUGCON
    jmp 1b

2:  mov $2, %eax
    out %eax, $PORT_MARK
    mov $rep_line, %esi
    mov $rep_line_end - rep_line, %ecx
    mov $PORT_DEBUGCON, %dx
    rep outsb

    xor %eax, %eax              /* main returns 0: the exit status */
    pop %esi
    ret

    .section .rodata
one_by_one:
    .asciz "Hello, debug console!\n"
rep_line:
    .ascii "Hello, all at once!\n"
rep_line_end:
    .section .note.GNU-stack, "", @progbits
