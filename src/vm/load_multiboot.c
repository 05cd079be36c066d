/*
 * vm/load_multiboot.c -- Multiboot 1: the kernel says in a header what it wants.
 *
 * The header is somewhere in the first 8 KiB.  The bytes are placed by the ELF
 * program headers or, if flag 16 is set, by addresses in the header.  EBX
 * points to the information structure.  [Multiboot 0.6.96 "OS image format",
 * "Machine state", "Boot information format"]
 *
 *   offset  0 magic          4 flags        8 checksum: the three sum to 0
 *          12 header_addr   16 load_addr   20 load_end_addr
 *          24 bss_end_addr  28 entry_addr       (12..31 only if flag 16)
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/x86.h"
#include "vm/loading.h"

#define SEARCH_BYTES  8192
#define HEADER_MAGIC  0x1badb002u
#define LOADER_MAGIC  0x2badb002u

#define WANT_PAGES    BIT(0)        /* modules on page boundaries: we always do */
#define WANT_MEMORY   BIT(1)
#define WANT_VIDEO    BIT(2)        /* a wish; what there is, is in the framebuffer fields */
#define WANT_UNKNOWN  (FIELD(15, 0) & ~(WANT_PAGES | WANT_MEMORY | WANT_VIDEO))
#define HAS_ADDRESSES BIT(16)

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

/* Offset of the header, or -1. */
static int64_t find_header(const struct load_file *f)
{
    const uint8_t *p = f->bytes;
    uint64_t end = f->size < SEARCH_BYTES ? f->size : SEARCH_BYTES;

    for (uint64_t at = 0; at + 12 <= end; at += 4)
        if (get32(p + at) == HEADER_MAGIC &&
            HEADER_MAGIC + get32(p + at + 4) + get32(p + at + 8) == 0)
            return (int64_t)at;
    return -1;
}

/* An ELF64 file with a Multiboot header is ambiguous: GRUB 2 enters it in 32-bit
 * mode, QEMU refuses it.  Unasked, we take the file at its word: 64-bit code. */
bool load_is_multiboot(const struct load_file *f)
{
    return !load_is_elf64(f) && find_header(f) >= 0;
}

/* Flag 16: the addresses are in the header.  header_addr says where in memory the header itself
 * is to be; the distance to load_addr is the same in the file, which gives the offset of the
 * first byte.  load_end_addr 0 means the whole file, bss_end_addr 0 means no .bss.
 * [Multiboot 0.6.96 "The address fields of Multiboot header"] */
static int place_by_header(struct loading *l, uint64_t at, uint64_t *entry)
{
    const uint8_t *file = l->image->bytes, *h = file + at;
    uint64_t header_addr, load, load_end, bss_end, offset, bytes;

    if (at + 32 > l->image->size)
        return load_refuse(l, ENOEXEC, "the Multiboot header at %#" PRIx64 " promises load "
                           "addresses but is cut off by the end of the file", at);
    header_addr = get32(h + 12);
    load = get32(h + 16);
    load_end = get32(h + 20);
    bss_end = get32(h + 24);
    *entry = get32(h + 28);

    if (load > header_addr || header_addr - load > at)
        return load_refuse(l, ENOEXEC, "Multiboot load_addr %#" PRIx64 " and header_addr %#" PRIx64
                           " do not fit a header at offset %#" PRIx64 "; check the header",
                           load, header_addr, at);
    offset = at - (header_addr - load);
    bytes = load_end ? load_end - load : l->image->size - offset;
    if ((load_end && load_end < load) || bytes > l->image->size - offset)
        return load_refuse(l, ENOEXEC, "Multiboot load_end_addr %#" PRIx64 " asks for bytes the "
                           "file does not have; it is truncated or the header is wrong", load_end);
    if (bss_end && bss_end < load + bytes)
        return load_refuse(l, ENOEXEC, "Multiboot bss_end_addr %#" PRIx64 " lies before the end "
                           "of the loaded bytes %#" PRIx64, bss_end, load + bytes);
    if (*entry < load || *entry >= load + bytes)
        return load_refuse(l, ENOEXEC, "Multiboot entry_addr %#" PRIx64 " is outside the loaded "
                           "bytes %#" PRIx64 "-%#" PRIx64, *entry, load, load + bytes);
    return load_place(l, "the kernel", load, file + offset, bytes,
                      bss_end ? bss_end - load : bytes);
}

