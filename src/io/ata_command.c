/*
 * io/ata_command.c -- what the commands of an ATA disk do.
 *
 * Begin reading with commands[], near the end: a row for each command that this drive has, by its
 * number.  One without a row ends with ABRT, as a drive ends what it does not know.
 *
 * A command has up to three parts.  `ata_command()` takes the address out of the registers, when
 * they are as the host wrote them, and logs what was asked for.  After a while ata_step() calls
 * the row's `run`.  If there are sectors to pass, ata_sector_passed() is called for each.
 *
 * Sectors pass in blocks, with one interrupt for each: blocks of one sector, or of as many as SET
 * MULTIPLE MODE said.  The buffer here has one sector, so within a block the next one is fetched
 * while the host is passing words; a real drive has it in a cache.
 * [ATA/ATAPI-6 "Command descriptions"]
 */
#include "base/trace.h"
#include "io/ata_state.h"

#define NO_SECTOR    UINT64_MAX

/* How long a drive takes: of the nineties, with the sectors in its cache. */
#define COMMAND_NS   10000              /* to look at a command                         */
#define ACCESS_NS    50000              /* to find the first sector                     */
#define SECTOR_NS    20000              /* from one block to the next, for each sector  */
#define FLUSH_NS     100000

/* What a command does with sectors, and how it says which. */
enum {
    READS = 1, WRITES = 2,              /* words pass to the host, or from it             */
    ADDRESSED = 4,                      /* the registers say which sectors, and how many  */
    IN_BLOCKS = 8,                      /* of SET MULTIPLE MODE                           */
    EXTENDED = 16,                      /* 48 bits of address, 16 of count                */
};

struct command {
    const char *name;
    void      (*run)(struct ata *a);
    uint8_t     is;                     /* of the above */
    uint32_t    ns;                     /* until `run`; 0: at once */
};

static const struct command *find(uint8_t opcode);

static const struct command *this_command(const struct ata *a)
{
    return find(a->now.opcode);
}

static struct ata_drive *drive(struct ata *a)
{
    return &a->drive[a->now.unit];
}

static struct disk *disk(const struct ata *a)
{
    return a->disk[a->now.unit];
}

bool ata_reads(const struct ata *a)
{
    return this_command(a)->is & READS;
}

/* ---- addresses ---- */

/* The registers of one half of the address. */
static uint64_t three_bytes(const struct ata_drive *d, unsigned half)
{
    return d->low[half] | (uint64_t)d->mid[half] << 8 | (uint64_t)d->high[half] << 16;
}

/* Cylinder, head and sector, of which the last counts from 1, to a number.  What the translation
 * in use does not have is no sector.  [ATA/ATAPI-6 "Sector addressing"] */
static uint64_t chs_to_lba(const struct ata *a, const struct ata_drive *d)
{
    unsigned head = a->device & 0xf, sector = d->low[NEWER];
    uint64_t cylinder = d->mid[NEWER] | (unsigned)d->high[NEWER] << 8;
    if (!sector || sector > d->per_track || head >= d->heads)
        return NO_SECTOR;
    return (cylinder * d->heads + head) * d->per_track + sector - 1;
}

static uint64_t first_sector(const struct ata *a, const struct ata_drive *d, unsigned is)
{
    if (is & EXTENDED)
        return three_bytes(d, NEWER) | three_bytes(d, OLDER) << 24;
    if (a->device & ATA_LBA)
        return three_bytes(d, NEWER) | (uint64_t)(a->device & 0xf) << 24;
    return chs_to_lba(a, d);
}

/* A count of 0 is one more than the register can say. */
static uint32_t sectors_asked(const struct ata_drive *d, unsigned is)
{
    uint32_t n = d->count[NEWER] | (is & EXTENDED ? (uint32_t)d->count[OLDER] << 8 : 0);
    return n ? n : is & EXTENDED ? ATA_MAX_SECTORS : 256;
}

static void put_three_bytes(struct ata_drive *d, unsigned half, uint64_t value)
{
    d->low[half] = (uint8_t)value;
    d->mid[half] = (uint8_t)(value >> 8);
    d->high[half] = (uint8_t)(value >> 16);
}

/* After an error the registers say at which sector it was, in the way in which the command said
 * where it begins, and COUNT how many are not done. */
