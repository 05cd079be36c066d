/*
 * tests/unit/test_ata.c -- an ATA channel, driven register by register.
 *
 * The drives stand on images of 2048 sectors in memory, in which each word of sector n is n.
 * Nothing else is there but a clock, a line and a trace.
 *
 *   run   build/tests/test_ata
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "io/ata.h"
#include "io/disk.h"
#include "io/slot.h"

#define SECTORS 2048u
#define OK      (ATA_DRDY | ATA_DSC)
#define OFFERED (OK | ATA_DRQ)
#define FAILED  (OK | ATA_ERR)

enum { NOP = 0x00, RECALIBRATE = 0x10, READ = 0x20, READ_EXT = 0x24, READ_MULTIPLE_EXT = 0x29,
       WRITE = 0x30, WRITE_EXT = 0x34, WRITE_MULTIPLE_EXT = 0x39, VERIFY = 0x40, VERIFY_EXT = 0x42,
       SEEK = 0x70, DIAGNOSTIC = 0x90, PARAMETERS = 0x91, READ_MULTIPLE = 0xc4,
       WRITE_MULTIPLE = 0xc5, SET_MULTIPLE = 0xc6, STANDBY_NOW = 0xe0, IDLE_NOW = 0xe1,
       STANDBY = 0xe2, IDLE = 0xe3, CHECK_POWER = 0xe5, SLEEP = 0xe6, FLUSH = 0xe7,
       FLUSH_EXT = 0xea, IDENTIFY = 0xec, SET_FEATURES = 0xef };

static struct vclock *clock_;
static struct trace *t;
static struct disk *disk[2];
static struct disk_image image[2];
static uint64_t n_oddities[N_ODDITIES];
static bool line;
static unsigned n_edges;
static void *ata;

static void on_line(void *arg, unsigned n, bool level)
{
    (void)arg, (void)n;
    n_edges += level && !line;
    line = level;
}

static void make_image(unsigned i, enum disk_mode mode)
{
    uint16_t word[SECTOR_BYTES / 2];
    int fd = memfd_create("image", MFD_CLOEXEC);
    for (unsigned s = 0; s < SECTORS; s++) {
        for (unsigned w = 0; w < NELEM(word); w++)
            word[w] = (uint16_t)s;
        assert_int_equal(write(fd, word, sizeof word), sizeof word);
    }
    image[i] = (struct disk_image){ "image", SECTORS, fd, mode };
    disk[i] = disk_new(&image[i], t);
}

static void make(bool first, bool second, enum disk_mode mode)
{
    t = trace_new(1024);
    t->mask = ~UINT64_C(0);
    clock_ = vclock_new(t);
    memset(n_oddities, 0, sizeof n_oddities);
    line = false;
    n_edges = 0;
    if (first)
        make_image(0, mode);
    if (second)
        make_image(1, mode);
    struct slot s = { .clock = clock_, .trace = t, .n_oddities = n_oddities,
                      .pin = { { on_line, NULL, 14 } }, .disk = { disk[0], disk[1] } };
    ata = ata_ops.create(&s);
    assert_non_null(ata);
}

static int one_disk(void **state)
{
    (void)state;
    make(true, false, DISK_OVERLAY);
    return 0;
}

static int two_disks(void **state)
{
    (void)state;
    make(true, true, DISK_OVERLAY);
    return 0;
}

static int second_disk_only(void **state)
{
    (void)state;
    make(false, true, DISK_OVERLAY);
    return 0;
}

static int read_only_disk(void **state)
{
    (void)state;
    make(true, false, DISK_READ_ONLY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ata_ops.free(ata);
    for (unsigned i = 0; i < 2; i++) {
        if (disk[i])
            close(image[i].fd);
        disk_free(disk[i]);
        disk[i] = NULL;
    }
    vclock_free(clock_);
    trace_free(t);
    return 0;
}

/* ---- what a host does ---- */

