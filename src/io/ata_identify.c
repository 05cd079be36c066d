/*
 * io/ata_identify.c -- what a disk says of itself: 256 words, most of which are 0 here.
 *
 * A word that is 0 means "not there", or that the drive does not say.  A host must not rely on
 * anything but this: so what is claimed here works, and what does not work is not claimed.
 * [ATA/ATAPI-6 "IDENTIFY DEVICE"]
 */
#include <string.h>

#include "io/ata_state.h"

/* Text in words: the first character of two is in the upper half, and blanks fill it up. */
static void put_text(uint16_t *word, unsigned n_words, const char *text)
{
    for (unsigned i = 0; i < n_words; i++) {
        uint8_t first = *text ? (uint8_t)*text++ : ' ';
        uint8_t second = *text ? (uint8_t)*text++ : ' ';
        word[i] = (uint16_t)(first << 8 | second);
    }
}

static void put_number(uint16_t *word, unsigned n_words, uint64_t value)
{
    for (unsigned i = 0; i < n_words; i++)
        word[i] = (uint16_t)(value >> (16 * i));
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the translation in use can reach by cylinder, head and sector. */
static void put_translation(uint16_t *w, const struct ata_drive *d, uint64_t sectors)
{
    uint64_t per_cylinder = (uint64_t)d->heads * d->per_track;
    uint64_t cylinders = per_cylinder ? least(sectors / per_cylinder, 65535) : 0;
    w[53] |= cylinders != 0;                    /* words 54 to 58 are valid */
    w[54] = (uint16_t)cylinders;
    w[55] = d->heads;
    w[56] = d->per_track;
    put_number(w + 57, 2, cylinders * per_cylinder);
}

/* Words 82 to 87: what the drive can, and what of it is on.
 *
 *   82, 85   14 NOP, 5 write cache, 3 power management
 *   83, 86   14 this word is valid, 13 FLUSH CACHE EXT, 12 FLUSH CACHE, 10 48-bit addresses */
static void put_features(uint16_t *w, const struct ata_drive *d)
{
    w[82] = 0x4028;
    w[83] = 0x7400;
    w[84] = 0x4000;
    w[85] = (uint16_t)(0x4008 | (d->cache ? 0x20 : 0));
    w[86] = 0x3400;
    w[87] = 0x4000;
}

/* The last word makes the sum of all bytes 0, if its lower half is A5h. */
static void put_checksum(uint16_t *w)
{
    uint8_t sum = 0xa5;
    for (unsigned i = 0; i < 255; i++)
        sum = (uint8_t)(sum + w[i] + (w[i] >> 8));
    w[255] = (uint16_t)((uint8_t)-sum << 8 | 0xa5);
}

void ata_identify(const struct ata_drive *d, unsigned unit, uint64_t sectors, uint16_t *w)
{
    struct disk_geometry g = disk_geometry(sectors);
    memset(w, 0, SECTOR_BYTES);
    w[0] = 0x0040;                              /* a disk that cannot be taken out */
    w[1] = g.cylinders;
    w[3] = g.heads;
    w[6] = g.per_track;
    put_text(w + 10, 10, unit ? "VT00001" : "VT00000");
    put_text(w + 23, 4, "1.0");
    put_text(w + 27, 20, "VITRINE DISK");
    w[47] = 0x8000 | ATA_MAX_MULTIPLE;
    w[48] = 1;                                  /* DATA may be read 32 bits at a time */
    w[49] = 0x0200;                             /* LBA, but no DMA */
    w[50] = 0x4000;
    w[51] = 0x0200;                             /* PIO mode 2 */
    w[53] = 0x0002;                             /* words 64 to 70 are valid */
    put_translation(w, d, sectors);
    w[59] = d->multiple ? (uint16_t)(0x0100 | d->multiple) : 0;
    put_number(w + 60, 2, least(sectors, 0x0fffffff));
    w[64] = 0x0003;                             /* PIO modes 3 and 4, a word in 120 ns */
    w[67] = w[68] = 120;
    w[80] = 0x007e;                             /* ATA-1 to ATA/ATAPI-6 */
    put_features(w, d);
    put_number(w + 100, 4, sectors);
    put_checksum(w);
}
