/*
 * tests/fuzz/fuzz_ata.c -- a guest that knows no manners, for an ATA channel with two disks.
 *
 * The input is a program of small steps: registers written and read in any size, commands with
 * any address, words that pass without being asked for, time, resets in the midst of all, and
 * states loaded from nonsense.  The disks have 64 sectors, so that their end is near; the second
 * one's image is shorter than it says.
 *
 *   run   make fuzz            (each target for FUZZ_SECONDS)
 *
 * Beyond crashes and sanitizer reports it fails if a peek changes a byte of the channel or does not
 * say what the next read gives, if a saved channel loaded again is not the same, if a drive stays
 * busy, or if a sector of the image is written to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vclock.h"
#include "io/ata.h"
#include "io/disk.h"
#include "io/slot.h"

#define SECTORS 64u

struct input { const uint8_t *at; size_t left; };
struct channel { struct vclock *clock; struct disk *disk[2]; void *ata; };

static uint8_t take(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "ata: %s\n", what);
    abort();
}

/* ---- what a host does ---- */

static void out(struct channel *c, unsigned off, unsigned size, uint64_t value)
{
    ata_ops.write(c->ata, (struct bus_access){ .off = off, .size = size }, low_bytes(value, size));
}

static uint64_t in_port(struct channel *c, unsigned off, unsigned size)
{
    static uint8_t before[4096];
    struct bus_access a = { .off = off, .size = size };
    must(ata_ops.state_bytes <= sizeof before, "is larger than this test knows");
    memcpy(before, c->ata, ata_ops.state_bytes);
    uint64_t peeked = ata_ops.peek(c->ata, a);
    must(!memcmp(before, c->ata, ata_ops.state_bytes), "a peek changed it");
    uint64_t value = ata_ops.read(c->ata, a);
    must(peeked == value, "a peek said something else than the read");
    return value;
}

static void time_passes(struct channel *c, uint64_t ns)
{
    vclock_set_ns(c->clock, vclock_now_ns(c->clock) + ns);
    vclock_run_due(c->clock);
}

/* An access to a register; one that would reach past the last is what the bus makes bytes of. */
static void access_register(struct channel *c, struct input *in)
{
    uint8_t how = take(in);
    unsigned off = (how >> 3) % 9, size = 1u << how % 3;
    if (off + size > 9 || (off < 8 && off + size > 8))
        size = 1;
    if (how & 4)
        out(c, off, size, take(in) | take(in) << 8 | (uint64_t)take(in) << 16);
    else
        in_port(c, off, size);
}

/* A whole command, with an address near the beginning or the end, or anywhere. */
static void command(struct channel *c, struct input *in)
{
    static const uint8_t often[] = { 0x20, 0x24, 0x29, 0x30, 0x34, 0x39, 0x40, 0xc4, 0xc5, 0xc6, 0xec, 0x91 };
    uint8_t which = take(in), where = take(in), device = take(in);
    for (unsigned off = ATA_COUNT; off <= ATA_LBA_HIGH; off++)
        for (unsigned twice = 0; twice < 2; twice++)
            out(c, off, 1, where & 1 ? take(in) : off == ATA_COUNT ? where >> 4 : off == ATA_LBA_LOW
                           ? where >> 2 : 0);
    out(c, ATA_DEVICE, 1, device & 0x5f);
    out(c, ATA_COMMAND, 1, which & 0x80 ? often[which % NELEM(often)] : take(in));
}

static void pass_words(struct channel *c, struct input *in)
{
    uint8_t how = take(in);
    unsigned n = how & 1 ? 256 : (how >> 2) * 5u, size = how & 64 ? 4 : 2;
    for (unsigned i = 0; i < n; i++)
        if (how & 2)
            out(c, ATA_DATA, size, i * 0x01010101u + how);
        else
            in_port(c, ATA_DATA, size);
}

/* ---- states ---- */

static struct bytes_out save(struct channel *c)
{
    struct bytes_out o = { .data = NULL };
    device_save(&ata_ops, c->ata, &o);
    must(!o.bad, "cannot be saved");
    return o;
}

static void roundtrip(struct channel *c)
{
    struct bytes_out one = save(c), two;
    struct bytes_in from = { one.data, one.data + one.n, false };
    must(device_load(&ata_ops, c->ata, &from) == 0, "refuses what it has saved");
    two = save(c);
    must(one.n == two.n && !memcmp(one.data, two.data, one.n), "loading what was saved changed it");
    free(one.data);
    free(two.data);
}

static void load_nonsense(struct channel *c, struct input *in)
{
    struct bytes_out o = save(c);
    for (unsigned i = take(in) % 8; i > 0; i--) {
        size_t at = (size_t)(take(in) << 8 | take(in)) % o.n;
        o.data[at] = take(in);
    }
    struct bytes_in from = { o.data, o.data + o.n, false };
    device_load(&ata_ops, c->ata, &from);
    free(o.data);
}

static void step(struct channel *c, struct input *in)
{
    uint8_t op = take(in);
    switch (op % 16) {
    case 0: case 1: case 2: access_register(c, in); break;
    case 3: case 4: case 5: command(c, in); break;
    case 6: case 7: case 8: case 9: pass_words(c, in); break;
    case 10: case 11: case 12: time_passes(c, UINT64_C(1) << take(in) % 32); break;
    case 13: roundtrip(c); break;
    case 14: load_nonsense(c, in); break;
    default:
        if (op & 0x80)
            ata_ops.reset(c->ata);
        else
            out(c, ATA_CONTROL, 1, op >> 4 & 7);
    }
}

/* ---- a channel ---- */

static int image(unsigned sectors)
{
    static uint8_t byte[SECTORS * SECTOR_BYTES];
    int fd = memfd_create("image", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof byte; i++)
        byte[i] = (uint8_t)(i / SECTOR_BYTES);
    must(fd >= 0 && write(fd, byte, (size_t)sectors * SECTOR_BYTES) > 0, "has no image");
    return fd;
}

static void check_image(int fd)
{
    uint8_t byte[SECTORS];
    for (unsigned i = 0; i < SECTORS; i++)
        must(pread(fd, byte + i, 1, (off_t)i * SECTOR_BYTES) == 1 && byte[i] == i,
             "the image was written to");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd[2] = { -1, -1 };
    struct input in = { data, size < 2048 ? size : 2048 };
    if (fd[0] < 0)
        fd[0] = image(SECTORS), fd[1] = image(SECTORS - 9);
    struct channel c = { .clock = vclock_new(NULL) };
    for (unsigned i = 0; i < 2; i++)
        c.disk[i] = disk_new(&(struct disk_image){ "image", SECTORS, fd[i], DISK_OVERLAY }, NULL);
    uint8_t which = take(&in);
    struct slot s = { .clock = c.clock, .disk = { which % 3 == 0 ? NULL : c.disk[0],
                                                  which % 3 == 1 ? NULL : c.disk[1] } };
    c.ata = ata_ops.create(&s);
    while (in.left)
        step(&c, &in);
    out(&c, ATA_CONTROL, 1, 0);
    for (unsigned i = 0; i < 3; i++)
        time_passes(&c, UINT64_C(1) << 33);
    must(!(in_port(&c, ATA_ALT_STATUS, 1) & ATA_BSY), "is busy for ever");
    check_image(fd[0]);
    ata_ops.free(c.ata);
    disk_free(c.disk[0]);
    disk_free(c.disk[1]);
    vclock_free(c.clock);
    return 0;
}
