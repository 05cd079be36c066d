/*
 * io/disk.c -- an image file, and whether a sector is still in it.
 *
 * What has been written is in io/overlay.c.  Opening an image is here too, because what can be a
 * disk is asked before there is one.
 */
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "io/overlay.h"

struct disk {
    struct disk_image image;
    struct trace     *trace;
    struct overlay   *overlay;          /* NULL: this disk has none */
};

/* ---- the image ---- */

/* How many bytes are in it: of a block device the kernel knows, and stat() does not.  0, or -errno
 * and a sentence: what has no end, or is no file, can be no disk. */
static int image_bytes(int fd, const char *path, uint64_t *bytes, char *why, size_t n)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int err = errno;
        snprintf(why, n, "%s: %s", path, strerror(err));
        return -err;
    }
    *bytes = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode) || (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, bytes) == 0))
        return 0;
    snprintf(why, n, "%s: it is %s, and a disk is made of a file or a block device", path,
             S_ISDIR(st.st_mode) ? "a directory" : S_ISFIFO(st.st_mode) ? "a pipe" :
             S_ISCHR(st.st_mode) ? "a character device" : "no file");
    return -EINVAL;
}

static int check_bytes(uint64_t bytes, const char *path, char *why, size_t n)
{
    if (!bytes)
        snprintf(why, n, "%s: it is empty; `truncate -s 64M FILE` makes a disk of zeros", path);
    else if (bytes % SECTOR_BYTES)
        snprintf(why, n, "%s: it has %" PRIu64 " bytes, and a disk has whole sectors of %u; "
                 "`truncate -s %%%u FILE` fills the last one up with zeros", path, bytes,
                 SECTOR_BYTES, SECTOR_BYTES);
    else if (bytes / SECTOR_BYTES > DISK_MAX_SECTORS)
        snprintf(why, n, "%s: it has %" PRIu64 " bytes, and a disk here at most 2 TiB", path,
                 bytes);
    else
        return 0;
    return -EINVAL;
}

/* A file system without locks is no reason to refuse. */
static int lock(int fd, const char *path, enum disk_mode mode, char *why, size_t n)
{
    int how = mode == DISK_THROUGH ? LOCK_EX : LOCK_SH;
    if (flock(fd, how | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    snprintf(why, n, mode == DISK_THROUGH
             ? "%s: another machine, or this one by another --disk, has it as a disk; for "
               "\",write\" it must be the only one"
             : "%s: another machine writes to it (\",write\")", path);
    return -EBUSY;
}

/* O_NONBLOCK: opening a FIFO by mistake must not hang. */
int disk_image_open(const char *path, enum disk_mode mode, struct disk_image *image, char *why,
                    size_t n)
{
    uint64_t bytes;
    int flags = mode == DISK_THROUGH ? O_RDWR : O_RDONLY;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int err = errno;
        snprintf(why, n, "%s: %s", path, strerror(err));
        return -err;
    }
    int err = image_bytes(fd, path, &bytes, why, n);
    if (!err)
        err = check_bytes(bytes, path, why, n);
    if (!err)
        err = lock(fd, path, mode, why, n);
    if (err) {
        close(fd);
        return err;
    }
    *image = (struct disk_image){ path, bytes / SECTOR_BYTES, fd, mode };
    return 0;
}

/* Drives of every size call themselves 16 heads and 63 sectors, and leave it to the BIOS to think
 * of something else.  A disk that is smaller than one such cylinder has fewer heads. */
struct disk_geometry disk_geometry(uint64_t sectors)
{
    uint64_t cylinders = sectors / (16 * 63), tracks = sectors / 63;
    if (cylinders)
        return (struct disk_geometry){ (uint16_t)(cylinders < 16383 ? cylinders : 16383), 16, 63 };
    if (tracks)
        return (struct disk_geometry){ 1, (uint16_t)tracks, 63 };
    return (struct disk_geometry){ 1, 1, (uint16_t)sectors };
}

/* FNV-1a, by eight bytes at a time, of pieces of the file; a sector is a whole number of them. */
int disk_image_sum(const struct disk_image *image, uint64_t *sum)
{
    uint64_t piece[8192], h = UINT64_C(0xcbf29ce484222325), left = image->sectors * SECTOR_BYTES;
    for (uint64_t at = 0; left; ) {
        uint64_t n = left < sizeof piece ? left : sizeof piece;
        int err = host_read_at(image->fd, at, piece, n);
        if (err)
            return err;
        for (uint64_t i = 0; i < n / 8; i++)
            h = (h ^ piece[i]) * UINT64_C(0x100000001b3);
        at += n;
        left -= n;
    }
    *sum = h;
    return 0;
}

/* ---- a disk ---- */

struct disk *disk_new(const struct disk_image *image, struct trace *t)
{
    struct disk *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    *d = (struct disk){ .image = *image, .trace = t };
    if (image->mode == DISK_OVERLAY)
        d->overlay = overlay_new(image->sectors);
    if (d->overlay || image->mode != DISK_OVERLAY)
        return d;
    free(d);
    return NULL;
}

void disk_free(struct disk *d)
{
    if (!d)
        return;
    overlay_free(d->overlay);
    free(d);
}

uint64_t disk_sectors(const struct disk *d)
{
    return d->image.sectors;
}

bool disk_is_read_only(const struct disk *d)
{
    return d->image.mode == DISK_READ_ONLY;
}

struct overlay *disk_overlay(struct disk *d)
{
    return d ? d->overlay : NULL;
}

/* The event says what became of the guest's wish on the host's side: where the sector is in the
 * file, or that it is not the file's any more. */
static void log_host(const struct disk *d, uint64_t lba, enum disk_backing backing)
{
    trace_emit(d->trace, TRACE_DISK_HOST, lba * SECTOR_BYTES, SECTOR_BYTES, backing);
}

int disk_read(struct disk *d, uint64_t lba, void *sector)
{
    if (lba >= d->image.sectors)
        return -ERANGE;
    if (d->overlay && overlay_has(d->overlay, lba)) {
        log_host(d, lba, DISK_FROM_OVERLAY);
        overlay_read(d->overlay, lba, sector);
        return 0;
    }
    log_host(d, lba, DISK_FROM_FILE);
    return host_read_at(d->image.fd, lba * SECTOR_BYTES, sector, SECTOR_BYTES);
}

int disk_write(struct disk *d, uint64_t lba, const void *sector)
{
    if (lba >= d->image.sectors)
        return -ERANGE;
    if (d->image.mode == DISK_READ_ONLY)
        return -EROFS;
    if (d->image.mode == DISK_THROUGH) {
        log_host(d, lba, DISK_TO_FILE);
        return host_write_at(d->image.fd, lba * SECTOR_BYTES, sector, SECTOR_BYTES);
    }
    log_host(d, lba, DISK_TO_OVERLAY);
    overlay_write(d->overlay, lba, sector);
    return 0;
}

int disk_flush(struct disk *d)
{
    return d->image.mode == DISK_THROUGH ? host_flush(d->image.fd) : 0;
}