static void out(unsigned off, uint8_t value)
{
    ata_ops.write(ata, (struct bus_access){ .off = off, .size = 1 }, value);
}

/* A peek must say what the read then does, and change nothing. */
static uint64_t in_sized(unsigned off, unsigned size)
{
    struct bus_access a = { .off = off, .size = size };
    uint64_t peeked = ata_ops.peek(ata, a), again = ata_ops.peek(ata, a);
    uint64_t value = ata_ops.read(ata, a);
    assert_int_equal(peeked, again);
    assert_int_equal(peeked, value);
    return value;
}

static uint8_t in(unsigned off)
{
    return (uint8_t)in_sized(off, 1);
}

static uint16_t word(void)
{
    return (uint16_t)in_sized(ATA_DATA, 2);
}

static void give(uint16_t value)
{
    ata_ops.write(ata, (struct bus_access){ .off = ATA_DATA, .size = 2 }, value);
}

static void time_passes(uint64_t ns)
{
    vclock_set_ns(clock_, vclock_now_ns(clock_) + ns);
    vclock_run_due(clock_);
}

/* Until the drive is not busy; what STATUS then says, read so that the interrupt stays. */
static uint8_t settle(void)
{
    for (int i = 0; i < 1000 && in(ATA_ALT_STATUS) & ATA_BSY; i++)
        time_passes(vclock_next_ns(clock_) - vclock_now_ns(clock_));
    assert_false(in(ATA_ALT_STATUS) & ATA_BSY);
    return in(ATA_ALT_STATUS);
}

static void address(uint64_t lba, uint8_t count)
{
    out(ATA_DEVICE, ATA_LBA | (uint8_t)(lba >> 24 & 0xf));
    out(ATA_COUNT, count);
    out(ATA_LBA_LOW, (uint8_t)lba);
    out(ATA_LBA_MID, (uint8_t)(lba >> 8));
    out(ATA_LBA_HIGH, (uint8_t)(lba >> 16));
}

static void address_ext(uint64_t lba, uint16_t count)
{
    out(ATA_COUNT, (uint8_t)(count >> 8));
    out(ATA_LBA_LOW, (uint8_t)(lba >> 24));
    out(ATA_LBA_MID, (uint8_t)(lba >> 32));
    out(ATA_LBA_HIGH, (uint8_t)(lba >> 40));
    address(lba & 0xffffff, (uint8_t)count);
}

static uint8_t command(uint8_t opcode)
{
    out(ATA_COMMAND, opcode);
    return settle();
}

/* Take a sector of which every word must be this one. */
static void take_sector(uint16_t want)
{
    for (unsigned i = 0; i < SECTOR_BYTES / 2; i++)
        assert_int_equal(word(), want);
}

static void give_sector(uint16_t value)
{
    for (unsigned i = 0; i < SECTOR_BYTES / 2; i++)
        give(value);
}

static void expect_sector(uint64_t lba, uint16_t want)
{
    address(lba, 1);
    assert_int_equal(command(READ), OFFERED);
    take_sector(want);
    assert_int_equal(settle(), OK);
}

static uint64_t oddities_of(enum oddity what)
{
    return n_oddities[what];
}

/* ---- reads ---- */

static void a_read_is_busy_then_offers_and_interrupts(void **state)
{
    (void)state;
    address(5, 2);
    out(ATA_COMMAND, READ);
    assert_true(in(ATA_STATUS) & ATA_BSY);
    assert_false(line);
    assert_int_equal(settle(), OFFERED);
    assert_true(line);
    assert_int_equal(in(ATA_STATUS), OFFERED);      /* takes it back */
    assert_false(line);
    take_sector(5);
    assert_true(in(ATA_ALT_STATUS) & ATA_BSY);
    assert_int_equal(settle(), OFFERED);
    assert_true(line);
    in(ATA_STATUS);
    take_sector(6);
    assert_int_equal(in(ATA_STATUS), OK);
    assert_int_equal(n_edges, 2);
}

