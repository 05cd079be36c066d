/*
 * vm/load_flat.c -- files without a header: plain bytes, and boot sectors.
 *
 * A flat file is put at an address and its first byte is executed; nothing in
 * it says so, hence it is never chosen unasked.
 *
 * A disk image with a boot sector is a job for firmware.  The image becomes a
 * RAM disk at the top of memory, reserved in the memory map (as `memdisk` of
 * syslinux does it), and the CPU starts at the reset vector, in our BIOS
 * (bios.S), which reads the first sector to 0:7c00 by its own INT 13h.  The
 * BIOS finds disk and memory map in the extended BIOS data area:
 *
 *   0x9fc00 +0x00  u8   size of the EBDA in KiB
 *           +0x10  u32  "VBIO"
 *           +0x14  u32  first byte of the disk    +0x18 u32  its sectors
 *           +0x1c  u16  sectors per track         +0x1e u16  heads
 *           +0x20  u16  cylinders                 +0x22 u8   drive number
 *           +0x23  u8   E820 entries              +0x40 ...  the entries, 20 bytes each
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "mem/gmem.h"
#include "vm/loading.h"

#define SECTOR 512u

/* Bytes of the BIOS (bios.S), the last being at 0xfffff. */
extern const uint8_t bios_image[], bios_image_end[];

void load_bios(struct gmem *m)
{
    uint64_t n = (uint64_t)(bios_image_end - bios_image);

    /* A machine without these regions has no BIOS; load_boot() says so. */
    (void)gmem_load_rom(m, BIOS_BASE + BIOS_SIZE - n, bios_image, n);
    (void)gmem_load_rom(m, BIOS_ALIAS_BASE + BIOS_SIZE - n, bios_image, n);
}

struct flat_where { uint64_t at; unsigned bits; };

/* "flat[@ADDR][:16|32|64]"; false if it is not that. */
static bool parse_flat(const char *format, struct flat_where *w)
{
    const char *p = format + strlen("flat");
    char *end;
    bool has_at = *p == '@';

    w->bits = 32;
    if (has_at) {
        errno = 0;
        w->at = strtoull(p + 1, &end, 0);
        if (end == p + 1 || errno || p[1] == '-')
            return false;
        p = end;
    }
    if (*p == ':') {
        unsigned long bits = strtoul(p + 1, &end, 10);
        if (bits != 16 && bits != 32 && bits != 64)
            return false;
        w->bits = (unsigned)bits;
        p = end;
    }
    if (!has_at)
        w->at = w->bits == 16 ? 0x7c00 : ONE_MIB;
    return *p == '\0';
}

int load_flat(struct loading *l)
{
    struct flat_where w;
    int err;

    if (!parse_flat(l->r->format, &w))
        return load_refuse(l, EINVAL, "\"%s\" is not flat[@ADDR][:16|32|64], as in flat@0x7c00:16",
                           l->r->format);
    if (w.bits == 16 && w.at >= ONE_MIB)
        return load_refuse(l, EINVAL, "real mode cannot start at %#" PRIx64
                           "; choose an address below 1 MiB", w.at);
    err = load_place(l, "the file", w.at, l->image->bytes, l->image->size, l->image->size);
    if (err)
        return err;
    switch (w.bits) {
    case 16:
        load_enter_real(l, (uint32_t)w.at, 0x7c00);
        l->out->about = "flat, entered in real mode";
        return 0;
    case 32:
        l->out->about = "flat, entered in 32-bit protected mode";
        err = load_enter_flat32(l, w.at);
        break;
    default:
        l->out->about = "flat, entered in long mode";
        err = load_enter_long(l, w.at);
        break;
    }
    return err ? err : load_stack(l);
}

bool load_is_boot(const struct load_file *f)
{
    return f->size >= SECTOR && get16((const uint8_t *)f->bytes + 510) == 0xaa55;
}

struct geometry { uint32_t sectors; uint16_t per_track, heads; uint8_t drive; };

/* An image of exactly a diskette's size is one; anything else is a hard disk. */
static struct geometry find_geometry(uint32_t sectors)
{
    static const struct geometry diskettes[] = {
        { 320, 8, 1, 0 },   { 360, 9, 1, 0 },   { 640, 8, 2, 0 },   { 720, 9, 2, 0 },
        { 1440, 9, 2, 0 },  { 2400, 15, 2, 0 }, { 2880, 18, 2, 0 }, { 5760, 36, 2, 0 },
    };

