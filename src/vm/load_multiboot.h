/*
 * vm/load_multiboot.h -- what the two versions of Multiboot have in common; private to
 * load_multiboot*.c.
 *
 * A header in the first bytes of the file says where the kernel is to be placed and what it
 * demands (load_multiboot_header.c).  After that the versions differ in the information that the
 * kernel is given: a structure with flags (load_multiboot.c), or a list of tags
 * (load_multiboot2.c).
 */
#ifndef VM_LOAD_MULTIBOOT_H
#define VM_LOAD_MULTIBOOT_H

#include "vm/loading.h"

/* A header, of either version, with what it says in one form.  Addresses are physical. */
struct multiboot_header {
    unsigned version;                       /* 1 or 2                                          */
    uint64_t at;                            /* where in the file                               */
    bool     has_addresses, has_entry;      /* the fields below are to be used, ELF or not     */
    bool     wants_graphics;                /* a linear framebuffer is asked for               */
    uint32_t header_addr, load, load_end, bss_end, entry;
};

/* Find the header of this version and read it: 0 or a refusal. */
int load_multiboot_header(struct loading *l, unsigned version, struct multiboot_header *h);

/* Place the kernel as the header or the ELF file says; the entry point, physical. */
int load_multiboot_kernel(struct loading *l, const struct multiboot_header *h, uint64_t *entry);

/* Place all modules behind the kernel, each at the beginning of a page; where they are. */
int load_multiboot_modules(struct loading *l, gpa_t at[LOAD_MAX_MODULES]);

/* The command line "NAME ARGS", as GRUB and QEMU give it: 0, or a refusal if it is longer than
 * n - 1 bytes. */
int load_multiboot_command_line(struct loading *l, char *line, size_t n);

/* Enter it, with the magic of its version in EAX and the information's address in EBX. */
int load_multiboot_enter(struct loading *l, uint64_t entry, uint32_t magic, gpa_t info);

#endif
