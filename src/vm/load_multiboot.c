/*
 * vm/load_multiboot.c -- Multiboot 1: the information structure that EBX points to.
 *
 * Its first word has a flag for each group of fields that is there.
 * [Multiboot 0.6.96 "Machine state", "Boot information format"]
 */
#include <string.h>
#include "vm/load_multiboot.h"

#define LOADER_MAGIC  0x2badb002u

/* Information structure: offsets and the flag that says a field is there. */
enum {
    MBI_FLAGS = 0, MBI_MEM_LOWER = 4, MBI_MEM_UPPER = 8, MBI_CMDLINE = 16, MBI_MODS_COUNT = 20,
    MBI_MODS_ADDR = 24, MBI_MMAP_LENGTH = 44, MBI_MMAP_ADDR = 48, MBI_LOADER_NAME = 64,
    MBI_FB_ADDR = 88, MBI_FB_PITCH = 96, MBI_FB_WIDTH = 100, MBI_FB_HEIGHT = 104,
    MBI_FB_BPP = 108, MBI_FB_TYPE = 109, MBI_SIZE = 116,
    MBI_HAS_MEM = 1 << 0, MBI_HAS_CMDLINE = 1 << 2, MBI_HAS_MODS = 1 << 3,
    MBI_HAS_MMAP = 1 << 6, MBI_HAS_NAME = 1 << 9, MBI_HAS_FB = 1 << 12,
};
#define MODULE_ENTRY 16
#define MMAP_ENTRY   24

/* A list of rows: first byte, one past the last, the string. */
static int place_modules(struct loading *l, uint8_t *mbi)
{
    uint8_t list[LOAD_MAX_MODULES * MODULE_ENTRY] = { 0 };
    gpa_t where[LOAD_MAX_MODULES], at, name_at;
    int err = load_multiboot_modules(l, where);

    for (unsigned i = 0; i < l->n_modules && !err; i++) {
        const struct load_file *f = &l->modules[i];
        uint8_t *e = list + i * MODULE_ENTRY;

        err = load_add(l, "a module's name", f->name, strlen(f->name) + 1, 4, &name_at);
        put32(e, (uint32_t)where[i]);
        put32(e + 4, (uint32_t)(where[i] + f->size));
        put32(e + 8, (uint32_t)name_at);
    }
    if (err || !l->n_modules)
        return err;
    err = load_add(l, "the module list", list, l->n_modules * MODULE_ENTRY, 4, &at);
    put32(mbi + MBI_MODS_COUNT, l->n_modules);
    put32(mbi + MBI_MODS_ADDR, (uint32_t)at);
    return err;
}

/* Two forms of the same: mem_lower and mem_upper, in KiB, for small kernels, and the map of all
 * ranges.  Each entry begins with its size, which does not count the size field. */
static int place_memory_map(struct loading *l, uint8_t *mbi)
{
    uint8_t map[E820_MAX * MMAP_ENTRY];
    uint32_t bytes = l->n_e820 * MMAP_ENTRY;
    uint64_t upper = load_ram_above_1m_kib(l);
    gpa_t at;
    int err;

    for (unsigned i = 0; i < l->n_e820; i++) {
        uint8_t *e = map + i * MMAP_ENTRY;
        put32(e, MMAP_ENTRY - 4);           /* the size does not count itself */
        put64(e + 4, l->e820[i].base);
        put64(e + 12, l->e820[i].len);
        put32(e + 20, l->e820[i].type);
    }
    err = load_add(l, "the memory map", map, bytes, 4, &at);
    put32(mbi + MBI_MEM_LOWER, LOW_TOP / 1024);
    put32(mbi + MBI_MEM_UPPER, upper > UINT32_MAX ? UINT32_MAX : (uint32_t)upper);
    put32(mbi + MBI_MMAP_LENGTH, bytes);
    put32(mbi + MBI_MMAP_ADDR, (uint32_t)at);
    return err;
}

/* Command line, and our name. */
static int place_strings(struct loading *l, uint8_t *mbi)
{
    char line[4096];
    gpa_t at;
    int err = load_multiboot_command_line(l, line, sizeof(line));

    if (!err)
        err = load_add(l, "the command line", line, strlen(line) + 1, 4, &at);
    if (err)
        return err;
    put32(mbi + MBI_CMDLINE, (uint32_t)at);
    err = load_add(l, "the loader's name", "Vitrine", sizeof("Vitrine"), 4, &at);
    put32(mbi + MBI_LOADER_NAME, (uint32_t)at);
    return err;
}

int load_multiboot(struct loading *l)
{
    struct multiboot_header h;
    uint8_t mbi[MBI_SIZE] = { 0 };
    uint64_t entry = 0;
    gpa_t at = 0;
    int err;

    err = load_multiboot_header(l, 1, &h);
    if (!err)
        err = load_multiboot_kernel(l, &h, &entry);
    if (!err)
        err = place_modules(l, mbi);
    if (!err)
        err = place_memory_map(l, mbi);
    if (!err)
        err = place_strings(l, mbi);
    if (err)
        return err;

    put32(mbi + MBI_FLAGS, MBI_HAS_MEM | MBI_HAS_CMDLINE | MBI_HAS_MODS | MBI_HAS_MMAP |
                           MBI_HAS_NAME | MBI_HAS_FB);
    put64(mbi + MBI_FB_ADDR, 0xb8000);      /* EGA text, 80 x 25, 2 bytes a cell */
    put32(mbi + MBI_FB_PITCH, 160);
    put32(mbi + MBI_FB_WIDTH, 80);
    put32(mbi + MBI_FB_HEIGHT, 25);
    mbi[MBI_FB_BPP] = 16;
    mbi[MBI_FB_TYPE] = 2;
    err = load_add(l, "Multiboot information", mbi, sizeof(mbi), 8, &at);
    l->out->about = "Multiboot 1, entered in 32-bit protected mode";
    return err ? err : load_multiboot_enter(l, entry, LOADER_MAGIC, at);
}
