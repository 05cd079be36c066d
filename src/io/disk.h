/*
 * io/disk.h -- a disk: sectors of 512 bytes with numbers, and nothing else.
 *
 * Below is a file of the host's, the image, in which sector n is the 512 bytes from offset 512 n.
 * Above is a controller (io/ata.h), which knows how a guest asks for sectors.
 *
 * What the guest writes does not reach the image, unless the user has asked for that
 * (DISK_THROUGH): it goes into an overlay in memory, and a sector that is there hides the one in
 * the image.  So a run leaves the file as it was, and two runs find the same disk.
 *
 *     sector      0      1      2      3      4    ...
 *     overlay    ----   ----  [new]   ----  [new]         a bit for each sector: is it here?
 *     image      [old]  [old]  (old)  [old]  (old)        read only
 *     the guest   old    old    new    old    new
 *
 * Numbers of sectors come from the guest: any value may be asked for.  The image may change or
 * become shorter while the guest runs, for others can write to it: then a read fails, as one of
 * a bad sector does.
 */
#ifndef IO_DISK_H
#define IO_DISK_H

#include "base/types.h"

struct overlay;
struct trace;

#define MAX_DISKS    4                  /* hda, hdb on the first channel, hdc, hdd on the second */
#define SECTOR_BYTES 512u
#define DISK_MAX_SECTORS (UINT64_C(1) << 32)    /* 2 TiB: what a partition table can say */

/* Where writes go: into memory; nowhere, as the drive refuses them; into the image, for good. */
enum disk_mode { DISK_OVERLAY, DISK_READ_ONLY, DISK_THROUGH };

/* A disk as the user asks for it.  All zero: none. */
struct disk_image {
    const char    *path;
    uint64_t       sectors;             /* 0: there is no such disk                         */
    int            fd;                  /* open for as long as a disk is made of it         */
    enum disk_mode mode;
};

/* What the host did for a sector: the third argument of TRACE_DISK_HOST, and its name there. */
#define DISK_BACKING_LIST(X)                                                    \
    X(FROM_FILE,    "file_read",     "the sector was read from the image")      \
    X(FROM_OVERLAY, "overlay_read",  "it has been written in this run, and was in memory") \
    X(TO_OVERLAY,   "overlay_write", "it went into memory; the image stays as it was")     \
    X(TO_FILE,      "file_write",    "it was written into the image")

enum disk_backing {
#define X(id, name, about) DISK_##id,
    DISK_BACKING_LIST(X)
#undef X
    N_DISK_BACKINGS
};

/* Open the file at `path` and fill in *image: a regular file or a block device of whole sectors.
 * The file is locked [flock(2)]: many may read it, or one write to it, as far as they are ours.
 * 0; or -errno and one sentence in why (n bytes).  The descriptor is the caller's to close. */
int disk_image_open(const char *path, enum disk_mode mode, struct disk_image *image, char *why,
                    size_t n);

/* A number for the contents of an image, by which one that has been changed is found out: a machine
 * that is put back, or run again, must find the disk that it had.  All of the file is read.  0 or
 * -errno. */
int disk_image_sum(const struct disk_image *image, uint64_t *sum);

/* How a disk tells cylinders, heads and sectors: what a drive of that size says of itself.  Not
 * more than 16383 cylinders, so of a disk above 8 GB the rest can only be reached by number.
 * [ATA/ATAPI-6 "Sector addressing"] */
struct disk_geometry { uint16_t cylinders, heads, per_track; };
struct disk_geometry disk_geometry(uint64_t sectors);

/* A disk of this image, which is copied; t, which may be NULL, is told of each sector that is
 * read or written (TRACE_DISK_HOST).  NULL: no memory. */
struct disk;
struct disk *disk_new(const struct disk_image *image, struct trace *t);
void disk_free(struct disk *d);         /* d may be NULL */

uint64_t disk_sectors(const struct disk *d);
bool disk_is_read_only(const struct disk *d);

/* What the guest has written; NULL: of no disk (d may be NULL), or one that keeps nothing. */
struct overlay *disk_overlay(struct disk *d);

/* One sector in or out.  0; -ERANGE if the disk has no such sector; -EROFS; or -errno if the host
 * cannot do it. */
int disk_read(struct disk *d, uint64_t lba, void *sector);
int disk_write(struct disk *d, uint64_t lba, const void *sector);

/* What was written into the image is to be on the host's medium.  0 or -errno. */
int disk_flush(struct disk *d);


#endif
