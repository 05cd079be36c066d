/*
 * vm/load_multiboot_header.c -- the header by which a kernel says that it is Multiboot, and the
 * kernel placed as it says.
 *
 *   Multiboot 1, in the first 8 KiB, at a multiple of 4:
 *     offset  0 magic 1badb002  4 flags   8 checksum: the three sum to 0
 *            12 header_addr    16 load_addr   20 load_end_addr
 *            24 bss_end_addr   28 entry_addr       (12..31 only if flag 16)
 *
 *   Multiboot 2, in the first 32 KiB, at a multiple of 8:
 *     offset  0 magic e85250d6  4 architecture (0: i386)  8 header_length
 *            12 checksum: the four sum to 0
 *            16 ... tags: type (16 bits), flags (16), size (32), contents; each at a
 *                   multiple of 8; type 0 ends the list
 *
 * A file that holds the magic in a header which no loader would accept is told so: it is
 * the most common mistake.
 * [Multiboot 0.6.96 "OS image format"; Multiboot2 2.0 "OS image format"]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/x86.h"
#include "mem/gmem.h"
#include "vm/load_multiboot.h"

/* Of each version: the header's magic, how far it may lie in the file and at multiples of what,
 * how many bytes it has at least, and how many 32-bit words its checksum makes 0; and the number
 * by which the kernel knows that it was a loader of this version. */
static const struct rules {
    uint32_t magic, search, align, size, summed, answer;
} rules[3] = {
    [1] = { 0x1badb002, 8192,  4, 12, 3, 0x2badb002 },
    [2] = { 0xe85250d6, 32768, 8, 16, 4, 0x36d76289 },
};

#define WANT_PAGES    BIT(0)        /* modules on page boundaries: we always do */
#define WANT_MEMORY   BIT(1)
#define WANT_VIDEO    BIT(2)        /* a wish; what there is, is in the framebuffer fields */
#define WANT_UNKNOWN  (FIELD(15, 0) & ~(WANT_PAGES | WANT_MEMORY | WANT_VIDEO))
#define HAS_ADDRESSES BIT(16)

#define FARTHEST      BIT(24)       /* what lies behind in a file is not looked at */

static uint32_t sum_at(const uint8_t *p, unsigned words)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < words; i++)
        sum += get32(p + 4 * i);
    return sum;
}

/* Offset of the header of this version, or -1. */
static int64_t find_header(const struct load_file *f, unsigned version)
{
    const struct rules *r = &rules[version];
    const uint8_t *p = f->bytes;
    uint64_t end = f->size < r->search ? f->size : r->search;

    for (uint64_t at = 0; at + r->size <= end; at += r->align)
        if (get32(p + at) == r->magic && sum_at(p + at, r->summed) == 0)
            return (int64_t)at;
    return -1;
}

/* A disk image may hold the magic by chance, or for the sake of what it boots later; it is a disk
 * nevertheless. */
static bool recognise(const struct load_file *f, unsigned version)
{
    return find_header(f, version) >= 0 && (load_is_elf(f) || !load_is_boot(f));
}

bool load_is_multiboot(const struct load_file *f)
{
    return recognise(f, 1);
}

bool load_is_multiboot2(const struct load_file *f)
{
    return recognise(f, 2);
}

/* What keeps the magic at p + at from being a header's; false: nothing that is known here. */
static bool tell_mistake(const struct rules *r, const struct load_file *f, uint64_t at, char *out,
                         size_t n)
{
    const uint8_t *p = (const uint8_t *)f->bytes + at;

    if (at + r->size > f->size)
        snprintf(out, n, "its Multiboot header at %#" PRIx64 " is cut off by the end of the file",
                 at);
    else if (at + r->size > r->search)
        snprintf(out, n, "its Multiboot header is at offset %#" PRIx64 ", and loaders look for it "
                 "in the first %u KiB only: put its section first in the linker script", at,
                 r->search / 1024);
    else if (at % r->align)
        snprintf(out, n, "its Multiboot header is at offset %#" PRIx64 ", which is no multiple of "
                 "%u: align it (.align %u)", at, r->align, r->align);
    else if (sum_at(p, r->summed))
        snprintf(out, n, "the checksum of its Multiboot header at %#" PRIx64 " is %#x and must be "
                 "%#x", at, get32(p + 4 * (r->summed - 1)), 0u - sum_at(p, r->summed - 1));
    else
        return false;
    return true;
}