static void the_alternate_status_leaves_the_interrupt(void **state)
{
    (void)state;
    address(0, 1);
    command(READ);
    in(ATA_ALT_STATUS);
    assert_true(line);
    in(ATA_STATUS);
    assert_false(line);
}

static void nien_keeps_the_line_low(void **state)
{
    (void)state;
    out(ATA_CONTROL, ATA_NIEN);
    address(0, 1);
    command(READ);
    assert_false(line);
    out(ATA_CONTROL, 0);
    assert_true(line);                  /* it still is pending */
}

static void a_count_of_0_is_256(void **state)
{
    (void)state;
    address(100, 0);
    uint8_t status = command(READ);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(status, OFFERED);
        take_sector((uint16_t)(100 + i));
        status = settle();
    }
    assert_int_equal(status, OK);
}

static void chs_and_48_bits_name_the_same_sectors(void **state)
{
    (void)state;
    out(ATA_DEVICE, 3);                 /* head 3 of 16, 63 sectors */
    out(ATA_COUNT, 1);
    out(ATA_LBA_LOW, 7);
    out(ATA_LBA_MID, 1);
    out(ATA_LBA_HIGH, 0);
    assert_int_equal(command(READ), OFFERED);
    take_sector((1 * 16 + 3) * 63 + 6);
    address_ext(1203, 1);
    assert_int_equal(command(READ_EXT), OFFERED);
    take_sector(1203);
}

static void a_translation_is_changed(void **state)
{
    (void)state;
    out(ATA_DEVICE, 3);                 /* 4 heads */
    out(ATA_COUNT, 17);
    assert_int_equal(command(PARAMETERS), OK);
    out(ATA_DEVICE, 2);
    out(ATA_COUNT, 1);
    out(ATA_LBA_LOW, 17);
    out(ATA_LBA_MID, 5);
    out(ATA_LBA_HIGH, 0);
    assert_int_equal(command(READ), OFFERED);
    take_sector((5 * 4 + 2) * 17 + 16);
    out(ATA_LBA_LOW, 18);               /* no such sector in a track */
    assert_int_equal(command(READ), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_IDNF);
    out(ATA_LBA_LOW, 0);
    assert_int_equal(command(READ), FAILED);
    out(ATA_COUNT, 0);                  /* tracks without sectors */
    assert_int_equal(command(PARAMETERS), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_ABRT);
}

static void data_pass_by_32_bits_too(void **state)
{
    (void)state;
    address(9, 2);
    command(READ);
    for (unsigned i = 0; i < SECTOR_BYTES / 4; i++)
        assert_int_equal(in_sized(ATA_DATA, 4), 9 | 9 << 16);
    settle();
    take_sector(10);
    assert_int_equal(settle(), OK);
}

/* ---- writes ---- */

static void a_write_asks_at_once_and_interrupts_behind_each_block(void **state)
{
    (void)state;
    address(20, 2);
    out(ATA_COMMAND, WRITE);
    assert_int_equal(in(ATA_ALT_STATUS), OFFERED);  /* no time passed, no interrupt */
    assert_false(line);
    give_sector(0x1111);
    assert_true(in(ATA_ALT_STATUS) & ATA_BSY);
    assert_int_equal(settle(), OFFERED);
    assert_true(line);
    in(ATA_STATUS);
    give_sector(0x2222);
    assert_int_equal(settle(), OK);
    assert_true(line);
    expect_sector(20, 0x1111);
    expect_sector(21, 0x2222);
    expect_sector(22, 22);
}

static void the_image_stays_as_it_was(void **state)
{
    (void)state;
    uint16_t now;
    address(20, 1);
    command(WRITE);
    give_sector(0x1111);
    settle();
    assert_int_equal(pread(image[0].fd, &now, 2, 20 * SECTOR_BYTES), 2);
    assert_int_equal(now, 20);
    expect_sector(20, 0x1111);
}