static void tell_where(struct ata *a)
{
    struct ata_drive *d = drive(a);
    unsigned is = this_command(a)->is;
    uint64_t lba = a->now.lba;
    d->count[NEWER] = (uint8_t)a->now.left;
    d->count[OLDER] = (uint8_t)(a->now.left >> 8);
    if (lba == NO_SECTOR)
        return;
    if (is & EXTENDED || a->device & ATA_LBA) {
        put_three_bytes(d, NEWER, lba);
        if (is & EXTENDED)
            put_three_bytes(d, OLDER, lba >> 24);
        else
            a->device = (uint8_t)((a->device & 0xf0) | (lba >> 24 & 0xf));
        return;
    }
    uint64_t track = lba / d->per_track, cylinder = track / d->heads;
    d->low[NEWER] = (uint8_t)(lba % d->per_track + 1);
    d->mid[NEWER] = (uint8_t)cylinder;
    d->high[NEWER] = (uint8_t)(cylinder >> 8);
    a->device = (uint8_t)((a->device & 0xf0) | track % d->heads);
}

/* ---- sectors ---- */

static void fail(struct ata *a, uint8_t error)
{
    tell_where(a);
    ata_end(a, error);
}

static bool exists(const struct ata *a)
{
    return a->now.lba < disk_sectors(disk(a));
}

static void next_sector(struct ata *a)
{
    a->now.lba++;
    a->now.left--;
    a->now.in_block -= a->now.in_block > 0;
}

static void done(struct ata *a)
{
    drive(a)->count[NEWER] = drive(a)->count[OLDER] = 0;
    ata_end(a, 0);
}

/* The sector at hand between the disk and the buffer.  The event of what the host does has the
 * guest's operation as its cause.  0, or -errno. */
static int transfer(struct ata *a)
{
    uint64_t old = trace_enter(a->trace, a->now.event);
    int err = this_command(a)->is & WRITES ? disk_write(disk(a), a->now.lba, a->now.word)
                                           : disk_read(disk(a), a->now.lba, a->now.word);
    trace_leave(a->trace, old);
    return err;
}

/* The next sector is fetched and offered; `tell` at the begin of a block. */
static void fetch(struct ata *a, bool tell)
{
    if (!exists(a))
        fail(a, ATA_IDNF);
    else if (transfer(a))
        fail(a, ATA_UNC);
    else
        ata_offer(a, tell);
}

static void begin_block(struct ata *a)
{
    uint32_t most = this_command(a)->is & IN_BLOCKS ? drive(a)->multiple : 1;
    a->now.in_block = a->now.left < most ? a->now.left : most;
}

static void read_block(struct ata *a)
{
    begin_block(a);
    fetch(a, true);
}

/* Drives are quick to ask for the first sector that is to be written, and do it without an
 * interrupt: hosts write right on. */
static void take_block(struct ata *a, bool tell)
{
    begin_block(a);
    if (exists(a))
        ata_offer(a, tell);
    else
        fail(a, ATA_IDNF);
}

/* READ MULTIPLE and WRITE MULTIPLE want to be told before how many make a block. */
static bool may_begin(struct ata *a)
{
    if (!(this_command(a)->is & IN_BLOCKS) || drive(a)->multiple)
        return true;
    fail(a, ATA_ABRT);
    return false;
}

static void run_read(struct ata *a)
{
    if (may_begin(a))
        read_block(a);
}

static void run_write(struct ata *a)
{
    if (disk_is_read_only(disk(a)))
        fail(a, ATA_ABRT);
    else if (may_begin(a))
        take_block(a, false);
}

static void sector_read(struct ata *a)
{
    next_sector(a);
    if (a->now.in_block)
        fetch(a, false);
    else if (a->now.left)
        ata_busy(a, ATA_NEXT_BLOCK, SECTOR_NS);
    else
        drive(a)->status &= (uint8_t)~ATA_DRQ;
}

/* If the host cannot write it the fault is the drive's. */
static void sector_written(struct ata *a)
{
    if (transfer(a)) {
        fail(a, ATA_ABRT);
        drive(a)->status |= ATA_DF;
        return;
    }
    next_sector(a);
    if (a->now.in_block)
        ata_offer(a, false);
    else
        ata_busy(a, ATA_BLOCK_TAKEN, SECTOR_NS);
}

void ata_sector_passed(struct ata *a)
{
    if (ata_reads(a))
        sector_read(a);
    else
        sector_written(a);
}

/* READ VERIFY: the sectors are read and not passed. */
static void run_verify(struct ata *a)
{
    while (a->now.left && exists(a)) {
        if (transfer(a)) {
            fail(a, ATA_UNC);
            return;
        }
        next_sector(a);
    }
    if (a->now.left)
        fail(a, ATA_IDNF);
    else
        done(a);
}

/* Nothing moves here; what a host learns is whether there is such a sector. */
static void run_seek(struct ata *a)
{
    uint64_t lba = first_sector(a, drive(a), 0);
    ata_end(a, lba < disk_sectors(disk(a)) ? 0 : ATA_IDNF);
}