/* A kernel without a header that asks whether a Multiboot loader has started it was meant to have
 * one; false: it does not ask. */
static bool tell_missing(const struct load_file *f, char *out, size_t n)
{
    const uint8_t *p = f->bytes;

    for (unsigned version = 1; version <= 2; version++)
        for (uint64_t at = 0; at + 4 <= f->size && at < FARTHEST; at++)
            if (get32(p + at) == rules[version].answer) {
                snprintf(out, n, "it has no Multiboot header, but knows what a loader would say "
                         "(%#x): has --gc-sections dropped it (KEEP() in the linker script)",
                         rules[version].answer);
                return true;
            }
    return false;
}

bool load_multiboot_why_not(const struct load_file *f, char *out, size_t n)
{
    const uint8_t *p = f->bytes;

    for (unsigned version = 1; version <= 2; version++)
        for (uint64_t at = 0; at + 4 <= f->size && at < FARTHEST; at++)
            if (get32(p + at) == rules[version].magic)
                return tell_mistake(&rules[version], f, at, out, n);
    return tell_missing(f, out, n);
}

void load_multiboot_check_entry(struct loading *l, uint64_t entry)
{
    uint8_t first[4];

    if (!l->out->note[0] && gmem_read(l->m, entry, first, sizeof(first)) == 0 &&
        (get32(first) == rules[1].magic || get32(first) == rules[2].magic))
        load_note(l, "its entry point %#" PRIx64 " is its Multiboot header, which is no code: "
                  "is _start behind it, and named by ENTRY() of the linker script?", entry);
}

/* ---- reading it ---- */

/* Bits 0 to 15 of the flags are demands: a loader that does not know one must refuse the kernel.
 * Bits 16 to 31 may be ignored by one that does not know them.
 * [Multiboot 0.6.96 "The magic fields of Multiboot header"] */
static int read_1(struct loading *l, struct multiboot_header *h)
{
    const uint8_t *p = (const uint8_t *)l->image->bytes + h->at;
    uint32_t flags = get32(p + 4);

    if (flags & WANT_UNKNOWN)
        return load_refuse(l, ENOTSUP, "its Multiboot header demands features %#" PRIx64
                           " that Multiboot 1 does not define", flags & WANT_UNKNOWN);
    h->wants_graphics = flags & WANT_VIDEO && h->at + 36 <= l->image->size && get32(p + 32) == 0;
    if (!(flags & HAS_ADDRESSES))
        return 0;
    if (h->at + 32 > l->image->size)
        return load_refuse(l, ENOEXEC, "the Multiboot header at %#" PRIx64 " promises load "
                           "addresses but is cut off by the end of the file", h->at);
    h->has_addresses = h->has_entry = true;
    h->header_addr = get32(p + 12);
    h->load = get32(p + 16);
    h->load_end = get32(p + 20);
    h->bss_end = get32(p + 24);
    h->entry = get32(p + 28);
    return 0;
}

enum { TAG_END, TAG_REQUEST, TAG_ADDRESS, TAG_ENTRY, TAG_CONSOLE, TAG_FRAMEBUFFER,
       TAG_RELOCATABLE = 10 };
#define TAG_OPTIONAL BIT(0)

/* One tag of a Multiboot 2 header, whose `size` bytes are in the file.  Of those that are not
 * here some are for UEFI, and some are about what we do anyway (modules on pages).
 * [Multiboot2 2.0 "Header tags"] */
