/*
 * vm/load_boot.c -- a disk image with a boot sector, started by the BIOS.
 *
 * A disk image with a boot sector is a job for firmware.  The image becomes a
 * RAM disk at the top of memory, reserved in the memory map (as `memdisk` of
 * syslinux does it), and the CPU starts at the reset vector, in our BIOS
 * (bios.S), which reads the first sector to 0:7c00 by its own INT 13h.  Where the
 * BIOS finds the disk and the memory map is told in load_bios.c.
 *
 * What students boot is seldom a whole disk but a sector or a few, the rest being thought of as
 * zeros: such a file becomes a diskette of 1.44 MB, as with `qemu -fda`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mem/gmem.h"
#include "vm/loading.h"

#define SECTOR     512u
#define SIGNATURE  510u         /* offset of 55 aa */
#define PARTITIONS 446u         /* offset of the partition table: four rows of 16 bytes */
#define HARD_DISK  0x80

static bool is_signature(const uint8_t *p)
{
    return get16(p) == 0xaa55;
}

bool load_is_boot(const struct load_file *f)
{
    return f->size >= SECTOR && is_signature((const uint8_t *)f->bytes + SIGNATURE);
}

/* Where 55 aa stands instead: at the end of the file, or where it is first found in four sectors;
 * -1: nowhere. */
static int64_t find_signature(const struct load_file *f)
{
    const uint8_t *p = f->bytes;

    if (f->size >= 2 && is_signature(p + f->size - 2))
        return (int64_t)f->size - 2;
    for (uint64_t i = 0; i + 2 <= f->size && i < 4 * SECTOR; i++)
        if (is_signature(p + i))
            return (int64_t)i;
    return -1;
}

void load_boot_why_not(const struct load_file *f, char *out, size_t n)
{
    const uint8_t *p = f->bytes;
    int64_t at = find_signature(f);

    if (f->size >= SECTOR && p[SIGNATURE] == 0xaa && p[SIGNATURE + 1] == 0x55)
        snprintf(out, n, "bytes 510 and 511 are aa 55, which is the signature swapped: 55 comes "
                 "first; `dw 0xaa55` or `.word 0xaa55` stores it so");
    else if (at > (int64_t)SIGNATURE)
        snprintf(out, n, "its signature 55 aa is at offset %" PRId64 " and not at 510: the sector "
                 "has %" PRId64 " bytes too many", at, at - SIGNATURE);
    else if (at >= 0)
        snprintf(out, n, "its signature 55 aa is at offset %" PRId64 " and not at 510: pad the "
                 "sector with %" PRId64 " bytes before it", at, SIGNATURE - at);
    else if (f->size < SECTOR)
        snprintf(out, n, "it has %" PRIu64 " bytes and no signature: a boot sector has 512, of "
                 "which the last two are 55 aa", f->size);
    else
        snprintf(out, n, "bytes 510 and 511 are %02x %02x and not the signature 55 aa",
                 p[SIGNATURE], p[SIGNATURE + 1]);
}

/* An image of exactly a diskette's size is one. */
static const struct bios_disk diskettes[] = {
    { 0, 320, 8, 1, 0 },   { 0, 360, 9, 1, 0 },   { 0, 640, 8, 2, 0 },   { 0, 720, 9, 2, 0 },
    { 0, 1440, 9, 2, 0 },  { 0, 2400, 15, 2, 0 }, { 0, 2880, 18, 2, 0 }, { 0, 5760, 36, 2, 0 },
};

/* Four rows, each with 00 or 80 in front, one at least with a type, a place and a size.  Code at
 * this place hardly ever looks so. */
static bool has_partitions(const struct load_file *f)
{
    const uint8_t *row = (const uint8_t *)f->bytes + PARTITIONS;
    bool used = false;

    for (unsigned i = 0; i < 4; i++, row += 16) {
        if (row[0] & 0x7f)
            return false;
        used |= row[4] && get32(row + 8) && get32(row + 12);
    }
    return used;
}

/* Room for a disk of so many bytes, at the end of RAM below 4 GiB. */
static bool find_room(const struct loading *l, uint64_t bytes, gpa_t *at)
{
    return load_find(l, (bytes + PAGE_SIZE - 1) & PAGE_MASK, PAGE_SIZE, ONE_MIB, FOUR_GIB,
                     LOAD_HIGHEST, at);
}

/* The kind of diskette, or false: exactly as large as the file, else of 1.44 MB, 2.88 MB, or,
 * where the guest has so little memory, smaller. */