/* Bits 0 to 15 of the flags are demands: a loader that does not know one must refuse the kernel.
 * Bits 16 to 31 may be ignored by one that does not know them.
 * [Multiboot 0.6.96 "The magic fields of Multiboot header"] */
static int place_kernel(struct loading *l, uint64_t *entry)
{
    int64_t at = find_header(l->image);
    uint64_t flags;
    bool is_64;

    if (at < 0)
        return load_refuse(l, ENOEXEC, "it has no Multiboot header (magic 0x1badb002 with a right "
                           "checksum) in its first 8 KiB");
    flags = get32((const uint8_t *)l->image->bytes + at + 4);
    if (flags & WANT_UNKNOWN)
        return load_refuse(l, ENOTSUP, "its Multiboot header demands features %#" PRIx64
                           " that Multiboot 1 does not define", flags & WANT_UNKNOWN);
    if (load_is_elf(l->image)) {
        l->out->symbols_path = l->r->path;
        return load_elf_segments(l, true, &is_64, entry);
    }
    if (!(flags & HAS_ADDRESSES))
        return load_refuse(l, ENOEXEC, "its Multiboot header gives no addresses (flag 16) and it "
                           "is not an ELF file, so where to load it is unknown");
    return place_by_header(l, (uint64_t)at, entry);
}

/* Modules follow the kernel, each on a page of its own, as GRUB does. */
static int place_modules(struct loading *l, uint8_t *mbi)
{
    uint8_t list[LOAD_MAX_MODULES * MODULE_ENTRY] = { 0 };
    gpa_t at, name_at;
    int err = 0;

    for (unsigned i = 0; i < l->n_modules && !err; i++) {
        const struct load_file *f = &l->modules[i];
        uint8_t *e = list + i * MODULE_ENTRY;

        if (!load_find(l, f->size, PAGE_SIZE, load_end(l), FOUR_GIB, LOAD_LOWEST, &at))
            return load_refuse(l, ENOMEM, "no room in RAM for module %s (%" PRIu64 " bytes) after "
                               "the kernel; give the guest more with --mem", f->name, f->size);
        err = load_place(l, "a module", at, f->bytes, f->size, f->size);
        if (!err)
            err = load_add(l, "a module's name", f->name, strlen(f->name) + 1, 4, &name_at);
        put32(e, (uint32_t)at);
        put32(e + 4, (uint32_t)(at + f->size));
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
 * ranges.  Each entry begins with its size, which does not count the size field.
 * [Multiboot 0.6.96 "Boot information format"] */
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

/* Command line ("NAME ARGS", as GRUB and QEMU give it) and our name. */
static int place_strings(struct loading *l, uint8_t *mbi)
{
    char line[4096];
    const char *slash = strrchr(l->r->path, '/');
    const char *append = l->r->append ? l->r->append : "";
    gpa_t at;
    int n, err;

    n = snprintf(line, sizeof(line), "%s%s%s", slash ? slash + 1 : l->r->path,
                 *append ? " " : "", append);
    if (n < 0 || (size_t)n >= sizeof(line))
        return load_refuse(l, E2BIG, "its command line has %d characters, more than %zu", n,
                           sizeof(line) - 1);
    err = load_add(l, "the command line", line, (uint64_t)n + 1, 4, &at);
    if (err)
        return err;
    put32(mbi + MBI_CMDLINE, (uint32_t)at);
    err = load_add(l, "the loader's name", "Vitrine", sizeof("Vitrine"), 4, &at);
    put32(mbi + MBI_LOADER_NAME, (uint32_t)at);
    return err;
}

/* The kernel begins in 32-bit protected mode with flat segments, paging and interrupts off, and
 * no stack; EAX has the magic that tells it who has loaded it, EBX the information structure.
 * [Multiboot 0.6.96 "Machine state"] */
int load_multiboot(struct loading *l)
{
    uint8_t mbi[MBI_SIZE] = { 0 };
    uint64_t entry = 0;
    gpa_t at = 0;
    int err;

    err = place_kernel(l, &entry);
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
    if (!err)
        err = load_enter_flat32(l, entry);
    l->out->cpu.gpr[RAX] = LOADER_MAGIC;
    l->out->cpu.gpr[RBX] = at;
    l->out->about = "Multiboot 1, entered in 32-bit protected mode";
    return err;
}
