/*
 * vm/load.c -- recognise a file and hand it to the loader of its format.
 *
 * Begin reading here: load_guest() reads the files, load_guest_mem() chooses
 * the row of `loaders`.  Each loader places its parts (load_place.c) and sets
 * the entry state (load_enter.c).
 *
 * The files of a request are read once and kept: a guest that resets itself is loaded again,
 * by a process that may no longer open files.  A loader never trusts the file: every offset and
 * size is compared with what there is, and each refusal is a sentence that says what to do.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "io/disk.h"
#include "vm/loading.h"

#define IMAGE_MAX  (UINT64_C(1) << 31)      /* a file larger than this is not for us */

const struct load_format_info load_formats[N_LOAD_FORMATS] = {
#define X(id, nm, text) [LOAD_##id] = { nm, text },
    LOAD_LIST(X)
#undef X
};

/* In order of recognition: the more demanding magic first.  No `recognises`:
 * only on request. */
static const struct loader {
    enum load_format format;
    bool (*recognises)(const struct load_file *f);
    int  (*load)(struct loading *l);
} loaders[] = {
    { LOAD_MULTIBOOT,  load_is_multiboot,  load_multiboot  },
    { LOAD_MULTIBOOT2, load_is_multiboot2, load_multiboot2 },
    { LOAD_ELF,        load_is_elf,        load_elf        },
    { LOAD_LINUX,      load_is_linux,      load_linux      },
    { LOAD_BOOT,       load_is_boot,       load_boot       },
    { LOAD_LINUX64,    NULL,               load_linux      },
    { LOAD_FLAT,       NULL,               load_flat       },
};

int load_refuse(struct loading *l, int err, const char *fmt, ...)
{
    int used = snprintf(l->why, l->why_size, "%s: ", l->image->name);
    va_list ap;

    if (used >= 0 && (size_t)used < l->why_size) {
        va_start(ap, fmt);
        vsnprintf(l->why + used, l->why_size - (size_t)used, fmt, ap);
        va_end(ap);
    }
    return -err;
}

void load_note(struct loading *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->out->note, sizeof(l->out->note), fmt, ap);
    va_end(ap);
}

/* Unknown bytes: say what was tried, and what it may be instead. */
static int refuse_unknown(struct loading *l)
{
    static const struct { const char *magic; unsigned len; const char *hint; } known[] = {
        { "\x1f\x8b", 2,         "it is gzip-compressed; gunzip it first" },
        { "\xfd" "7zXZ", 5,      "it is xz-compressed; unxz it first" },
        { "\x28\xb5\x2f\xfd", 4, "it is zstd-compressed; unzstd it first" },
        { "070701", 6,           "it is a cpio archive; pass it with --initrd" },
        { "MZ", 2,               "it is a DOS or UEFI program; there is no UEFI here" },
        { "#!", 2,               "it is a script; the guest must be a kernel or a disk image" },
        { "!<arch>", 7,          "it is a library archive; link it into an executable" },
    };
    char why[200];

    for (size_t i = 0; i < NELEM(known); i++)
        if (l->image->size >= known[i].len &&
            memcmp(l->image->bytes, known[i].magic, known[i].len) == 0)
            return load_refuse(l, ENOEXEC, "%s", known[i].hint);
    if (!load_multiboot_why_not(l->image, why, sizeof(why)))
        load_boot_why_not(l->image, why, sizeof(why));
    return load_refuse(l, ENOEXEC, "it is not an ELF file, a Multiboot kernel, a Linux bzImage or "
                       "a disk image with a boot sector (%s); plain code needs --format flat", why);
}

/* The loader for this request, or NULL with the refusal already written to *err. */
static const struct loader *choose(struct loading *l, int *err)
{
    const char *want = l->r->format;
    bool automatic = !want || strcmp(want, "auto") == 0;

    for (size_t i = 0; i < NELEM(loaders); i++) {
        const struct loader *k = &loaders[i];
        const char *name = load_formats[k->format].name;
        size_t n = strlen(name);

        if (automatic ? k->recognises && k->recognises(l->image)
                      : strcmp(want, name) == 0 ||
                        ((k->format == LOAD_FLAT || k->format == LOAD_BOOT) &&
                         strncmp(want, name, n) == 0 && (want[n] == '@' || want[n] == ':')))
            return k;
    }
    *err = automatic ? refuse_unknown(l)
                     : load_refuse(l, EINVAL,
                                   "there is no format \"%s\"; --format takes auto, elf, "
                                   "multiboot, multiboot2, linux, linux64, boot[:0|0x80] or "
                                   "flat[@ADDR][:16|32|64]",
                                   want);
    return NULL;
}

/* All in memory, so that tests and fuzzers need no files.  A BIOS is put into ROM for every
 * format, as a PC has one whatever it boots: ours, or the user's (load_rom.c). */
int load_guest_mem(struct gmem *m, const struct load_request *r, const struct load_file *image,
                   const struct load_file *bios, const struct load_file *modules,
                   unsigned n_modules, struct load_result *out, char *why, size_t n)
{
    struct loading l = { .m = m, .r = r, .image = image, .bios = bios, .modules = modules,
                         .n_modules = n_modules, .out = out, .why = why, .why_size = n };
    const struct loader *k;
    int err = 0;

    memset(out, 0, sizeof(*out));
    if (n)
        why[0] = '\0';
    if (image->size == 0)
        return load_refuse(&l, ENOEXEC, "the file is empty");
    if (n_modules > LOAD_MAX_MODULES)
        return load_refuse(&l, E2BIG, "%u modules; at most %d are taken", n_modules,
                           LOAD_MAX_MODULES);
    l.n_e820 = e820_make(m, l.e820);
    if (bios)
        return load_rom(&l);
    if (r->from_disk)
        return load_from_disk(&l);
    k = choose(&l, &err);
    if (!k)
        return err;
    out->format = k->format;
    if (n_modules && k->load != load_linux && k->load != load_multiboot &&
        k->load != load_multiboot2)
        return load_refuse(&l, EINVAL, "--initrd is for Linux and Multiboot kernels; this is %s",
                           load_formats[k->format].about);
    load_bios(m);
    load_bios_areas(&l, NULL);
    return k->load(&l);
}