static void a_read_only_disk_aborts_writes(void **state)
{
    (void)state;
    address(20, 1);
    assert_int_equal(command(WRITE), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_ABRT);
    expect_sector(20, 20);
}

static void writes_in_all_ways(void **state)
{
    (void)state;
    address_ext(30, 1);
    assert_int_equal(command(WRITE_EXT), OFFERED);
    give_sector(0x3333);
    assert_int_equal(settle(), OK);
    out(ATA_COUNT, 2);
    assert_int_equal(command(SET_MULTIPLE), OK);
    address_ext(40, 3);
    assert_int_equal(command(WRITE_MULTIPLE_EXT), OFFERED);
    give_sector(0x4440);
    assert_int_equal(in(ATA_ALT_STATUS), OFFERED);  /* within a block */
    give_sector(0x4441);
    assert_int_equal(settle(), OFFERED);
    give_sector(0x4442);
    assert_int_equal(settle(), OK);
    expect_sector(30, 0x3333);
    for (unsigned i = 0; i < 3; i++)
        expect_sector(40 + i, (uint16_t)(0x4440 + i));
}

/* ---- blocks ---- */

static void a_block_has_one_interrupt(void **state)
{
    (void)state;
    out(ATA_COUNT, 4);
    command(SET_MULTIPLE);
    n_edges = 0;
    address(50, 6);
    assert_int_equal(command(READ_MULTIPLE), OFFERED);
    in(ATA_STATUS);
    for (unsigned i = 0; i < 4; i++)
        take_sector((uint16_t)(50 + i));
    assert_int_equal(settle(), OFFERED);
    in(ATA_STATUS);
    take_sector(54);
    take_sector(55);
    assert_int_equal(settle(), OK);
    assert_int_equal(n_edges, 2);
    address_ext(50, 2);
    assert_int_equal(command(READ_MULTIPLE_EXT), OFFERED);
    take_sector(50);
    take_sector(51);
    assert_int_equal(settle(), OK);
}

static void multiple_must_be_set_to_a_power_of_two(void **state)
{
    (void)state;
    address(50, 2);
    assert_int_equal(command(READ_MULTIPLE), FAILED);
    assert_int_equal(command(WRITE_MULTIPLE), FAILED);
    static const uint8_t bad[] = { 3, 17, 32, 255 };
    for (size_t i = 0; i < NELEM(bad); i++) {
        out(ATA_COUNT, bad[i]);
        assert_int_equal(command(SET_MULTIPLE), FAILED);
        assert_int_equal(in(ATA_ERROR), ATA_ABRT);
    }
    out(ATA_COUNT, 0);
    assert_int_equal(command(SET_MULTIPLE), OK);
}

/* ---- errors ---- */

static void a_read_behind_the_end_says_where(void **state)
{
    (void)state;
    address(SECTORS - 1, 3);
    assert_int_equal(command(READ), OFFERED);
    take_sector(SECTORS - 1);
    assert_int_equal(settle(), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_IDNF);
    assert_int_equal(in(ATA_COUNT), 2);
    assert_int_equal(in(ATA_LBA_LOW) | in(ATA_LBA_MID) << 8 | in(ATA_LBA_HIGH) << 16, SECTORS);
    address(0xfffffff, 0);
    assert_int_equal(command(READ), FAILED);
    assert_int_equal(command(WRITE), FAILED);
    assert_int_equal(command(VERIFY), FAILED);
    assert_int_equal(command(SEEK), FAILED);
    address_ext(UINT64_C(0xffffffffffff), 0);
    assert_int_equal(command(READ_EXT), FAILED);
    assert_int_equal(command(WRITE_EXT), FAILED);
    assert_int_equal(command(VERIFY_EXT), FAILED);
    out(ATA_CONTROL, ATA_HOB);          /* the older half of where it was */
    assert_int_equal(in(ATA_LBA_HIGH), 0xff);
    out(ATA_LBA_LOW, 0);                /* ends HOB */
    assert_int_equal(in(ATA_LBA_LOW), 0);
}