static int read_tag(struct loading *l, const uint8_t *p, uint32_t size, struct multiboot_header *h)
{
    switch (get16(p)) {
    case TAG_ADDRESS:
        if (size < 24)
            break;
        h->has_addresses = true;
        h->header_addr = get32(p + 8);
        h->load = get32(p + 12);
        h->load_end = get32(p + 16);
        h->bss_end = get32(p + 20);
        return 0;
    case TAG_ENTRY:
        if (size < 12)
            break;
        h->has_entry = true;
        h->entry = get32(p + 8);
        return 0;
    case TAG_FRAMEBUFFER:
        h->wants_graphics = size >= 20 && get32(p + 16);
        return 0;
    default:
        if (get16(p) <= TAG_RELOCATABLE || get16(p + 2) & TAG_OPTIONAL)
            return 0;
        return load_refuse(l, ENOTSUP, "its Multiboot 2 header demands tag %u, which Multiboot 2 "
                           "does not define", get16(p));
    }
    return load_refuse(l, ENOEXEC, "tag %u of its Multiboot 2 header has only %u bytes", get16(p),
                       size);
}

static int read_2(struct loading *l, struct multiboot_header *h)
{
    const uint8_t *p = (const uint8_t *)l->image->bytes + h->at;
    uint64_t length = get32(p + 8), at = 16;
    int err = 0;

    if (get32(p + 4))
        return load_refuse(l, ENOTSUP, "its Multiboot 2 header is for architecture %u; i386 is 0",
                           get32(p + 4));
    if (length > l->image->size - h->at)
        return load_refuse(l, ENOEXEC, "its Multiboot 2 header at %#" PRIx64 " says that it has %"
                           PRIu64 " bytes, more than the file", h->at, length);
    while (!err && at + 8 <= length) {
        uint32_t size = get32(p + at + 4);
        if (get16(p + at) == TAG_END && size >= 8)
            return 0;
        if (size < 8 || size > length - at)
            return load_refuse(l, ENOEXEC, "tag %u of its Multiboot 2 header has a size of %u "
                               "bytes, which does not fit in", get16(p + at), size);
        err = read_tag(l, p + at, size, h);
        at += (size + 7) & ~UINT64_C(7);
    }
    return err ? err : load_refuse(l, ENOEXEC, "the tags of its Multiboot 2 header have no end: "
                                   "the last must be of type 0 and size 8, and header_length "
                                   "must count it");
}

int load_multiboot_header(struct loading *l, unsigned version, struct multiboot_header *h)
{
    int64_t at = find_header(l->image, version);
    char why[200];
    int err;

    if (at < 0 && load_multiboot_why_not(l->image, why, sizeof(why)))
        return load_refuse(l, ENOEXEC, "it is no Multiboot kernel: %s", why);
    if (at < 0)
        return load_refuse(l, ENOEXEC, "it has no Multiboot header (magic %#x with a right "
                           "checksum) in its first %u KiB", rules[version].magic,
                           rules[version].search / 1024);
    *h = (struct multiboot_header){ .version = version, .at = (uint64_t)at };
    err = version == 1 ? read_1(l, h) : read_2(l, h);
    if (!err && h->wants_graphics)
        load_note(l, "it asks for a graphics mode; it gets the 80 x 25 text screen, for graphics "
                  "are not drawn here");
    return err;
}

/* ---- placing the kernel ---- */

/* The addresses are in the header.  header_addr says where in memory the header itself
 * is to be; the distance to load_addr is the same in the file, which gives the offset of the
 * first byte.  load_end_addr 0 means the whole file, bss_end_addr 0 means no .bss.
 * [Multiboot 0.6.96 "The address fields of Multiboot header"] */