static void run_identify(struct ata *a)
{
    ata_identify(drive(a), a->now.unit, disk_sectors(disk(a)), a->now.word);
    a->now.left = a->now.in_block = 1;
    ata_offer(a, true);
}

/* ---- commands without data ---- */

/* FLUSH CACHE.  If the host cannot write it the fault is the drive's, as above. */
static void run_flush(struct ata *a)
{
    int err = disk_flush(disk(a));
    ata_end(a, err ? ATA_ABRT : 0);
    drive(a)->status |= err ? ATA_DF : 0;
}

static void run_abort(struct ata *a)
{
    ata_end(a, ATA_ABRT);
}

/* The head goes to cylinder 0, which is where it always is here. */
static void run_recalibrate(struct ata *a)
{
    drive(a)->mid[NEWER] = drive(a)->high[NEWER] = 0;
    ata_end(a, 0);
}

/* Both drives look after themselves, and device 0 answers for both: ERROR is 1 if all is well,
 * which is no error of the command. */
static void run_diagnostic(struct ata *a)
{
    for (unsigned i = 0; i < 2; i++)
        if (a->disk[i])
            ata_sign(a, i);
    a->device = 0xa0;
    a->now.unit = a->disk[0] ? 0 : 1;
    ata_end(a, 0);
    drive(a)->error = 0x01;
}

/* A translation: as many heads as DEVICE says and one more, COUNT sectors to a track. */
static void run_parameters(struct ata *a)
{
    struct ata_drive *d = drive(a);
    uint8_t heads = (uint8_t)((a->device & 0xf) + 1), per_track = d->count[NEWER];
    bool fits = per_track && (uint64_t)heads * per_track <= disk_sectors(disk(a));
    if (fits) {
        d->heads = heads;
        d->per_track = per_track;
    }
    ata_end(a, fits ? 0 : ATA_ABRT);
}

/* A power of two; 0 turns blocks off. */
static void run_set_multiple(struct ata *a)
{
    struct ata_drive *d = drive(a);
    uint8_t n = d->count[NEWER];
    bool fits = n <= ATA_MAX_MULTIPLE && !(n & (n - 1));
    d->multiple = fits ? n : 0;
    ata_end(a, fits ? 0 : ATA_ABRT);
}

/* COUNT tells FFh if the disk turns, 00h if it is in standby. */
static void run_check_power(struct ata *a)
{
    drive(a)->count[NEWER] = drive(a)->power == ATA_ACTIVE ? 0xff : 0x00;
    ata_end(a, 0);
}

static void run_idle(struct ata *a)
{
    drive(a)->power = ATA_ACTIVE;
    ata_end(a, 0);
}

static void run_standby(struct ata *a)
{
    drive(a)->power = ATA_STANDBY;
    ata_end(a, 0);
}

static void run_sleep(struct ata *a)
{
    drive(a)->power = ATA_SLEEP;
    ata_end(a, 0);
}

/* SET FEATURES: FEATURES says which. */
enum { CACHE_ON = 0x02, SET_MODE = 0x03, LOOK_AHEAD_OFF = 0x55, KEEP_SETTINGS = 0x66,
       CACHE_OFF = 0x82, LOOK_AHEAD_ON = 0xaa, FORGET_SETTINGS = 0xcc };

/* COUNT is a way to transfer: 00h and 01h the PIO mode that is set anyway, 08h to 0Ch PIO modes 0
 * to 4.  Any other is a kind of DMA. */
static bool has_mode(uint8_t mode)
{
    return mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c);
}

static void run_set_features(struct ata *a)
{
    struct ata_drive *d = drive(a);
    switch (d->features[NEWER]) {
    case CACHE_ON:
        d->cache = 1;
        break;
    case CACHE_OFF:
        d->cache = 0;
        break;
    case SET_MODE:
        ata_end(a, has_mode(d->count[NEWER]) ? 0 : ATA_ABRT);
        return;
    case LOOK_AHEAD_OFF: case LOOK_AHEAD_ON: case KEEP_SETTINGS: case FORGET_SETTINGS:
        break;                                  /* nothing that could be seen */
    default:
        ata_end(a, ATA_ABRT);
        return;
    }
    ata_end(a, 0);
}

/* ---- the table ---- */

#define V ADDRESSED
#define R (READS | ADDRESSED)
#define W (WRITES | ADDRESSED)
#define M IN_BLOCKS
#define X EXTENDED