/* The files of one request, and the split --initrd. */
struct load_files {
    struct load_request r;
    struct load_file image, bios, modules[LOAD_MAX_MODULES];
    unsigned n_modules;
    char *initrd;                   /* a copy, cut at commas */
};

/* "FILE ARGS": the module's name is the whole, the file is up to the space. */
static int read_module(struct load_files *in, const char *spec, char *why, size_t n)
{
    struct load_file *f = &in->modules[in->n_modules];
    char *path = strndup(spec, strcspn(spec, " "));
    void *bytes = NULL;
    int err = path ? host_read_file(path, IMAGE_MAX, &bytes, &f->size, why, n) : -ENOMEM;

    free(path);
    f->bytes = bytes;
    f->name = spec;
    if (!err)
        in->n_modules++;
    return err;
}

static int read_modules(struct load_files *in, const char *initrd, char *why, size_t n)
{
    char *rest, *spec;
    int err = 0;

    in->initrd = rest = strdup(initrd);
    if (!rest)
        return -ENOMEM;
    while (!err && (spec = strsep(&rest, ",")) != NULL) {
        if (in->n_modules == LOAD_MAX_MODULES) {
            snprintf(why, n, "--initrd names more than %d files", LOAD_MAX_MODULES);
            return -E2BIG;
        }
        err = read_module(in, spec, why, n);
    }
    return err;
}

/* Of a disk that is booted from, the first sector: the rest stays where it is. */
static int read_boot_sector(struct load_files *in, char *why, size_t n)
{
    const struct disk_image *hda = in->r.disk;
    uint8_t *sector = calloc(1, SECTOR_BYTES);
    int err = !sector ? -ENOMEM : !hda || !hda->sectors ? -ENODEV
                                : host_read_at(hda->fd, 0, sector, SECTOR_BYTES);
    if (err)
        snprintf(why, n, "%s: its boot sector cannot be read: %s", in->r.path, strerror(-err));
    in->image.bytes = sector;
    in->image.size = SECTOR_BYTES;
    return err;
}

static int read_bios(struct load_files *in, const char *path, char *why, size_t n)
{
    void *bytes = NULL;
    int err = host_read_file(path, BIOS_SIZE_MAX, &bytes, &in->bios.size, why, n);

    in->bios.bytes = bytes;
    in->bios.name = path;
    return err;
}

/* `why` says "out of memory" from the beginning: of the things that can fail here, only those
 * that have to do with a file write a sentence of their own. */
struct load_files *load_files_read(const struct load_request *r, char *why, size_t n)
{
    struct load_files *f = calloc(1, sizeof *f);
    void *bytes = NULL;
    int err;

    snprintf(why, n, "%s: out of memory", r->path);
    if (!f)
        return NULL;
    f->r = *r;
    f->image.name = r->path;
    if (r->from_disk) {
        err = read_boot_sector(f, why, n);
    } else {
        err = host_read_file(r->path, IMAGE_MAX, &bytes, &f->image.size, why, n);
        f->image.bytes = bytes;
    }
    if (!err && r->bios)
        err = read_bios(f, r->bios, why, n);
    if (!err && r->initrd)
        err = read_modules(f, r->initrd, why, n);
    if (!err)
        return f;
    load_files_free(f);
    errno = -err;
    return NULL;
}

void load_files_free(struct load_files *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->n_modules; i++)
        free((void *)(uintptr_t)f->modules[i].bytes);
    free((void *)(uintptr_t)f->image.bytes);
    free((void *)(uintptr_t)f->bios.bytes);
    free(f->initrd);
    free(f);
}

int load_files_place(const struct load_files *f, struct gmem *m, struct load_result *out,
                     char *why, size_t n)
{
    return load_guest_mem(m, &f->r, &f->image, f->r.bios ? &f->bios : NULL, f->modules,
                          f->n_modules, out, why, n);
}

const struct load_request *load_files_request(const struct load_files *f)
{
    return &f->r;
}

/* FNV-1a, with the size first so that bytes cannot move from one file to the next unnoticed.  It
 * tells guests apart that were rebuilt; it is no protection against somebody who wants the same
 * hash. */
static uint64_t hash_file(uint64_t h, const struct load_file *f)
{
    const uint8_t *at = f->bytes;
    h = (h ^ f->size) * UINT64_C(0x100000001b3);
    for (uint64_t i = 0; i < f->size; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

const void *load_files_image(const struct load_files *f, uint64_t *n_bytes)
{
    *n_bytes = f->image.size;
    return f->image.bytes;
}

uint64_t load_files_hash(const struct load_files *f)
{
    uint64_t h = hash_file(UINT64_C(0xcbf29ce484222325), &f->image);
    if (f->r.bios)
        h = hash_file(h, &f->bios);
    for (unsigned i = 0; i < f->n_modules; i++)
        h = hash_file(h, &f->modules[i]);
    return h;
}

int load_guest(struct gmem *m, const struct load_request *r, struct load_result *out,
               char *why, size_t n)
{
    struct load_files *f = load_files_read(r, why, n);
    int err = f ? 0 : -errno;

    memset(out, 0, sizeof *out);
    if (f)
        err = load_files_place(f, m, out, why, n);
    load_files_free(f);
    return err;
}
