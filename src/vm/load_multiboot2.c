/*
 * vm/load_multiboot2.c -- Multiboot 2: the information is a list of tags.
 *
 *     u32 total_size, u32 0, then tags, each at a multiple of 8:
 *     u32 type, u32 size (of the tag, without what pads it), contents
 *     the last is of type 0 and size 8
 *
 * Not among them: ACPI tables, as this machine has none, and what belongs to UEFI.
 * [Multiboot2 2.0 "Boot information format"]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "vm/load_multiboot.h"

#define LOADER_MAGIC 0x36d76289u

enum { INFO_END, INFO_CMDLINE, INFO_LOADER_NAME, INFO_MODULE, INFO_MEMORY, INFO_MMAP = 6,
       INFO_FRAMEBUFFER = 8 };
#define FB_EGA_TEXT 2
#define MMAP_ENTRY  24

/* The list being made.  Freed by load_multiboot2(). */
struct tags { uint8_t *bytes; uint64_t n; };

/* A new tag with so many bytes of contents, all 0; NULL: no memory. */
static uint8_t *add_tag(struct tags *t, uint32_t type, uint64_t contents)
{
    uint64_t size = 8 + contents, room = t->n + ((size + 7) & ~UINT64_C(7));
    uint8_t *more = realloc(t->bytes, room), *tag;

    if (!more)
        return NULL;
    t->bytes = more;
    tag = more + t->n;
    memset(tag, 0, room - t->n);
    put32(tag, type);
    put32(tag + 4, (uint32_t)size);
    t->n = room;
    return tag + 8;
}

static bool add_string(struct tags *t, uint32_t type, const char *s)
{
    uint8_t *p = add_tag(t, type, strlen(s) + 1);

    if (p)
        memcpy(p, s, strlen(s) + 1);
    return p;
}

static bool add_modules(const struct loading *l, struct tags *t, const gpa_t at[])
{
    for (unsigned i = 0; i < l->n_modules; i++) {
        const struct load_file *f = &l->modules[i];
        uint8_t *p = add_tag(t, INFO_MODULE, 8 + strlen(f->name) + 1);
        if (!p)
            return false;
        put32(p, (uint32_t)at[i]);
        put32(p + 4, (uint32_t)(at[i] + f->size));
        memcpy(p + 8, f->name, strlen(f->name) + 1);
    }
    return true;
}

/* KiB below and from 1 MiB, then the map of all ranges. */
static bool add_memory(const struct loading *l, struct tags *t)
{
    uint64_t upper = load_ram_above_1m_kib(l);
    uint8_t *p = add_tag(t, INFO_MEMORY, 8);

    if (!p)
        return false;
    put32(p, LOW_TOP / 1024);
    put32(p + 4, upper > UINT32_MAX ? UINT32_MAX : (uint32_t)upper);
    p = add_tag(t, INFO_MMAP, 8 + l->n_e820 * MMAP_ENTRY);
    if (!p)
        return false;
    put32(p, MMAP_ENTRY);
    for (unsigned i = 0; i < l->n_e820; i++) {
        uint8_t *e = p + 8 + i * MMAP_ENTRY;
        put64(e, l->e820[i].base);
        put64(e + 8, l->e820[i].len);
        put32(e + 16, l->e820[i].type);
    }
    return true;
}

/* The text screen: address, bytes in a row, columns, rows, bits in a cell. */
static bool add_framebuffer(struct tags *t)
{
    uint8_t *p = add_tag(t, INFO_FRAMEBUFFER, 24);

    if (!p)
        return false;
    put64(p, 0xb8000);
    put32(p + 8, 160);
    put32(p + 12, 80);
    put32(p + 16, 25);
    p[20] = 16;
    p[21] = FB_EGA_TEXT;
    return true;
}

static int make_tags(struct loading *l, struct tags *t)
{
    gpa_t module[LOAD_MAX_MODULES];
    char line[4096];
    int err = load_multiboot_modules(l, module);

    if (!err)
        err = load_multiboot_command_line(l, line, sizeof(line));
    if (err)
        return err;
    t->bytes = calloc(1, 8);
    t->n = 8;
    if (!t->bytes || !add_string(t, INFO_CMDLINE, line) ||
        !add_string(t, INFO_LOADER_NAME, "Vitrine") || !add_modules(l, t, module) ||
        !add_memory(l, t) || !add_framebuffer(t) || !add_tag(t, INFO_END, 0))
        return load_refuse(l, ENOMEM, "out of memory");
    put32(t->bytes, (uint32_t)t->n);
    return 0;
}

int load_multiboot2(struct loading *l)
{
    struct multiboot_header h;
    struct tags tags = { 0 };
    uint64_t entry = 0;
    gpa_t at = 0;
    int err;

    err = load_multiboot_header(l, 2, &h);
    if (!err)
        err = load_multiboot_kernel(l, &h, &entry);
    if (!err)
        err = make_tags(l, &tags);
    if (!err)
        err = load_add(l, "Multiboot information", tags.bytes, tags.n, 8, &at);
    free(tags.bytes);
    l->out->about = "Multiboot 2, entered in 32-bit protected mode";
    return err ? err : load_multiboot_enter(l, entry, LOADER_MAGIC, at);
}
