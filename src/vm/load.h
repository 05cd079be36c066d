/*
 * vm/load.h -- a file becomes a guest: bytes in memory and a CPU about to run.
 *
 * What firmware and a boot loader do on a real PC, done by the monitor before
 * the first instruction: recognise the file, check every number in it, place
 * its parts in RAM and say in which state the CPU is entered.  Works on guest
 * memory only; it knows no device and no engine.
 *
 * Files are hostile.  A file is placed whole or refused with one sentence that
 * says what is wrong, where, and what to do; after a refusal guest memory
 * holds rubbish but nothing outside it was touched.
 *
 * doc/loading.md tells the entry state of each format.
 */
#ifndef VM_LOAD_H
#define VM_LOAD_H

#include "base/types.h"
#include "cpu/state.h"

struct disk_image;
struct gmem;

/*    id         --format    one line */
#define LOAD_LIST(X)                                                                         \
    X(ELF,       "elf",       "ELF for i386 (32-bit flat entry) or x86-64 (long mode)")      \
    X(MULTIBOOT, "multiboot", "Multiboot 1, ELF or with addresses in the header")            \
    X(MULTIBOOT2, "multiboot2", "Multiboot 2, ELF or with addresses in the header")          \
    X(LINUX,     "linux",     "Linux boot protocol 2.06 or later, 32-bit entry")             \
    X(LINUX64,   "linux64",   "the same, 64-bit entry (never chosen unasked)")               \
    X(BOOT,      "boot",      "disk image with a boot sector, started by the BIOS ROM; boot:0 "  \
                              "and boot:0x80 choose the drive")                              \
    X(FLAT,      "flat",      "flat[@ADDR][:16|32|64]: bytes as they are (never chosen unasked)")

enum load_format {
#define X(id, name, about) LOAD_##id,
    LOAD_LIST(X)
#undef X
    N_LOAD_FORMATS
};

struct load_format_info { const char *name, *about; };
extern const struct load_format_info load_formats[N_LOAD_FORMATS];

struct load_request {
    const char *path;           /* the kernel or disk image                               */
    const char *initrd;         /* "FILE[ ARGS][,FILE[ ARGS]]...": initrd, or modules; NULL: none */
    const char *append;         /* kernel command line; NULL: empty                       */
    const char *format;         /* a name of LOAD_LIST; NULL or "auto": by its magic      */
    const char *bios;           /* a BIOS image in the place of ours; NULL: ours.  The same as
                                   path: there is no disk                                 */
    bool        from_disk;      /* there is no guest's file: path is hda's image, and the BIOS
                                   starts its boot sector                                 */
    const struct disk_image *disk;  /* MAX_DISKS of the machine's, to tell the BIOS of; NULL:
                                       none.  vm_load() fills it in                       */
};

/* What lies where, in the order of placing: for `info load` and for overlaps. */
struct load_range { gpa_t base; uint64_t len; const char *what; };
#define LOAD_MAX_RANGES 96

struct load_result {
    struct cpu_state  cpu;          /* complete: hand it to the engine              */
    enum load_format  format;
    const char       *about;        /* "ELF64, entered in long mode"                */
    uint64_t          entry;        /* gpa of the first instruction                 */
    const char       *symbols_path; /* the request's path if it is an ELF, else NULL */
    char              note[256];    /* what its author should know, a sentence; or empty */

    /* Of Multiboot: the pages of the stack and the GDT that the CPU is entered with, though the
     * specification promises neither; 0: promised.  (Page 0 is never used for them.) */
    gpa_t             unpromised_stack, unpromised_gdt;

    unsigned          n_ranges;
    struct load_range range[LOAD_MAX_RANGES];
};

/* Load r->path into m.  0, or -errno and one sentence in why (n bytes). */
int load_guest(struct gmem *m, const struct load_request *r, struct load_result *out,
               char *why, size_t n);

/* The same in two steps: the files' contents may be placed again and again, by a
 * machine that resets and may not open files any more.  r's strings must live as
 * long as the files.  NULL, or -errno, and a sentence in why. */
struct load_files;
struct load_files *load_files_read(const struct load_request *r, char *why, size_t n);
void load_files_free(struct load_files *f);
int load_files_place(const struct load_files *f, struct gmem *m, struct load_result *out,
                     char *why, size_t n);

/* What they were asked for, and a number for their contents. */
const struct load_request *load_files_request(const struct load_files *f);
uint64_t load_files_hash(const struct load_files *f);

/* The bytes of r->path, which the files keep; valid as long as they are. */
const void *load_files_image(const struct load_files *f, uint64_t *n_bytes);

/* The same with the files' contents already in memory; r->path is only a name.  bios: what
 * r->bios names, or NULL. */
struct load_file { const void *bytes; uint64_t size; const char *name; };
#define LOAD_MAX_MODULES 16
int load_guest_mem(struct gmem *m, const struct load_request *r, const struct load_file *image,
                   const struct load_file *bios, const struct load_file *modules,
                   unsigned n_modules, struct load_result *out, char *why, size_t n);

/* Copy our BIOS into the ROM regions of m that cover 0xf0000 and 0xffff0000, if
 * there are any.  load_guest() does it; a machine reset needs it not again. */
#define BIOS_BASE       0xf0000
#define BIOS_ALIAS_BASE UINT64_C(0xffff0000)
#define BIOS_SIZE       0x10000
void load_bios(struct gmem *m);

/* A BIOS image may have so many bytes: 64, 128 or 256 KiB, of which the last is the byte below
 * 1 MiB and below 4 GiB.  More would lie upon the screen's memory. */
#define BIOS_SIZE_MAX   0x40000
bool load_rom_fits(uint64_t bytes);

/* The size of the BIOS image in a file, which is the size that the machine's ROM must have.
 * 0, or -errno and one sentence in why (n bytes). */
int load_rom_size(const char *path, uint32_t *bytes, char *why, size_t n);

/* The memory map a PC's firmware gives: usable RAM without 0x9fc00-0xfffff,
 * and what is reserved.  [ACPI "System Address Map Interfaces"] */
enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };
struct e820_entry { uint64_t base, len; uint32_t type; } __attribute__((packed));
#define E820_MAX 32
unsigned e820_make(const struct gmem *m, struct e820_entry out[E820_MAX]);

#endif
