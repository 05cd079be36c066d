/*
 * debugger/gdb/embedded_scripts.S -- printers.py and vitrine.py as part of the program, from where
 * `vitrine gdb` hands them to gdb.  So gdb always runs the version of the scripts that fits
 * the program it talks to.  A 0 byte ends the text.
 */
    .section .rodata
    .globl gdb_script
gdb_script:
    .incbin "src/debugger/gdb/printers.py"
    .incbin "src/debugger/gdb/vitrine.py"
    .byte 0

    .section .note.GNU-stack, "", @progbits