static void an_image_that_has_shrunk_is_a_bad_sector(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(image[0].fd, 10 * SECTOR_BYTES), 0);
    expect_sector(9, 9);
    address(10, 1);
    assert_int_equal(command(READ), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_UNC);
    assert_int_equal(command(VERIFY), FAILED);
}

static void unknown_commands_abort(void **state)
{
    (void)state;
    static const uint8_t none[] = { NOP, 0x08, 0x25, 0x60, 0xa0, 0xa1, 0xb0, 0xc8, 0xf8, 0xff };
    for (size_t i = 0; i < NELEM(none); i++) {
        assert_int_equal(command(none[i]), FAILED);
        assert_int_equal(in(ATA_ERROR), ATA_ABRT);
        assert_true(line);
    }
    assert_int_equal(command(IDLE_NOW), OK);
    assert_int_equal(in(ATA_ERROR), 0);
}

/* ---- what must not be done ---- */

static void words_that_nobody_offers_are_zeros(void **state)
{
    (void)state;
    assert_int_equal(word(), 0);
    give(0x1234);
    assert_int_equal(oddities_of(ODDITY_ATA_NO_DATA), 2);
    address(60, 1);
    command(READ);
    give(0x1234);                       /* the wrong way */
    take_sector(60);
    assert_int_equal(word(), 0);        /* one too many */
    address(60, 1);
    command(WRITE);
    assert_int_equal(word(), 0);
    give_sector(0x6060);
    give(0x1234);                       /* while it is busy */
    assert_int_equal(settle(), OK);
    expect_sector(60, 0x6060);
    expect_sector(61, 61);
}

static void a_busy_drive_takes_no_notice(void **state)
{
    (void)state;
    address(70, 1);
    out(ATA_COMMAND, READ);
    out(ATA_LBA_LOW, 99);
    out(ATA_DEVICE, ATA_DEV);
    out(ATA_COMMAND, WRITE);
    assert_int_equal(oddities_of(ODDITY_ATA_BUSY), 3);
    assert_int_equal(settle(), OFFERED);
    out(ATA_COMMAND, IDENTIFY);         /* while it has data */
    take_sector(70);
    assert_int_equal(settle(), OK);
}

static void a_reset_ends_whatever_there_is(void **state)
{
    (void)state;
    address(80, 4);
    command(WRITE);
    give_sector(0x8080);
    settle();
    give(1), give(2);                   /* in the midst of the second sector */
    out(ATA_CONTROL, ATA_SRST);
    assert_true(in(ATA_STATUS) & ATA_BSY);
    time_passes(1000000000);
    assert_true(in(ATA_STATUS) & ATA_BSY);
    out(ATA_CONTROL, 0);
    assert_true(in(ATA_STATUS) & ATA_BSY);
    assert_int_equal(settle(), OK);
    assert_false(line);
    assert_int_equal(in(ATA_ERROR), 1);
    assert_int_equal(in(ATA_COUNT), 1);
    assert_int_equal(in(ATA_LBA_LOW), 1);
    assert_int_equal(in(ATA_LBA_MID), 0);
    assert_int_equal(in(ATA_LBA_HIGH), 0);
    expect_sector(80, 0x8080);
    expect_sector(81, 81);
    address(80, 1);                     /* and while it is busy */
    out(ATA_COMMAND, READ);
    out(ATA_CONTROL, ATA_SRST);
    out(ATA_CONTROL, 0);
    assert_int_equal(settle(), OK);
    assert_int_equal(word(), 0);
}

/* ---- commands without data ---- */