    for (size_t i = 0; i < NELEM(diskettes); i++)
        if (diskettes[i].sectors == sectors)
            return diskettes[i];
    return (struct geometry){ sectors, 63, 16, 0x80 };
}

/* Take the RAM disk, at the end of a RAM entry, out of the memory map. */
static void reserve_disk(struct loading *l, gpa_t at)
{
    for (unsigned i = 0; i < l->n_e820 && l->n_e820 < E820_MAX; i++) {
        struct e820_entry *e = &l->e820[i];
        if (at <= e->base || at - e->base >= e->len)
            continue;
        memmove(e + 2, e + 1, (l->n_e820 - i - 1) * sizeof(*e));
        e[1] = (struct e820_entry){ at, e->len - (at - e->base), E820_RESERVED };
        e[0].len = at - e->base;
        l->n_e820++;
        return;
    }
}

/* Tell the BIOS what it has; the layout is at the top of this file. */
static int write_ebda(struct loading *l, gpa_t disk, uint32_t sectors)
{
    struct geometry g = find_geometry(sectors);
    uint32_t per_cylinder = (uint32_t)g.per_track * g.heads;
    uint32_t cylinders = (sectors + per_cylinder - 1) / per_cylinder;
    uint8_t ebda[1024] = { 1 };

    memcpy(ebda + 0x10, "VBIO", 4);
    put32(ebda + 0x14, (uint32_t)disk);
    put32(ebda + 0x18, sectors);
    put16(ebda + 0x1c, g.per_track);
    put16(ebda + 0x1e, g.heads);
    put16(ebda + 0x20, cylinders > 1024 ? 1024 : (uint16_t)cylinders);
    ebda[0x22] = g.drive;
    ebda[0x23] = (uint8_t)l->n_e820;
    memcpy(ebda + 0x40, l->e820, l->n_e820 * sizeof(l->e820[0]));
    if (gmem_write(l->m, LOW_TOP, ebda, sizeof(ebda)))
        return load_refuse(l, ENOMEM, "it needs RAM up to %#x; give the guest more with --mem",
                           LOW_TOP + 1024);
    return 0;
}

int load_boot(struct loading *l)
{
    const struct gmem_region *rom = gmem_find(l->m, BIOS_BASE + BIOS_SIZE - 1);
    uint64_t size = l->image->size, room = (size + PAGE_SIZE - 1) & PAGE_MASK;
    gpa_t disk;
    int err;

    if (!load_is_boot(l->image))
        return load_refuse(l, ENOEXEC, "it has no boot sector (55 aa at offset 510)");
    if (size % SECTOR)
        return load_refuse(l, ENOEXEC, "it has a boot sector but its size, %" PRIu64 " bytes, is "
                           "not a whole number of 512-byte sectors; pad or re-copy it", size);
    if (!rom || rom->kind != GMEM_ROM)
        return load_refuse(l, ENODEV, "a boot sector needs the BIOS, and this machine has no ROM "
                           "at %#x", BIOS_BASE);
    if (!load_find(l, room, PAGE_SIZE, ONE_MIB, FOUR_GIB, LOAD_HIGHEST, &disk))
        return load_refuse(l, ENOMEM, "no room above 1 MiB for the disk image (%" PRIu64
                           " bytes); give the guest more with --mem", size);
    err = load_place(l, "the RAM disk", disk, l->image->bytes, size, room);
    if (err)
        return err;
    reserve_disk(l, disk);
    err = write_ebda(l, disk, (uint32_t)(size / SECTOR));
    if (err)
        return err;

    cpu_state_reset(&l->out->cpu);
    if (!gmem_find(l->m, BIOS_ALIAS_BASE + BIOS_SIZE - 1))
        l->out->cpu.seg[SEG_CS].base = BIOS_BASE;       /* no alias under 4 GiB */
    l->out->entry = l->out->cpu.seg[SEG_CS].base + l->out->cpu.rip;
    l->out->about = "boot sector, started by the BIOS from the reset vector";
    return 0;
}