static int place_by_header(struct loading *l, const struct multiboot_header *h, uint64_t *entry)
{
    uint64_t offset, bytes, load = h->load, size = l->image->size;

    if (!h->has_entry)
        return load_refuse(l, ENOEXEC, "its Multiboot 2 header has an address tag and no entry "
                           "address tag, so where to begin is unknown");
    if (load > h->header_addr || h->header_addr - load > h->at)
        return load_refuse(l, ENOEXEC, "Multiboot load_addr %#" PRIx64 " and header_addr %#x"
                           " do not fit a header at offset %#" PRIx64 "; check the header",
                           load, h->header_addr, h->at);
    offset = h->at - (h->header_addr - load);
    bytes = h->load_end ? h->load_end - load : size - offset;
    if ((h->load_end && h->load_end < load) || bytes > size - offset)
        return load_refuse(l, ENOEXEC, "Multiboot load_end_addr %#x asks for bytes the "
                           "file does not have; it is truncated or the header is wrong",
                           h->load_end);
    if (h->bss_end && h->bss_end < load + bytes)
        return load_refuse(l, ENOEXEC, "Multiboot bss_end_addr %#x lies before the end "
                           "of the loaded bytes %#" PRIx64, h->bss_end, load + bytes);
    if (h->entry < load || h->entry >= load + bytes)
        return load_refuse(l, ENOEXEC, "Multiboot entry_addr %#x is outside the loaded "
                           "bytes %#" PRIx64 "-%#" PRIx64, h->entry, load, load + bytes);
    *entry = h->entry;
    return load_place(l, "the kernel", load, (const uint8_t *)l->image->bytes + offset, bytes,
                      h->bss_end ? h->bss_end - load : bytes);
}

/* Addresses in the header come first, even of an ELF file. */
int load_multiboot_kernel(struct loading *l, const struct multiboot_header *h, uint64_t *entry)
{
    bool is_64;
    int err;

    if (load_is_elf(l->image))
        l->out->symbols_path = l->r->path;
    if (h->has_addresses)
        return place_by_header(l, h, entry);
    if (!load_is_elf(l->image))
        return load_refuse(l, ENOEXEC, "its Multiboot header gives no addresses (%s) and it "
                           "is not an ELF file, so where to load it is unknown",
                           h->version == 1 ? "flag 16" : "the address tag");
    err = load_elf_segments(l, true, &is_64, entry);
    if (!err && h->has_entry)
        err = load_check_entry(l, *entry = h->entry);
    return err;
}

/* Modules follow the kernel, each on a page of its own, as GRUB does. */
int load_multiboot_modules(struct loading *l, gpa_t at[LOAD_MAX_MODULES])
{
    int err = 0;

    for (unsigned i = 0; i < l->n_modules && !err; i++) {
        const struct load_file *f = &l->modules[i];
        gpa_t from = load_end(l);

        if (!load_find(l, f->size, PAGE_SIZE, from, FOUR_GIB, LOAD_LOWEST, &at[i]))
            return load_refuse_size(l, "a module", f->size, from + PAGE_SIZE + f->size);
        err = load_place(l, "a module", at[i], f->bytes, f->size, f->size);
    }
    return err;
}

int load_multiboot_command_line(struct loading *l, char *line, size_t n)
{
    const char *slash = strrchr(l->r->path, '/');
    const char *append = l->r->append ? l->r->append : "";
    int len = snprintf(line, n, "%s%s%s", slash ? slash + 1 : l->r->path, *append ? " " : "",
                       append);

    if (len < 0 || (size_t)len >= n)
        return load_refuse(l, E2BIG, "its command line has %d characters, more than %zu", len,
                           n - 1);
    return 0;
}

/* 32-bit protected mode with flat segments, paging and interrupts off, whatever the class of an
 * ELF file.  The specification leaves ESP and GDTR undefined.  Every loader has something there,
 * and kernels come to lean on it, so we have it, too; who touches it is told.
 * [Multiboot 0.6.96 "Machine state"; Multiboot2 2.0 "I386 machine state"] */
int load_multiboot_enter(struct loading *l, uint64_t entry, uint32_t magic, gpa_t info)
{
    struct cpu_state *s = &l->out->cpu;
    int err = load_enter_flat32(l, BOOT_GDT_PC, entry);

    if (!err)
        err = load_stack(l);
    load_multiboot_check_entry(l, entry);
    s->gpr[RAX] = magic;
    s->gpr[RBX] = info;
    l->out->unpromised_stack = (s->gpr[RSP] - 1) & PAGE_MASK;
    l->out->unpromised_gdt = s->gdtr.base & PAGE_MASK;
    return err;
}
