/*
 * vm/load_rom.c -- a BIOS image of the user's in the place of ours, and perhaps a disk for it.
 *
 * The image fills the machine's ROM: its last byte is seen below 1 MiB and below 4 GiB, and the
 * CPU begins with its last 16 bytes, in the state after reset.  Memory is as at power-on, with
 * no vectors and no BIOS data area: filling them is the image's affair.
 * [SDM 3A "First Instruction Executed"]
 *
 * A disk becomes the RAM disk that our own BIOS would have had, and lies described in the EBDA
 * (load_bios.c).  There is no disk controller, so only an image that looks there will find it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "mem/gmem.h"
#include "vm/loading.h"

bool load_rom_fits(uint64_t bytes)
{
    return bytes == BIOS_SIZE || bytes == 2 * BIOS_SIZE || bytes == BIOS_SIZE_MAX;
}

static const char sizes[] = "a BIOS image has 64, 128 or 256 KiB (65536, 131072 or 262144 bytes), "
                            "the last 16 of which are executed first";

int load_rom_size(const char *path, uint32_t *bytes, char *why, size_t n)
{
    struct stat st;

    *bytes = 0;
    if (stat(path, &st) != 0) {
        int err = errno;
        snprintf(why, n, "%s: %s", path, strerror(err));
        return -err;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, n, "%s: it is no ordinary file; %s", path, sizes);
        return -EINVAL;
    }
    if (!load_rom_fits((uint64_t)st.st_size)) {
        snprintf(why, n, "%s: it has %" PRId64 " bytes; %s", path, (int64_t)st.st_size, sizes);
        return -EINVAL;
    }
    *bytes = (uint32_t)st.st_size;
    return 0;
}

/* At both places.  Each is a ROM of just this size: the file may have changed since the machine
 * was made, and a damaged snapshot may say another. */
static int place_image(struct loading *l)
{
    const gpa_t end[] = { ONE_MIB, FOUR_GIB };
    uint64_t size = l->bios->size;

    for (size_t i = 0; i < NELEM(end); i++) {
        const struct gmem_region *r = gmem_find(l->m, end[i] - 1);
        if (!load_rom_fits(size) || !r || r->kind != GMEM_ROM || r->size != size)
            return load_refuse(l, EINVAL, "the BIOS image %s has %" PRIu64 " bytes, and the "
                               "machine's ROM %" PRIu64 "; %s", l->bios->name, size,
                               r ? r->size : 0, sizes);
        gmem_load_rom(l->m, r->base, l->bios->bytes, size);
    }
    return 0;
}

int load_rom(struct loading *l)
{
    bool has_disk = strcmp(l->r->path, l->r->bios) != 0;
    const char *format = l->r->format;
    int err;

    if (l->n_modules)
        return load_refuse(l, EINVAL, "--initrd is for Linux and Multiboot kernels; --bios starts "
                           "disks");
    if (format && (!has_disk || (strcmp(format, "auto") != 0 && strncmp(format, "boot", 4) != 0)))
        return load_refuse(l, EINVAL, "with --bios the guest is a disk image or nothing, and not "
                           "--format %s", format);
    err = place_image(l);
    if (err)
        return err;
    l->out->format = LOAD_BOOT;
    if (has_disk) {
        err = load_boot(l);
    } else {
        load_bios_areas(l, NULL);
        load_enter_reset(l);
    }
    l->out->about = "BIOS image, started from the reset vector";
    return err;
}
