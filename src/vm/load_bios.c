/*
 * vm/load_bios.c -- the BIOS in ROM, and what it leaves in RAM.
 *
 * Whatever is booted, a BIOS ran before it on a PC.  Only for a boot sector ours does run
 * (bios.S); all other guests are put into the state that they would have found behind it: the
 * ROM is there, 256 interrupt vectors at 0 lead into it, and the BIOS data area at 0x400 tells
 * the ports of COM1, where the EBDA begins (40:0e) and how much low memory there is (40:13).
 * So a kernel may look there, or go back to real mode and call a service.
 *
 * The vectors and the data area are made from the two tables in bios.S that `post` uses, too.
 *
 * The BIOS finds memory map and disk in the extended BIOS data area:
 *
 *   0x9fc00 +0x00  u8   size of the EBDA in KiB
 *           +0x10  u32  "VBIO"
 *           +0x14  u32  first byte of the disk    +0x18 u32  its sectors
 *           +0x1c  u16  sectors per track         +0x1e u16  heads
 *           +0x20  u16  cylinders                 +0x22 u8   boot drive, ff: none
 *           +0x23  u8   E820 entries              +0x40 ...  the entries, 20 bytes each
 *           +0x24  u8   the disk's drive number, ff: no disk
 *           +0x300 ...  four blocks of 0x30 bytes, one for each disk of an ATA channel (--disk):
 *                       as above from +0x18 on, and at +0x14
 *                       u16 the channel's first port (0: no disk), u16 the DEVICE register
 *
 * A BIOS tells programs a disk of its own: heads and sectors are numbers that INT 13h can say, with
 * at most 1024 cylinders, and not those of the drive.
 * [T13/1226DT "BIOS Enhanced Disk Drive Specification"]
 */
#include <string.h>
#include "io/disk.h"
#include "mem/gmem.h"
#include "vm/loading.h"

#define NO_DRIVE   0xff
#define FIRST_HARD_DISK 0x80
#define ATA_BLOCKS 0x300u       /* in the EBDA */
#define ATA_BLOCK  0x30u
#define ROM_SEG    0xf000u
#define BDA        0x400u
#define END        0xffff       /* of either table */

/* Bytes of the BIOS (bios.S), the last being at 0xfffff, and of it: pairs of vector and offset,
 * pairs of offset in the BIOS data area and word, and three handlers. */
extern const uint8_t bios_image[], bios_image_end[], bios_vectors[], bios_data[];
extern const uint8_t bios_ignore[], bios_irq_master[], bios_irq_slave[];

void load_bios(struct gmem *m)
{
    uint64_t n = (uint64_t)(bios_image_end - bios_image);

    /* A machine without these regions has no BIOS; load_boot() says so. */
    (void)gmem_load_rom(m, BIOS_BASE + BIOS_SIZE - n, bios_image, n);
    (void)gmem_load_rom(m, BIOS_ALIAS_BASE + BIOS_SIZE - n, bios_image, n);
}

/* The offset in segment f000 of a label of bios.S. */
static uint16_t offset_of(const uint8_t *label)
{
    return (uint16_t)(BIOS_SIZE - (bios_image_end - label));
}

/* Vectors 8 to 15 are the first interrupt controller's lines, 70h to 77h the second's: whoever
 * has no handler gets its end of interrupt there at least. */
static void make_vectors(uint8_t *ivt)
{
    for (unsigned v = 0; v < 256; v++) {
        const uint8_t *handler = v >> 3 == 1 ? bios_irq_master : v >> 3 == 14 ? bios_irq_slave
                                                                             : bios_ignore;
        put16(ivt + 4 * v, offset_of(handler));
        put16(ivt + 4 * v + 2, ROM_SEG);
    }
    for (const uint8_t *row = bios_vectors; get16(row) != END; row += 4)
        put16(ivt + 4u * get16(row), get16(row + 2));
}

/* Heads are doubled until 1024 cylinders are enough, or there can be no more. */
static void put_geometry(uint8_t *block, uint64_t sectors)
{
    struct disk_geometry g = disk_geometry(sectors);
    uint16_t heads = g.heads;
    while (heads < 255 && sectors / g.per_track / heads > 1024)
        heads = heads < 128 ? (uint16_t)(2 * heads) : 255;
    uint64_t cylinders = sectors / g.per_track / heads;
    put16(block + 0x1c, g.per_track);
    put16(block + 0x1e, heads);
    put16(block + 0x20, cylinders < 1024 ? (uint16_t)cylinders : 1024);
}

/* The disks of ATA channels, numbered from `drive` on; how many. */
static unsigned make_ata(const struct loading *l, uint8_t drive, uint8_t *ebda)
{
    static const uint16_t port[] = { 0x1f0, 0x1f0, 0x170, 0x170 };
    unsigned n = 0;
    for (unsigned i = 0; l->r->disk && i < MAX_DISKS; i++) {
        uint64_t sectors = l->r->disk[i].sectors;
        uint8_t *block = ebda + ATA_BLOCKS + i * ATA_BLOCK;
        if (!sectors)
            continue;
        put16(block + 0x14, port[i]);
        put16(block + 0x16, i % 2 ? 0xf0 : 0xe0);
        put32(block + 0x18, sectors < UINT32_MAX ? (uint32_t)sectors : UINT32_MAX);
        put_geometry(block, sectors);
        block[0x24] = (uint8_t)(drive + n++);
    }
    return n;
}

static void make_ebda(const struct loading *l, const struct bios_disk *d, uint8_t *ebda)
{
    uint32_t per_cylinder = d ? (uint32_t)d->per_track * d->heads : 1;
    uint32_t cylinders = d ? (d->sectors + per_cylinder - 1) / per_cylinder : 0;

    ebda[0] = 1;
    memcpy(ebda + 0x10, "VBIO", 4);
    ebda[0x22] = ebda[0x24] = NO_DRIVE;
    if (d) {
        put32(ebda + 0x14, (uint32_t)d->at);
        put32(ebda + 0x18, d->sectors);
        put16(ebda + 0x1c, d->per_track);
        put16(ebda + 0x1e, d->heads);
        put16(ebda + 0x20, cylinders > 1024 ? 1024 : (uint16_t)cylinders);
        ebda[0x22] = ebda[0x24] = d->drive;
    }
    ebda[0x23] = (uint8_t)l->n_e820;
    memcpy(ebda + 0x40, l->e820, l->n_e820 * sizeof(l->e820[0]));
}

void load_bios_areas(struct loading *l, const struct bios_disk *disk)
{
    uint8_t low[BDA + 0x100] = { 0 }, ebda[1024] = { 0 };

    make_vectors(low);
    for (const uint8_t *row = bios_data; get16(row) != END; row += 4)
        put16(low + BDA + get16(row), get16(row + 2));
    make_ebda(l, disk, ebda);
    bool is_hard = disk && disk->drive >= FIRST_HARD_DISK;
    unsigned n_ata = make_ata(l, FIRST_HARD_DISK + is_hard, ebda);
    if (n_ata)
        low[BDA + 0x75] = (uint8_t)(n_ata + is_hard);
    if (n_ata && !disk)
        ebda[0x22] = FIRST_HARD_DISK;
    /* A machine without low RAM has no such areas, and no BIOS that would miss them.  A BIOS of
     * the user's makes its own vectors. */
    if (!l->bios)
        (void)gmem_write(l->m, 0, low, sizeof(low));
    (void)gmem_write(l->m, LOW_TOP, ebda, sizeof(ebda));
}
