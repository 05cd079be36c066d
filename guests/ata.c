/*
 * ata: a driver for an ATA disk, as short as one can be.
 *
 * A sector comes through one 16-bit port, word by word, after the drive has said that it has it: by
 * its status, or by IRQ 14.  The guest asks the drive what it is, reads and writes with each way to
 * say where (cylinder, head, sector; 28 bits; 48 bits), and provokes errors.
 *
 *   run    truncate -s 1M disk.img; vitrine run --disk disk.img build/guests/ata.elf
 *   watch  vitrine run --disk disk.img --trace - --trace-kinds DISK_READ,DISK_WRITE,DISK_HOST \
 *              build/guests/ata.elf
 *
 * MARK 1: IDENTIFY.  MARK 2: reads and writes, polling.  MARK 3: by interrupt.  MARK 4: blocks.
 * MARK 5: errors.  MARK 6: reset.
 * [ATA/ATAPI-6 (T13/1410D) "Command protocol", "Command descriptions"]
 */
#include "lib/guest.h"
#include "lib/desc.h"

enum { DATA = 0x1f0, ERROR, COUNT, LOW, MID, HIGH, DEVICE, STATUS, CONTROL = 0x3f6,
       FEATURES = ERROR, COMMAND = STATUS, ALT_STATUS = CONTROL };
enum { BSY = 0x80, DRDY = 0x40, DF = 0x20, DRQ = 0x08, ERR = 0x01, ABRT = 0x04 };
enum { READ = 0x20, READ_EXT = 0x24, READ_MULTIPLE = 0xc4, WRITE = 0x30, WRITE_EXT = 0x34,
       WRITE_MULTIPLE = 0xc5, SET_MULTIPLE = 0xc6, VERIFY = 0x40, FLUSH = 0xe7, IDENTIFY = 0xec,
       PARAMETERS = 0x91, DIAGNOSTIC = 0x90, SET_FEATURES = 0xef, CHECK_POWER = 0xe5, NOP = 0x00 };
enum { MASTER = 0xa0, SLAVE = 0xb0, LBA = 0x40, NO_IRQ = 0x02, SRST = 0x04 };

#define WORDS 256
static uint16_t id[WORDS], buffer[16 * WORDS], again[16 * WORDS];
static volatile unsigned irqs;

static void expect(const char *what, ulong got, ulong want)
{
    check(got == want, what, got, want);
}

static void on_disk(struct frame *f)
{
    (void)f;
    inb(STATUS);                        /* the drive takes its interrupt back */
    irqs++;
    pic_eoi(14);
}

/* The alternate status changes nothing.  Four reads of it take longer than the 400 ns that a drive
 * may need to become busy. */
static uint8_t wait_not_busy(void)
{
    for (int i = 0; i < 4; i++)
        inb(ALT_STATUS);
    while (inb(ALT_STATUS) & BSY)
        ;
    return inb(STATUS);
}

/* Address in the two ways that fit one byte a register. */
static void say_where(uint8_t device, uint32_t lba, uint8_t count)
{
    outb(DEVICE, device | LBA | (lba >> 24 & 0xf));
    outb(COUNT, count);
    outb(LOW, (uint8_t)lba);
    outb(MID, (uint8_t)(lba >> 8));
    outb(HIGH, (uint8_t)(lba >> 16));
}

static uint8_t command(uint8_t what)
{
    outb(COMMAND, what);
    return wait_not_busy();
}

static void take(uint16_t *to, unsigned words)
{
    while (words--)
        *to++ = inw(DATA);
}

static void give(const uint16_t *from, unsigned words)
{
    while (words--)
        outw(DATA, *from++);
}

/* So many sectors, one after the other; 0, or what STATUS says of the failure. */
static uint8_t read_sectors(uint8_t what, uint16_t *to, unsigned n)
{
    uint8_t status = command(what);
    for (; n--; to += WORDS) {
        if (!(status & DRQ))
            return status;
        take(to, WORDS);
        status = wait_not_busy();
    }
    return status & (ERR | DF | DRQ);
}

