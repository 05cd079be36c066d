/*
 * vm/loading.h -- what the loaders of the formats share; private to load*.c.
 *
 * Everything that reaches guest memory goes through load_place(): it checks
 * that the bytes fall into usable RAM and onto nothing placed before.  What
 * the loader itself adds (tables, command line) is put by load_add() into
 * space that is still free, from the top of low memory downwards.
 */
#ifndef VM_LOADING_H
#define VM_LOADING_H

#include "vm/load.h"

#define LOW_TOP     0x9fc00u            /* above: the EBDA, video memory, ROMs */
#define ONE_MIB     0x100000u
#define FOUR_GIB    BIT(32)

struct loading {
    struct gmem               *m;
    const struct load_request *r;
    const struct load_file    *image;
    const struct load_file    *bios;        /* NULL: ours */
    const struct load_file    *modules;
    unsigned                   n_modules;
    struct load_result        *out;
    struct e820_entry          e820[E820_MAX];
    unsigned                   n_e820;
    char                      *why;
    size_t                     why_size;
};

/* Say why not, after the file's name; returns -err. */
int load_refuse(struct loading *l, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Not refused, but worth a sentence to the kernel's author: load_result's note.  The last one
 * counts. */
void load_note(struct loading *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put file_bytes of `bytes` and then zeros up to mem_bytes at base, or refuse. */
int load_place(struct loading *l, const char *what, gpa_t base, const void *bytes,
               uint64_t file_bytes, uint64_t mem_bytes);

/* The checks of load_place() without the bytes: this range is taken. */
int load_reserve(struct loading *l, const char *what, gpa_t base, uint64_t bytes);

/* Would load_reserve() take it? */
bool load_is_free(const struct loading *l, gpa_t base, uint64_t bytes);

/* Refuse because `what`, of so many bytes, would need RAM up to `end`: says how much --mem. */
int load_refuse_size(struct loading *l, const char *what, uint64_t bytes, gpa_t end);

/* The lowest or highest free place in [lo, hi) of RAM; align is a power of two. */
enum load_where { LOAD_LOWEST, LOAD_HIGHEST };
bool load_find(const struct loading *l, uint64_t bytes, uint64_t align, gpa_t lo, gpa_t hi,
               enum load_where where, gpa_t *at);

/* Put `bytes` bytes of src (NULL: zeros) somewhere below LOW_TOP, or refuse. */
int load_add(struct loading *l, const char *what, const void *src, uint64_t bytes,
             uint64_t align, gpa_t *at);

/* One past the highest byte placed so far; at least ONE_MIB. */
gpa_t load_end(const struct loading *l);

/* KiB of RAM from 1 MiB up to the first hole, and all RAM below 4 GiB. */
uint64_t load_ram_above_1m_kib(const struct loading *l);

/* Whose selectors: 08 and 10, as PC boot loaders have them, or 10 and 18 for Linux. */
enum boot_gdt_kind { BOOT_GDT_PC, BOOT_GDT_LINUX };

/* Entry states; each fills l->out->cpu from the reset state.  [SDM 3A
 * "Switching to Protected Mode", "Initializing IA-32e Mode"] */
int  load_enter_flat32(struct loading *l, enum boot_gdt_kind kind, uint64_t entry);
int  load_enter_long(struct loading *l, enum boot_gdt_kind kind, uint64_t entry);
void load_enter_real(struct loading *l, uint32_t entry, uint16_t sp);
void load_enter_reset(struct loading *l);       /* FFFF:FFF0, in the BIOS */
int  load_stack(struct loading *l);     /* RSP = top of a stack in low memory */

/* What a BIOS has left in RAM by the time it starts something: interrupt vectors, the BIOS data
 * area, and our BIOS's notes in the EBDA about memory and, if disk is not NULL, the disk. */
struct bios_disk { gpa_t at; uint32_t sectors; uint16_t per_track, heads; uint8_t drive; };
void load_bios_areas(struct loading *l, const struct bios_disk *disk);

/* One per format; `recognises` looks at the bytes only. */
bool load_is_elf(const struct load_file *f);
bool load_is_multiboot(const struct load_file *f);
bool load_is_multiboot2(const struct load_file *f);
bool load_is_linux(const struct load_file *f);
bool load_is_boot(const struct load_file *f);
int  load_elf(struct loading *l);
int  load_multiboot(struct loading *l);
int  load_multiboot2(struct loading *l);
int  load_linux(struct loading *l);
int  load_boot(struct loading *l);
int  load_from_disk(struct loading *l);         /* the BIOS reads it from a drive */
int  load_flat(struct loading *l);
int  load_rom(struct loading *l);               /* a BIOS image, and the disk if there is one */

/* Note it if a kernel, which has been placed, would be entered at its Multiboot header; unless
 * there is something else to be said of that. */
void load_multiboot_check_entry(struct loading *l, uint64_t entry);

/* What keeps a file from being what its author may have meant it to be.  False: it does not look
 * like a Multiboot kernel at all. */
bool load_multiboot_why_not(const struct load_file *f, char *out, size_t n);
void load_boot_why_not(const struct load_file *f, char *out, size_t n);

/* 0 if a physical entry point lies in something that was placed, or a refusal. */
int load_check_entry(struct loading *l, uint64_t entry);

/* ELF segments placed at their physical addresses, with the physical entry. */
int load_elf_segments(struct loading *l, bool any_class, bool *is_64, uint64_t *entry);

/* Little-endian fields of a file; the caller has checked the bounds. */
static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static inline uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p + 2, (uint16_t)(v >> 16));
}

static inline void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

#endif