static void commands_without_data_interrupt_once(void **state)
{
    (void)state;
    static const uint8_t some[] = { RECALIBRATE, 0x1f, SEEK, IDLE_NOW, IDLE, FLUSH, FLUSH_EXT };
    address(1, 1);
    for (size_t i = 0; i < NELEM(some); i++) {
        in(ATA_STATUS);
        n_edges = 0;
        out(ATA_COMMAND, some[i]);
        assert_true(in(ATA_ALT_STATUS) & ATA_BSY);
        assert_int_equal(settle(), OK);
        assert_int_equal(n_edges, 1);
    }
    address(SECTORS - 2, 2);
    assert_int_equal(command(VERIFY), OK);
    address(SECTORS - 2, 3);
    assert_int_equal(command(VERIFY), FAILED);
    assert_int_equal(in(ATA_ERROR), ATA_IDNF);
}

static void standby_wakes_for_the_disk_and_sleep_for_a_reset(void **state)
{
    (void)state;
    command(CHECK_POWER);
    assert_int_equal(in(ATA_COUNT), 0xff);
    command(STANDBY_NOW);
    command(CHECK_POWER);
    assert_int_equal(in(ATA_COUNT), 0);
    expect_sector(3, 3);
    command(CHECK_POWER);
    assert_int_equal(in(ATA_COUNT), 0xff);
    command(SLEEP);
    in(ATA_STATUS);
    out(ATA_COMMAND, IDLE);
    assert_int_equal(in(ATA_ALT_STATUS), OK);
    assert_false(line);                 /* it sleeps */
    out(ATA_CONTROL, ATA_SRST);
    out(ATA_CONTROL, 0);
    settle();
    expect_sector(3, 3);
}

static void features(uint8_t what, uint8_t count, uint8_t want)
{
    out(ATA_FEATURES, what);
    out(ATA_COUNT, count);
    assert_int_equal(command(SET_FEATURES), want);
}

static void only_features_that_are_there_are_set(void **state)
{
    (void)state;
    features(0x02, 0, OK);
    features(0x82, 0, OK);
    features(0xaa, 0, OK);
    features(0x03, 0x00, OK);
    features(0x03, 0x0c, OK);
    features(0x03, 0x0d, FAILED);       /* no PIO mode 5 */
    features(0x03, 0x22, FAILED);       /* multiword DMA */
    features(0x03, 0x45, FAILED);       /* ultra DMA */
    features(0x05, 0x80, FAILED);       /* advanced power management */
}

static void identify_says_what_works(void **state)
{
    (void)state;
    uint16_t w[256];
    uint8_t sum = 0;
    char model[41] = "";
    assert_int_equal(command(IDENTIFY), OFFERED);
    for (unsigned i = 0; i < 256; i++) {
        w[i] = word();
        sum = (uint8_t)(sum + w[i] + (w[i] >> 8));
    }
    for (unsigned i = 0; i < 20; i++) {
        model[2 * i] = (char)(w[27 + i] >> 8);
        model[2 * i + 1] = (char)w[27 + i];
    }
    assert_int_equal(settle(), OK);
    assert_int_equal(sum, 0);
    assert_memory_equal(model, "VITRINE DISK        ", 20);
    assert_int_equal(w[1] * w[3] * w[6], 2 * 16 * 63);
    assert_int_equal(w[60] | w[61] << 16, SECTORS);
    assert_int_equal(w[100], SECTORS);
    assert_int_equal(w[47] & 0xff, 16);
    assert_int_equal(w[49] & 0x0300, 0x0200);       /* LBA, no DMA */
    assert_int_equal(w[63] | w[88], 0);
}

/* ---- who is there ---- */

static void an_absent_second_drive_answers_0(void **state)
{
    (void)state;
    out(ATA_DEVICE, ATA_DEV);
    assert_int_equal(in(ATA_STATUS), 0);
    assert_int_equal(in(ATA_ALT_STATUS), 0);
    out(ATA_COMMAND, IDENTIFY);
    time_passes(1000000000);
    assert_int_equal(in(ATA_STATUS), 0);
    assert_false(line);
    out(ATA_DEVICE, 0);
    expect_sector(3, 3);
}