static bool choose_diskette(const struct loading *l, struct bios_disk *d)
{
    static const uint32_t wanted[] = { 2880, 5760, 1440, 720, 360 };
    uint32_t sectors = (uint32_t)((l->image->size + SECTOR - 1) / SECTOR);

    for (unsigned w = 0; w <= NELEM(wanted); w++)
        for (size_t i = 0; i < NELEM(diskettes); i++) {
            *d = diskettes[i];
            if (w ? d->sectors == wanted[w - 1] && d->sectors >= sectors &&
                    find_room(l, (uint64_t)d->sectors * SECTOR, &d->at)
                  : d->sectors * SECTOR == l->image->size)
                return true;
        }
    return false;
}

/* "boot[:0|0x80]": the drive asked for, -1 if none; -2: it is not that. */
static int asked_drive(const char *format)
{
    const char *colon = format ? strchr(format, ':') : NULL;

    if (!colon)
        return -1;
    if (strcmp(colon, ":0") == 0)
        return 0;
    return strcmp(colon, ":0x80") == 0 ? HARD_DISK : -2;
}

/* Which disk the image is: a hard disk if it has partitions or is too large for a diskette. */
static int choose_disk(struct loading *l, struct bios_disk *d)
{
    int drive = asked_drive(l->r->format);
    uint64_t sectors = (l->image->size + SECTOR - 1) / SECTOR;

    if (drive == -2)
        return load_refuse(l, EINVAL, "\"%s\" is not boot[:0|0x80]", l->r->format);
    if (drive != HARD_DISK && (drive == 0 || !has_partitions(l->image)) && choose_diskette(l, d))
        return 0;
    if (drive == 0)
        return load_refuse(l, EINVAL, "%" PRIu64 " bytes are more than a diskette has; use "
                           "--format boot:0x80", l->image->size);
    *d = (struct bios_disk){ 0, (uint32_t)sectors, 63, 16, HARD_DISK };
    return 0;
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

static int place_disk(struct loading *l, struct bios_disk *d)
{
    uint64_t bytes = (uint64_t)d->sectors * SECTOR, room = (bytes + PAGE_SIZE - 1) & PAGE_MASK;
    int err;

    if (!find_room(l, bytes, &d->at))
        return load_refuse_size(l, "the disk image", bytes, ONE_MIB + room + PAGE_SIZE);
    err = load_place(l, "the RAM disk", d->at, l->image->bytes, l->image->size, room);
    if (!err)
        reserve_disk(l, d->at);
    return err;
}

/* Is there something to boot, and a BIOS that does it? */
static int check_boot(struct loading *l)
{
    const struct gmem_region *rom = gmem_find(l->m, BIOS_BASE + BIOS_SIZE - 1);
    char why[200];

    if (!load_is_boot(l->image)) {
        load_boot_why_not(l->image, why, sizeof(why));
        return load_refuse(l, ENOEXEC, "it has no boot sector: %s", why);
    }
    if (!rom || rom->kind != GMEM_ROM)
        return load_refuse(l, ENODEV, "a boot sector needs the BIOS, and this machine has no ROM "
                           "at %#x", BIOS_BASE);
    return 0;
}

/* The disk is there, behind its ports, and the BIOS has been told of it (load_bios.c). */
int load_from_disk(struct loading *l)
{
    int err = l->r->format && strncmp(l->r->format, "boot", 4) ? EINVAL : 0;

    if (err || l->n_modules)
        return load_refuse(l, EINVAL, "--%s is about a guest's file, and there is none but the "
                           "disk", err ? "format" : "initrd");
    err = check_boot(l);
    if (err)
        return err;
    l->out->format = LOAD_BOOT;
    load_bios(l->m);
    load_bios_areas(l, NULL);
    load_enter_reset(l);
    l->out->about = "boot sector of the disk hda, started by the BIOS from the reset vector";
    return 0;
}

int load_boot(struct loading *l)
{
    struct bios_disk disk;
    int err = check_boot(l);

    if (err)
        return err;
    err = choose_disk(l, &disk);
    if (!err)
        err = place_disk(l, &disk);
    if (err)
        return err;
    load_bios_areas(l, &disk);

    load_enter_reset(l);
    l->out->about = disk.drive < HARD_DISK
                  ? "boot sector of a diskette, started by the BIOS from the reset vector"
                  : "boot sector of a hard disk, started by the BIOS from the reset vector";
    return 0;
}
