/*
 * debugger/gdb/script.S -- printers.py and vitrine.py, in the program: what gdb reads is always of the same
 * version as what it talks to.
 */
    .section .rodata
    .globl gdb_script
gdb_script:
    .incbin "src/debugger/gdb/printers.py"
    .incbin "src/debugger/gdb/vitrine.py"
    .byte 0

    .section .note.GNU-stack, "", @progbits