static void two_drives_keep_apart(void **state)
{
    (void)state;
    address(5, 1);
    out(ATA_DEVICE, ATA_DEV | ATA_LBA);
    assert_int_equal(command(WRITE), OFFERED);
    give_sector(0x5555);
    assert_int_equal(settle(), OK);
    assert_true(line);
    out(ATA_DEVICE, ATA_LBA);           /* the other has nothing to tell */
    assert_false(line);
    expect_sector(5, 5);
    address(5, 1);
    out(ATA_DEVICE, ATA_DEV | ATA_LBA);
    assert_int_equal(command(READ), OFFERED);
    take_sector(0x5555);
    assert_int_equal(command(DIAGNOSTIC), OK);
    assert_int_equal(in(ATA_DEVICE) & ATA_DEV, 0);
    assert_int_equal(in(ATA_ERROR), 1);
}

static void a_second_drive_alone_works(void **state)
{
    (void)state;
    assert_int_equal(in(ATA_STATUS), 0);
    address(5, 1);
    out(ATA_DEVICE, ATA_DEV | ATA_LBA);
    assert_int_equal(command(READ), OFFERED);
    take_sector(5);
    out(ATA_CONTROL, ATA_SRST);
    out(ATA_CONTROL, 0);
    time_passes(1000000000);
    out(ATA_DEVICE, ATA_DEV);
    assert_int_equal(in(ATA_STATUS), OK);
    assert_int_equal(command(DIAGNOSTIC), 0);       /* by drive 0, which is not there */
}

/* ---- the trace, and what is saved ---- */

static const struct trace_event *last_event(enum trace_kind kind)
{
    for (uint64_t seq = t->ring->head; seq; seq--)
        if (t->ring->event[seq & (t->ring->size - 1)].kind == kind)
            return &t->ring->event[seq & (t->ring->size - 1)];
    fail_msg("no event %s", trace_kinds[kind].name);
    return NULL;
}

static uint64_t cause_of(const struct trace_event *e)
{
    return e->seq - e->cause_back;
}

static void the_trace_says_what_the_host_did_for_it(void **state)
{
    (void)state;
    address(33, 1);
    command(READ);
    const struct trace_event *e = last_event(TRACE_DISK_READ), *host = last_event(TRACE_DISK_HOST);
    assert_int_equal(e->arg[0], 0);
    assert_int_equal(e->arg[1], 33);
    assert_int_equal(e->arg[2], 1);
    assert_int_equal(host->arg[0], 33 * SECTOR_BYTES);
    assert_int_equal(host->arg[1], SECTOR_BYTES);
    assert_int_equal(host->arg[2], DISK_FROM_FILE);
    assert_int_equal(cause_of(host), e->seq);
    take_sector(33);
    command(WRITE);
    give_sector(1);
    settle();
    e = last_event(TRACE_DISK_WRITE), host = last_event(TRACE_DISK_HOST);
    assert_int_equal(host->arg[2], DISK_TO_OVERLAY);
    assert_int_equal(cause_of(host), e->seq);
    command(READ);
    assert_int_equal(last_event(TRACE_DISK_HOST)->arg[2], DISK_FROM_OVERLAY);
}

static void a_saved_transfer_goes_on(void **state)
{
    (void)state;
    struct bytes_out saved = { .data = NULL };
    address(90, 3);
    command(READ);
    for (unsigned i = 0; i < 100; i++)
        word();
    device_save(&ata_ops, ata, &saved);
    assert_false(saved.bad);
    out(ATA_CONTROL, ATA_SRST);         /* all is lost, ... */
    struct bytes_in from = { saved.data, saved.data + saved.n, false };
    assert_int_equal(device_load(&ata_ops, ata, &from), 0);     /* ... and found */
    for (unsigned i = 100; i < 256; i++)
        assert_int_equal(word(), 90);
    assert_int_equal(settle(), OFFERED);
    take_sector(91);
    free(saved.data);
}