static uint8_t write_sectors(uint8_t what, const uint16_t *from, unsigned n)
{
    uint8_t status = command(what);
    for (; n--; from += WORDS) {
        if (!(status & DRQ))
            return status;
        give(from, WORDS);
        status = wait_not_busy();
    }
    return status & (ERR | DF | DRQ);
}

static void fill(unsigned seed, unsigned sectors)
{
    for (unsigned i = 0; i < sectors * WORDS; i++)
        buffer[i] = (uint16_t)(seed * 40503u + i * 257u);
}

static bool same(unsigned sectors)
{
    for (unsigned i = 0; i < sectors * WORDS; i++)
        if (buffer[i] != again[i])
            return false;
    return true;
}

static void identify(void)
{
    mark(1);
    outb(DEVICE, MASTER);
    expect("IDENTIFY", read_sectors(IDENTIFY, id, 1), 0);
    uint32_t sectors = id[60] | (uint32_t)id[61] << 16;
    printf("a disk of %u sectors, %u cylinders, %u heads, %u sectors a track\n", sectors, id[1],
           id[3], id[6]);
    expect("LBA", id[49] >> 9 & 1, 1);
    expect("48-bit addresses", id[83] >> 10 & 1, 1);
    expect("as many with 48 bits", id[100] | (uint32_t)id[101] << 16, sectors);
    uint8_t sum = 0;
    for (unsigned i = 0; i < WORDS; i++)
        sum = (uint8_t)(sum + id[i] + (id[i] >> 8));
    if ((id[255] & 0xff) == 0xa5)       /* else there is none */
        expect("checksum of IDENTIFY", sum, 0);
}

/* What is written in one way must be read in each other. */
static void three_ways(void)
{
    mark(2);
    uint8_t heads = (uint8_t)id[3], per_track = (uint8_t)id[6];
    uint32_t lba = 70;
    say_where(MASTER, 0, 1);
    expect("read the first sector", read_sectors(READ, again, 1), 0);
    printf("the first sector begins with %04x %04x\n", again[0], again[1]);
    say_where(MASTER, lba, 1);
    expect("read a sector that nobody has written", read_sectors(READ, again, 1), 0);
    expect("what is in it", again[0], 0);
    fill(1, 2);
    say_where(MASTER, lba, 2);
    expect("write by LBA", write_sectors(WRITE, buffer, 2), 0);
    outb(DEVICE, MASTER | (uint8_t)(lba / per_track % heads));
    outb(COUNT, 2);
    outb(LOW, (uint8_t)(lba % per_track + 1));
    outb(MID, (uint8_t)(lba / per_track / heads));
    outb(HIGH, 0);
    expect("read by CHS", read_sectors(READ, again, 2), 0);
    expect("the same by CHS", same(2), true);
    outb(DEVICE, MASTER | LBA);
    outb(COUNT, 0), outb(COUNT, 2);
    outb(LOW, 0), outb(LOW, (uint8_t)lba);
    outb(MID, 0), outb(MID, 0);
    outb(HIGH, 0), outb(HIGH, 0);
    memset(again, 0, sizeof again);
    expect("read by 48 bits", read_sectors(READ_EXT, again, 2), 0);
    expect("the same by 48 bits", same(2), true);
    expect("FLUSH CACHE", command(FLUSH) & ERR, 0);
    printf("written and read in three ways\n");
}

static void by_interrupt(void)
{
    mark(3);
    pic_init();
    trap_set(IRQ_BASE + 14, on_disk);
    pic_unmask(14);
    outb(CONTROL, 0);
    say_where(MASTER, 70, 1);
    outb(COMMAND, READ);
    while (!irqs) {
        sti_hlt();
        cli();
    }
    take(again, WORDS);
    expect("interrupts of a read", irqs, 1);
    expect("the same by interrupt", same(1), true);
    outb(CONTROL, NO_IRQ);
    say_where(MASTER, 70, 1);
    expect("a read without", read_sectors(READ, again, 1), 0);
    sti();
    __asm__ volatile("nop");
    cli();
    expect("none with nIEN", irqs, 1);
    pic_mask(14);
    printf("read by interrupt\n");
}

