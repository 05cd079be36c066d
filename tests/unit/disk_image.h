/*
 * tests/unit/disk_image.h -- an image for a machine's disk, in memory.
 */
#ifndef TESTS_DISK_IMAGE_H
#define TESTS_DISK_IMAGE_H

#include <sys/mman.h>
#include <unistd.h>

#include "io/disk.h"

/* 1 MiB that begins with "ABCD".  It is made once for the process, which never closes it. */
static inline struct disk_image test_disk(void)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("disk", MFD_CLOEXEC);
        if (ftruncate(fd, 1 << 20) || write(fd, "ABCD", 4) != 4)
            fd = -1;
    }
    return (struct disk_image){ "disk.img", 2048, fd, DISK_OVERLAY };
}

#endif
