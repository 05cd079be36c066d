/*
 * debugger/symbols/guest_file.c -- the guest's loaded segments by libelf, its source lines by
 * line_table.c.
 *
 * The file may be hostile: libelf checks the headers that it hands out, and add_segments()
 * sees to it that nothing outside of the file is read.
 */
#include "debugger/symbols/guest_file.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEGMENTS 64

/* Segments are kept as (virtual address, bytes in the file, offset in the file), with the physical
 * address and whether they are code. */
struct guest_file {
    int    fd;
    Elf   *elf;
    size_t n;
    struct { uint64_t at, bytes, offset, physical; bool is_code; } segment[MAX_SEGMENTS];
    const char *raw;            /* the whole file, mapped */
    size_t raw_bytes;
    struct source *source;      /* NULL: no debug information */
};

/* Note the segments that are loaded; one that would reach behind the end of the file is left
 * out.  [ELF "Program Header"] */
static void add_segments(struct guest_file *g)
{
    size_t n = 0;
    elf_getphdrnum(g->elf, &n);
    for (size_t i = 0; i < n && g->n < MAX_SEGMENTS; i++) {
        GElf_Phdr h;
        if (!gelf_getphdr(g->elf, (int)i, &h) || h.p_type != PT_LOAD || h.p_offset > g->raw_bytes
            || h.p_filesz > g->raw_bytes - h.p_offset)
            continue;
        g->segment[g->n].at = h.p_vaddr;
        g->segment[g->n].bytes = h.p_filesz;
        g->segment[g->n].physical = h.p_paddr;
        g->segment[g->n].is_code = h.p_flags & PF_X;
        g->segment[g->n++].offset = h.p_offset;
    }
}

struct guest_file *guest_file_open(const char *path)
{
    struct guest_file *g = path ? calloc(1, sizeof *g) : NULL;
    if (!g)
        return NULL;
    elf_version(EV_CURRENT);
    g->fd = open(path, O_RDONLY | O_CLOEXEC);
    g->elf = g->fd < 0 ? NULL : elf_begin(g->fd, ELF_C_READ_MMAP, NULL);
    g->raw = g->elf ? elf_rawfile(g->elf, &g->raw_bytes) : NULL;
    if (!g->raw || elf_kind(g->elf) != ELF_K_ELF) {
        guest_file_close(g);
        return NULL;
    }
    add_segments(g);
    g->source = source_open_file(path);
    return g;
}

void guest_file_close(struct guest_file *g)
{
    if (!g)
        return;
    source_close(g->source);
    elf_end(g->elf);
    if (g->fd >= 0)
        close(g->fd);
    free(g);
}

unsigned guest_file_read(const struct guest_file *g, uint64_t at, uint8_t *buf, unsigned n)
{
    for (size_t i = 0; g && i < g->n; i++) {
        uint64_t in = at - g->segment[i].at;
        if (at < g->segment[i].at || in >= g->segment[i].bytes)
            continue;
        uint64_t have = g->segment[i].bytes - in;
        unsigned take = have < n ? (unsigned)have : n;
        memcpy(buf, g->raw + g->segment[i].offset + in, take);
        return take;
    }
    return 0;
}

bool guest_file_code(const struct guest_file *g, size_t i, uint64_t *physical,
                     const uint8_t **bytes, uint64_t *n)
{
    for (size_t k = 0; g && k < g->n; k++) {
        if (!g->segment[k].is_code || i--)
            continue;
        *physical = g->segment[k].physical;
        *bytes = (const uint8_t *)g->raw + g->segment[k].offset;
        *n = g->segment[k].bytes;
        return true;
    }
    return false;
}

bool guest_file_place(struct guest_file *g, uint64_t at, struct source_place *p)
{
    *p = (struct source_place){ .line = 0 };
    return g && source_of_address(g->source, at, p);
}

const char *guest_file_line(struct guest_file *g, const struct source_place *p)
{
    return g ? source_line(g->source, p->file, p->line) : NULL;
}
