# How guests are built: each is one freestanding ELF, build/guests/NAME.elf.
.PHONY: guests
guests:
