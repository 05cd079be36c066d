/*
 * vm/load_linux.c -- the Linux boot protocol: bzImage, and memtest86+ too.
 *
 * We skip the file's real-mode part, as GRUB and kexec do: the protected-mode
 * part goes to its preferred address and is entered there, in 32-bit flat mode
 * or, if asked, in long mode 0x200 bytes further on.  What the real-mode part
 * would have found out from the BIOS stands in the "zero page" (boot_params),
 * with the setup header copied from the file and filled in.
 * [Linux "The Linux/x86 Boot Protocol"; Linux "Zero Page"]
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/x86.h"
#include "mem/gmem.h"
#include "vm/loading.h"

/* Setup header; the same offsets in the file and in the zero page. */
enum {
    HDR_SETUP_SECTS = 0x1f1, HDR_SYSSIZE = 0x1f4, HDR_VID_MODE = 0x1fa, HDR_BOOT_FLAG = 0x1fe,
    HDR_LENGTH = 0x201, HDR_MAGIC = 0x202, HDR_VERSION = 0x206, HDR_TYPE_OF_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211, HDR_CODE32_START = 0x214, HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c, HDR_CMD_LINE_PTR = 0x228, HDR_INITRD_ADDR_MAX = 0x22c,
    HDR_RELOCATABLE = 0x234, HDR_XLOADFLAGS = 0x236, HDR_CMDLINE_SIZE = 0x238,
    HDR_PREF_ADDRESS = 0x258, HDR_INIT_SIZE = 0x260, HDR_END = 0x290,
};
#define LOADED_HIGH    0x01         /* loadflags: the protected-mode part is at 1 MiB or above */
#define XLF_KERNEL_64  0x01         /* xloadflags: there is a 64-bit entry at +0x200 */
#define VERSION_MIN    0x0206       /* cmdline_size is there */
#define VERSION_PREF   0x020a       /* pref_address and init_size are there */
#define VERSION_XLF    0x020c       /* xloadflags is there */

/* Zero page, outside the setup header. */
enum {
    ZP_EXT_MEM_K = 0x002, ZP_VIDEO_MODE = 0x006, ZP_VIDEO_COLS = 0x007, ZP_VIDEO_EGA_BX = 0x00a,
    ZP_VIDEO_LINES = 0x00e, ZP_VIDEO_IS_VGA = 0x00f, ZP_VIDEO_POINTS = 0x010,
    ZP_ALT_MEM_K = 0x1e0, ZP_E820_ENTRIES = 0x1e8, ZP_E820_TABLE = 0x2d0, ZP_E820_ENTRY = 20,
};

bool load_is_linux(const struct load_file *f)
{
    const uint8_t *p = f->bytes;

    return f->size >= HDR_MAGIC + 4 && memcmp(p + HDR_MAGIC, "HdrS", 4) == 0 &&
           get16(p + HDR_BOOT_FLAG) == 0xaa55;
}

static unsigned version(const uint8_t *zp)
{
    return get16(zp + HDR_VERSION);
}

/* Copy the setup header into the zero page, as long as the file says it is.
 * What lies beyond stays zero, so an old header's missing fields read as 0. */
static int read_header(struct loading *l, uint8_t *zp)
{
    const uint8_t *file = l->image->bytes;
    size_t end;

    if (!load_is_linux(l->image))
        return load_refuse(l, ENOEXEC, "it has no Linux setup header (\"HdrS\" at 0x202)");
    end = HDR_MAGIC + (size_t)file[HDR_LENGTH];
    if (end > HDR_END)
        end = HDR_END;
    if (end > l->image->size)
        return load_refuse(l, ENOEXEC, "its Linux setup header ends at %#zx, past the end of the "
                           "file; it is truncated", end);
    memcpy(zp + HDR_SETUP_SECTS, file + HDR_SETUP_SECTS, end - HDR_SETUP_SECTS);

    if (version(zp) < VERSION_MIN)
        return load_refuse(l, ENOTSUP, "it speaks Linux boot protocol %u.%02u; 2.06 or later is "
                           "needed (Linux 2.6.22)", version(zp) >> 8, version(zp) & 0xff);
    if (!(zp[HDR_LOADFLAGS] & LOADED_HIGH))
        return load_refuse(l, ENOTSUP, "it is a zImage, loaded below 1 MiB; build a bzImage");
    return 0;
}

/* The protected-mode part, with the work space it asks for behind it; that is
 * not cleared, for the kernel does so itself.
 *
 *     file     | boot sector | setup, setup_sects * 512 | protected-mode part ...       |
 *     memory   pref_address:                            | the same ... | work space     |
 *                                                       |<-------- init_size ---------->|
 *
 * setup_sects 0 means 4, for the sake of very old kernels.  The kernel decompresses itself in
 * place, so init_size is more than the file has.
 * [Linux "The Linux/x86 Boot Protocol", "Details of Header Fields"] */
static int place_kernel(struct loading *l, uint8_t *zp, gpa_t *base)
{
    const uint8_t *file = l->image->bytes;
    uint64_t sects = zp[HDR_SETUP_SECTS] ? zp[HDR_SETUP_SECTS] : 4;
    uint64_t offset = (sects + 1) * 512, bytes, mem, promised;
    int err;

    promised = (uint64_t)get32(zp + HDR_SYSSIZE) * 16;
    if (offset >= l->image->size || promised > l->image->size - offset + 15)
        return load_refuse(l, ENOEXEC, "its setup header promises %#" PRIx64 " bytes of kernel "
                           "from offset %#" PRIx64 ", but the file ends at %#" PRIx64
                           "; it is truncated", promised, offset, l->image->size);
    bytes = mem = l->image->size - offset;
    *base = get32(zp + HDR_CODE32_START);
    if (version(zp) >= VERSION_PREF) {
        if (get64(zp + HDR_PREF_ADDRESS))
            *base = get64(zp + HDR_PREF_ADDRESS);
        if (get32(zp + HDR_INIT_SIZE) > mem)
            mem = get32(zp + HDR_INIT_SIZE);
    }
    if (*base < ONE_MIB || *base >= FOUR_GIB)
        return load_refuse(l, ENOEXEC, "it wants to be loaded at %#" PRIx64 ", which is not "
                           "between 1 MiB and 4 GiB; the setup header is damaged", *base);
    put32(zp + HDR_CODE32_START, (uint32_t)*base);
    err = load_reserve(l, "the kernel", *base, mem);
    if (!err && gmem_write(l->m, *base, file + offset, bytes))
        err = load_refuse(l, EFAULT, "guest memory at %#" PRIx64 " cannot be written", *base);
    return err;
}

/* cmdline_size does not count the zero at the end.
 * [Linux "The Linux/x86 Boot Protocol", "The Kernel Command Line"] */
static int place_cmdline(struct loading *l, uint8_t *zp)
{
    const char *line = l->r->append ? l->r->append : "";
    uint64_t len = strlen(line), max = get32(zp + HDR_CMDLINE_SIZE);
    gpa_t at;
    int err;

    if (len > max)
        return load_refuse(l, E2BIG, "its command line has %" PRIu64 " characters, and this "
                           "kernel takes at most %" PRIu64 "; shorten --append", len, max);
    err = load_add(l, "the command line", line, len + 1, 16, &at);
    put32(zp + HDR_CMD_LINE_PTR, (uint32_t)at);
    return err;
}

/* The initrd goes as high as the kernel allows.  Several files are joined, on
 * 4-byte boundaries, which is what the kernel's unpacker expects of archives. */
static int place_initrd(struct loading *l, uint8_t *zp)
{
    uint64_t total = 0, top = (uint64_t)get32(zp + HDR_INITRD_ADDR_MAX) + 1;
    gpa_t at;
    int err;

    for (unsigned i = 0; i < l->n_modules; i++)
        total += (l->modules[i].size + 3) & ~UINT64_C(3);
    if (!l->n_modules)
        return 0;
    if (!load_find(l, total, PAGE_SIZE, ONE_MIB, top, LOAD_HIGHEST, &at))
        return load_refuse_size(l, "the initrd", total, load_end(l) + PAGE_SIZE + total);
    put32(zp + HDR_RAMDISK_IMAGE, (uint32_t)at);
    put32(zp + HDR_RAMDISK_SIZE, (uint32_t)total);
    for (unsigned i = 0; i < l->n_modules; i++) {
        const struct load_file *f = &l->modules[i];
        uint64_t padded = (f->size + 3) & ~UINT64_C(3);

        err = load_place(l, "the initrd", at, f->bytes, f->size, padded);
        if (err)
            return err;
        at += padded;
    }
    return 0;
}

/* What the real-mode part would have asked the BIOS. */
static void fill_machine(const struct loading *l, uint8_t *zp)
{
    uint64_t kib = load_ram_above_1m_kib(l);

    zp[HDR_TYPE_OF_LOADER] = 0xff;              /* a loader without a number of its own */
    put16(zp + HDR_VID_MODE, 0xffff);           /* "normal" */
    put16(zp + ZP_EXT_MEM_K, kib > 0xffff ? 0xffff : (uint16_t)kib);
    put32(zp + ZP_ALT_MEM_K, kib > UINT32_MAX ? UINT32_MAX : (uint32_t)kib);
    zp[ZP_VIDEO_MODE] = 3;
    zp[ZP_VIDEO_COLS] = 80;
    zp[ZP_VIDEO_LINES] = 25;
    zp[ZP_VIDEO_IS_VGA] = 1;
    put16(zp + ZP_VIDEO_EGA_BX, 3);             /* 256 KiB of video memory */
    put16(zp + ZP_VIDEO_POINTS, 16);
    zp[ZP_E820_ENTRIES] = (uint8_t)l->n_e820;
    for (unsigned i = 0; i < l->n_e820; i++) {
        uint8_t *e = zp + ZP_E820_TABLE + i * ZP_E820_ENTRY;
        put64(e, l->e820[i].base);
        put64(e + 8, l->e820[i].len);
        put32(e + 16, l->e820[i].type);
    }
}

/* The 64-bit entry is used only if asked for: the 32-bit one exists in every kernel, and a
 * student sees the kernel itself switch to long mode. */
static int enter(struct loading *l, const uint8_t *zp, gpa_t base)
{
    bool has_64 = version(zp) >= VERSION_XLF && (get16(zp + HDR_XLOADFLAGS) & XLF_KERNEL_64);

    if (l->out->format == LOAD_LINUX64 && !has_64)
        return load_refuse(l, ENOTSUP, "it has no 64-bit entry point (XLF_KERNEL_64 is clear); "
                           "use --format linux");
    if (l->out->format == LOAD_LINUX64) {
        l->out->about = "Linux boot protocol, 64-bit entry";
        return load_enter_long(l, BOOT_GDT_LINUX, base + 0x200);
    }
    l->out->about = "Linux boot protocol, 32-bit entry";
    return load_enter_flat32(l, BOOT_GDT_LINUX, base);
}

/* RSI points to the zero page in both entry states, 32-bit and 64-bit.
 * [Linux "The Linux/x86 Boot Protocol", "32-bit Boot Protocol", "64-bit Boot Protocol"] */
int load_linux(struct loading *l)
{
    uint8_t zp[PAGE_SIZE] = { 0 };
    gpa_t base = 0, at = 0;
    int err;

    err = read_header(l, zp);
    if (!err)
        err = place_kernel(l, zp, &base);
    if (!err)
        err = place_cmdline(l, zp);
    if (!err)
        err = place_initrd(l, zp);
    if (err)
        return err;
    fill_machine(l, zp);
    err = load_add(l, "the zero page", zp, sizeof(zp), PAGE_SIZE, &at);
    if (!err)
        err = enter(l, zp, base);
    l->out->cpu.gpr[RSI] = at;
    return err;
}