static const struct command commands[256] = {
    [0x00] = { "NOP",                    run_abort,        0,         COMMAND_NS },
    [0x10] = { "RECALIBRATE",            run_recalibrate,  0,         COMMAND_NS },
    [0x20] = { "READ SECTORS",           run_read,         R,         ACCESS_NS },
    [0x21] = { "READ SECTORS, no retry", run_read,         R,         ACCESS_NS },
    [0x24] = { "READ SECTORS EXT",       run_read,         R | X,     ACCESS_NS },
    [0x29] = { "READ MULTIPLE EXT",      run_read,         R | M | X, ACCESS_NS },
    [0x30] = { "WRITE SECTORS",          run_write,        W,         0 },
    [0x31] = { "WRITE SECTORS, no retry", run_write,       W,         0 },
    [0x34] = { "WRITE SECTORS EXT",      run_write,        W | X,     0 },
    [0x39] = { "WRITE MULTIPLE EXT",     run_write,        W | M | X, 0 },
    [0x40] = { "READ VERIFY",            run_verify,       V,     ACCESS_NS },
    [0x41] = { "READ VERIFY, no retry",  run_verify,       V,     ACCESS_NS },
    [0x42] = { "READ VERIFY EXT",        run_verify,       V | X, ACCESS_NS },
    [0x70] = { "SEEK",                   run_seek,         0,     ACCESS_NS },
    [0x90] = { "EXECUTE DEVICE DIAGNOSTIC", run_diagnostic, 0,        FLUSH_NS },
    [0x91] = { "INITIALIZE DEVICE PARAMETERS", run_parameters, 0,     COMMAND_NS },
    [0xc4] = { "READ MULTIPLE",          run_read,         R | M,     ACCESS_NS },
    [0xc5] = { "WRITE MULTIPLE",         run_write,        W | M,     0 },
    [0xc6] = { "SET MULTIPLE MODE",      run_set_multiple, 0,         COMMAND_NS },
    [0xe0] = { "STANDBY IMMEDIATE",      run_standby,      0,         FLUSH_NS },
    [0xe1] = { "IDLE IMMEDIATE",         run_idle,         0,         COMMAND_NS },
    [0xe2] = { "STANDBY",                run_standby,      0,         FLUSH_NS },
    [0xe3] = { "IDLE",                   run_idle,         0,         COMMAND_NS },
    [0xe5] = { "CHECK POWER MODE",       run_check_power,  0,         COMMAND_NS },
    [0xe6] = { "SLEEP",                  run_sleep,        0,         FLUSH_NS },
    [0xe7] = { "FLUSH CACHE",            run_flush,        0,         FLUSH_NS },
    [0xea] = { "FLUSH CACHE EXT",        run_flush,        0,         FLUSH_NS },
    [0xec] = { "IDENTIFY DEVICE",        run_identify,     READS,     COMMAND_NS },
    [0xef] = { "SET FEATURES",           run_set_features, 0,         COMMAND_NS },
};

static const struct command unknown = { "?", run_abort, 0, COMMAND_NS };

/* Of RECALIBRATE and SEEK the lower half once was the speed of the head's motor. */
static const struct command *find(uint8_t opcode)
{
    if (opcode >> 4 == 0x1 || opcode >> 4 == 0x7)
        opcode &= 0xf0;
    return commands[opcode].run ? &commands[opcode] : &unknown;
}

const char *ata_command_name(uint8_t opcode)
{
    const struct command *c = find(opcode);
    return c == &unknown ? NULL : c->name;
}

/* Whatever needs the disk wakes it from standby.  The event is written now, when the guest has
 * asked, and not when the drive begins. */
static void take_address(struct ata *a, const struct command *c)
{
    struct ata_drive *d = drive(a);
    bool is_write = c->is & WRITES;
    a->now.lba = first_sector(a, d, c->is);
    a->now.left = sectors_asked(d, c->is);
    d->power = ATA_ACTIVE;
    a->now.event = trace_emit(a->trace, is_write ? TRACE_DISK_WRITE : TRACE_DISK_READ,
                              a->now.unit, a->now.lba, a->now.left);
}

void ata_command(struct ata *a, uint8_t opcode)
{
    const struct command *c = find(opcode);
    a->now.opcode = opcode;
    a->now.unit = (uint8_t)ata_selected(a);
    a->now.event = 0;
    a->now.left = a->now.in_block = 0;
    drive(a)->error = 0;
    drive(a)->status = ATA_DRDY | ATA_DSC;
    if (c->is & ADDRESSED)
        take_address(a, c);
    if (c->ns)
        ata_busy(a, ATA_RUN, c->ns);
    else
        c->run(a);
}

void ata_step(struct ata *a)
{
    switch (a->now.step) {
    case ATA_RUN:
        this_command(a)->run(a);
        break;
    case ATA_NEXT_BLOCK:
        read_block(a);
        break;
    case ATA_BLOCK_TAKEN:
        if (a->now.left)
            take_block(a, true);
        else
            done(a);
        break;
    default:
        break;
    }
}
