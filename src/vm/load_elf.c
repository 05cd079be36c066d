/*
 * vm/load_elf.c -- ELF executables: kernels as a linker leaves them.
 *
 * Only the program headers count; sections are for the debugger.  Segments go
 * to their *physical* addresses (p_paddr).  A kernel linked high has its entry
 * point there too, so e_entry is translated by the segment it lies in.
 *
 *     file                            memory
 *     p_offset  +----------+          p_paddr  +----------+
 *               | p_filesz |   --->            | p_filesz |
 *               +----------+                   +----------+
 *                                              |  zeros   |  up to p_memsz: .bss
 *                                              +----------+
 *
 * p_vaddr is where the kernel will see the same bytes once it has switched paging on.  Linux,
 * linked at 0xffffffff81000000 and loaded at 16 MiB, is an example.
 *
 * i386 files are entered in 32-bit protected mode, x86-64 files in long mode.
 * [ELF "Program Header"]
 */
#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include "vm/loading.h"

/* Fewer than ranges, so that tables and modules still find a row. */
#define MAX_SEGMENTS 64

bool load_is_elf(const struct load_file *f)
{
    return f->size >= SELFMAG && memcmp(f->bytes, ELFMAG, SELFMAG) == 0;
}

static const char *type_sentence(unsigned type)
{
    switch (type) {
    case ET_REL:  return "an object file; link it (ld -T script.ld, or gcc -static -nostdlib)";
    case ET_DYN:  return "position-independent; link it with -no-pie -static";
    case ET_CORE: return "a core dump; load the program it came from";
    default:      return "of an unknown ELF type; link it as an executable";
    }
}

/* Class, byte order, type and machine must be those of a PC kernel. */
static int check_header(struct loading *l, const GElf_Ehdr *h, bool any_class)
{
    unsigned class = h->e_ident[EI_CLASS];

    if (h->e_ident[EI_DATA] != ELFDATA2LSB)
        return load_refuse(l, ENOEXEC, "it is a big-endian ELF file; x86 is little-endian");
    if (h->e_machine != EM_386 && h->e_machine != EM_X86_64)
        return load_refuse(l, ENOEXEC, "it is an ELF file for machine %u, not for i386 (%u) or "
                           "x86-64 (%u); compile it for x86", h->e_machine, EM_386, EM_X86_64);
    if (h->e_type != ET_EXEC)
        return load_refuse(l, ENOEXEC, "it is %s", type_sentence(h->e_type));
    if (!any_class && (class == ELFCLASS64) != (h->e_machine == EM_X86_64))
        return load_refuse(l, ENOEXEC, "it is a %d-bit ELF file of %s code, which no boot state "
                           "suits; compile with -m32 or -m64", class == ELFCLASS64 ? 64 : 32,
                           h->e_machine == EM_X86_64 ? "x86-64" : "i386");
    return 0;
}

/* A linker puts the headers of the file, too, into memory, in front of the first section: with
 * -Ttext=0x100000 at 0xff000, where a PC has its BIOS.  Nothing runs there and no kernel looks
 * there, so what of such a segment lies below 1 MiB and has no RAM is left out, if there is nothing
 * behind the headers but padding.  The number of bytes to leave out. */
static uint64_t headers_outside_ram(const struct load_file *f, const GElf_Phdr *p,
                                    const GElf_Ehdr *h, uint64_t entry)
{
    const uint8_t *file = f->bytes;
    uint64_t headers = h->e_phoff + (uint64_t)h->e_phnum * h->e_phentsize, n;

    if (p->p_offset || p->p_paddr < LOW_TOP || p->p_paddr >= ONE_MIB)
        return 0;
    n = ONE_MIB - p->p_paddr;
    if (n > p->p_memsz)
        n = p->p_memsz;
    if (entry >= p->p_paddr && entry - p->p_paddr < n)
        return 0;
    for (uint64_t i = headers; i < n && i < p->p_filesz; i++)
        if (file[i])
            return 0;
    return n;
}