/* Blocks of 4 sectors: DRQ stays within one. */
static void in_blocks(void)
{
    mark(4);
    outb(DEVICE, MASTER);
    outb(COUNT, 4);
    expect("SET MULTIPLE MODE", command(SET_MULTIPLE) & ERR, 0);
    fill(2, 6);
    say_where(MASTER, 100, 6);
    expect("DRQ of WRITE MULTIPLE", command(WRITE_MULTIPLE) & DRQ, DRQ);
    give(buffer, 4 * WORDS);
    expect("DRQ of the second block", wait_not_busy() & DRQ, DRQ);
    give(buffer + 4 * WORDS, 2 * WORDS);
    expect("the end of WRITE MULTIPLE", wait_not_busy() & (DRQ | ERR), 0);
    memset(again, 0, sizeof again);
    say_where(MASTER, 100, 6);
    expect("DRQ of READ MULTIPLE", command(READ_MULTIPLE) & DRQ, DRQ);
    take(again, 4 * WORDS);
    expect("DRQ of the second block", wait_not_busy() & DRQ, DRQ);
    take(again + 4 * WORDS, 2 * WORDS);
    expect("the end of READ MULTIPLE", wait_not_busy() & (DRQ | ERR), 0);
    expect("the same in blocks", same(6), true);
    say_where(MASTER, 100, 6);
    expect("READ VERIFY", command(VERIFY) & (ERR | DRQ), 0);
    printf("written and read in blocks\n");
}

static void errors(void)
{
    mark(5);
    uint32_t end = id[60] | (uint32_t)id[61] << 16;
    say_where(MASTER, end, 1);
    expect("a read behind the end", command(READ) & (ERR | DRQ), ERR);
    say_where(MASTER, end - 1, 1);
    expect("a read of the last sector", read_sectors(READ, again, 1), 0);
    say_where(MASTER, 0, 1);
    expect("NOP", command(NOP) & ERR, ERR);
    expect("ABRT of NOP", inb(ERROR) & ABRT, ABRT);
    expect("a command that is none", command(0xff) & ERR, ERR);
    expect("its ABRT", inb(ERROR) & ABRT, ABRT);
    expect("data that nobody offers", inw(DATA), 0);
    outb(DEVICE, SLAVE);
    expect("status of a drive that is not there", inb(STATUS), 0);
    outb(DEVICE, MASTER);
    expect("CHECK POWER MODE", command(CHECK_POWER) & ERR, 0);
    expect("it is active", inb(COUNT), 0xff);
    printf("errors are reported\n");
}

static void reset(void)
{
    mark(6);
    outb(CONTROL, SRST | NO_IRQ);
    for (int i = 0; i < 5; i++)         /* 5 us at least */
        inb(ALT_STATUS);
    outb(CONTROL, NO_IRQ);
    expect("after reset", wait_not_busy() & (BSY | DRDY | DRQ | ERR), DRDY);
    expect("signature: count", inb(COUNT), 1);
    expect("signature: low", inb(LOW), 1);
    expect("signature: mid", inb(MID), 0);
    expect("signature: high", inb(HIGH), 0);
    expect("diagnostic passed", inb(ERROR), 1);
    printf("reset gives the signature of a disk\n");
}

int main(void)
{
    outb(CONTROL, NO_IRQ);
    outb(DEVICE, MASTER);
    if (inb(STATUS) == 0xff || inb(STATUS) == 0)
        die("there is no disk: --disk FILE gives one");
    identify();
    three_ways();
    by_interrupt();
    in_blocks();
    errors();
    reset();
    return check_result();
}