/* The drive that the latest command was for is not there; the other one's registers stay. */
static void a_second_drive_alone_is_saved(void **state)
{
    (void)state;
    struct bytes_out saved = { .data = NULL };
    out(ATA_DEVICE, ATA_DEV);
    out(ATA_COUNT, 0x5a);
    device_save(&ata_ops, ata, &saved);
    ata_ops.reset(ata);
    struct bytes_in from = { saved.data, saved.data + saved.n, false };
    assert_int_equal(device_load(&ata_ops, ata, &from), 0);
    assert_int_equal(in(ATA_COUNT), 0x5a);
    free(saved.data);
}

/* A state file may say anything: whatever is in it, the channel goes on without harm. */
static void any_state_can_be_loaded(void **state)
{
    (void)state;
    struct bytes_out saved = { .data = NULL };
    uint32_t random = 1;
    address(90, 3);
    command(READ);
    device_save(&ata_ops, ata, &saved);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 1 + round % 7; i++) {
            random = random * 1664525 + 1013904223;
            saved.data[random % saved.n] = (uint8_t)(random >> 24);
        }
        struct bytes_in from = { saved.data, saved.data + saved.n, false };
        if (device_load(&ata_ops, ata, &from)) {
            free(saved.data);
            saved = (struct bytes_out){ .data = NULL };
            device_save(&ata_ops, ata, &saved);
        }
        for (unsigned i = 0; i < 300; i++) {
            ata_ops.read(ata, (struct bus_access){ .off = ATA_DATA, .size = 2 });
            give((uint16_t)i);
        }
        time_passes(100000000);
        out(ATA_COMMAND, (uint8_t)(random >> 16));
        time_passes(100000000);
    }
    free(saved.data);
}

#define WITH(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_read_is_busy_then_offers_and_interrupts, one_disk),
        WITH(the_alternate_status_leaves_the_interrupt, one_disk),
        WITH(nien_keeps_the_line_low, one_disk),
        WITH(a_count_of_0_is_256, one_disk),
        WITH(chs_and_48_bits_name_the_same_sectors, one_disk),
        WITH(a_translation_is_changed, one_disk),
        WITH(data_pass_by_32_bits_too, one_disk),
        WITH(a_write_asks_at_once_and_interrupts_behind_each_block, one_disk),
        WITH(the_image_stays_as_it_was, one_disk),
        WITH(a_read_only_disk_aborts_writes, read_only_disk),
        WITH(writes_in_all_ways, one_disk),
        WITH(a_block_has_one_interrupt, one_disk),
        WITH(multiple_must_be_set_to_a_power_of_two, one_disk),
        WITH(a_read_behind_the_end_says_where, one_disk),
        WITH(an_image_that_has_shrunk_is_a_bad_sector, one_disk),
        WITH(unknown_commands_abort, one_disk),
        WITH(words_that_nobody_offers_are_zeros, one_disk),
        WITH(a_busy_drive_takes_no_notice, one_disk),
        WITH(a_reset_ends_whatever_there_is, one_disk),
        WITH(commands_without_data_interrupt_once, one_disk),
        WITH(standby_wakes_for_the_disk_and_sleep_for_a_reset, one_disk),
        WITH(only_features_that_are_there_are_set, one_disk),
        WITH(identify_says_what_works, one_disk),
        WITH(an_absent_second_drive_answers_0, one_disk),
        WITH(two_drives_keep_apart, two_disks),
        WITH(a_second_drive_alone_works, second_disk_only),
        WITH(the_trace_says_what_the_host_did_for_it, one_disk),
        WITH(a_saved_transfer_goes_on, one_disk),
        WITH(a_second_drive_alone_is_saved, second_disk_only),
        WITH(any_state_can_be_loaded, two_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