/* Place one PT_LOAD; and if the entry point lies in it, make that physical. */
static int place_segment(struct loading *l, const GElf_Phdr *p, size_t i, const GElf_Ehdr *h,
                         uint64_t *entry)
{
    const uint8_t *file = l->image->bytes;
    uint64_t size = l->image->size;

    if (p->p_offset > size || p->p_filesz > size - p->p_offset)
        return load_refuse(l, ENOEXEC, "segment %zu takes %#" PRIx64 " bytes from offset %#" PRIx64
                           ", but the file ends at %#" PRIx64 "; it is truncated",
                           i, p->p_filesz, p->p_offset, size);
    if (p->p_filesz > p->p_memsz)
        return load_refuse(l, ENOEXEC, "segment %zu has more bytes in the file (%#" PRIx64
                           ") than in memory (%#" PRIx64 "); the file is damaged",
                           i, p->p_filesz, p->p_memsz);
    if (h->e_entry >= p->p_vaddr && h->e_entry - p->p_vaddr < p->p_memsz)
        *entry = h->e_entry - p->p_vaddr + p->p_paddr;
    uint64_t skip = headers_outside_ram(l->image, p, h, *entry);
    uint64_t in_file = p->p_filesz > skip ? p->p_filesz - skip : 0;
    return load_place(l, "a segment", p->p_paddr + skip, file + p->p_offset + skip, in_file,
                      p->p_memsz - skip);
}

/* An entry point in no segment is left as it is, for load_check_entry() to refuse.  There is no
 * dynamic linker here: segments other than PT_LOAD are somebody else's. */
static int place_segments(struct loading *l, Elf *elf, const GElf_Ehdr *h, uint64_t *entry)
{
    size_t n, loaded = 0;
    GElf_Phdr p;

    if (elf_getphdrnum(elf, &n))
        n = 0;
    *entry = h->e_entry;
    for (size_t i = 0; i < n; i++) {
        if (!gelf_getphdr(elf, (int)i, &p))
            return load_refuse(l, ENOEXEC, "program header %zu of %zu is not in the file; "
                               "it is truncated", i, n);
        if (p.p_type != PT_LOAD || p.p_memsz == 0)
            continue;
        if (++loaded > MAX_SEGMENTS)
            return load_refuse(l, E2BIG, "it has more than %d loadable segments", MAX_SEGMENTS);
        int err = place_segment(l, &p, i, h, entry);
        if (err)
            return err;
    }
    if (loaded == 0)
        return load_refuse(l, ENOEXEC, "it has no loadable segment (PT_LOAD); "
                           "nothing would run");
    return 0;
}

/* The entry point must be in something we placed. */
int load_check_entry(struct loading *l, uint64_t entry)
{
    for (unsigned i = 0; i < l->out->n_ranges; i++) {
        const struct load_range *g = &l->out->range[i];
        if (entry >= g->base && entry - g->base < g->len && entry < FOUR_GIB)
            return 0;
    }
    return load_refuse(l, ENOEXEC, "the entry point %#" PRIx64 " is in none of its segments "
                       "below 4 GiB; check ENTRY() of the linker script", entry);
}

int load_elf_segments(struct loading *l, bool any_class, bool *is_64, uint64_t *entry)
{
    GElf_Ehdr h;
    Elf *elf;
    int err;

    elf_version(EV_CURRENT);
    /* libelf takes a plain pointer, but for reading does not write through it. */
    elf = elf_memory((char *)(uintptr_t)l->image->bytes, l->image->size);
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &h)) {
        err = load_refuse(l, ENOEXEC, "the ELF header is damaged or cut off");
    } else {
        *is_64 = h.e_machine == EM_X86_64;
        err = check_header(l, &h, any_class);
        if (!err)
            err = place_segments(l, elf, &h, entry);
        if (!err)
            err = load_check_entry(l, *entry);
    }
    elf_end(elf);
    return err;
}

int load_elf(struct loading *l)
{
    uint64_t entry = 0;
    bool is_64 = false;
    char why[200];
    int err;

    if (!load_is_elf(l->image))
        return load_refuse(l, ENOEXEC, "it is not an ELF file");
    if (load_multiboot_why_not(l->image, why, sizeof(why)))
        load_note(l, "%s; it is started as a plain ELF file", why);
    err = load_elf_segments(l, false, &is_64, &entry);
    if (!err)
        err = is_64 ? load_enter_long(l, BOOT_GDT_PC, entry)
                    : load_enter_flat32(l, BOOT_GDT_PC, entry);
    if (!err)
        err = load_stack(l);
    load_multiboot_check_entry(l, entry);
    l->out->about = is_64 ? "ELF64, entered in long mode"
                          : "ELF32, entered in 32-bit protected mode";
    l->out->symbols_path = l->r->path;
    return err;
}
