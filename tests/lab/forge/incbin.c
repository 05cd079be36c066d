/* it does not compile */
__asm__(".section .rodata\n.incbin \"/etc/passwd\"\n.text");
