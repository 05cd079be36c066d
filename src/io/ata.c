/*
 * io/ata.c -- a channel of ATA as the host sees it: nine registers and an interrupt.
 *
 *   1F0  DATA       16 bits: words of the sector in the buffer, while DRQ is set
 *   1F1  ERROR      FEATURES
 *   1F2  COUNT      sectors; 0 means 256, or 65536
 *   1F3  LBA LOW    or sector
 *   1F4  LBA MID    or cylinder, low half
 *   1F5  LBA HIGH   or cylinder, high half
 *   1F6  DEVICE     which drive, and how addresses are meant
 *   1F7  STATUS     COMMAND: writing it starts the work
 *   3F6  alternate STATUS    DEVICE CONTROL
 *
 * The life of READ SECTORS, as this file and ata_command.c share it:
 *
 *     the host                        the drive
 *     writes 1F2 to 1F6               keeps them
 *     writes COMMAND 20h              BSY=1; ata_command() looks it up
 *                 time passes         ata_step() fetches the sector; BSY=0 DRQ=1 INTRQ
 *     reads STATUS                    INTRQ falls
 *     reads 256 words of DATA         ata_sector_passed(): BSY=1 for the next sector, or the end
 *
 * A sector to be written goes the other way, and the drive is busy after it, not before.
 *
 * While the drive is busy the host must not write to it.  What a real drive then does is not
 * said; this one takes no notice, and the log has an ODDITY.
 * [ATA/ATAPI-6 "Interface register definitions and descriptions", "Command protocol"]
 */
#include "io/ata.h"

#include <stdlib.h>

#include "io/ata_state.h"
#include "io/slot.h"

/* From the end of a reset to a drive that is ready: a disk that turns already needs about 2 ms. */
#define RESET_NS 2000000

#define DRIVE(n, member, nm, fl, text) DEV_FIELD(struct ata, drive[n].member, nm, fl, text)
#define TWO(n, member, nm, text) DEV_ARRAY(struct ata, drive[n].member, nm, FIELD_RW, text)
#define OF_DRIVE(n)                                                                            \
    DRIVE(n, status, #n ".STATUS", FIELD_RO, "7 BSY, 6 DRDY, 5 DF, 4 DSC, 3 DRQ, 0 ERR"),      \
    DRIVE(n, error, #n ".ERROR", FIELD_RO, "6 UNC, 4 IDNF, 2 ABRT"),                           \
    TWO(n, features, #n ".FEATURES", "of SET FEATURES; behind it the older half (HOB)"),       \
    TWO(n, count, #n ".COUNT", "sectors"),                                                     \
    TWO(n, low, #n ".LBA_LOW", "LBA 7:0 and 31:24, or the sector"),                            \
    TWO(n, mid, #n ".LBA_MID", "LBA 15:8 and 39:32, or the cylinder's low half"),              \
    TWO(n, high, #n ".LBA_HIGH", "LBA 23:16 and 47:40, or its high half"),                     \
    DRIVE(n, multiple, #n ".MULTIPLE", FIELD_RO, "sectors to a block of READ MULTIPLE"),       \
    DRIVE(n, heads, #n ".HEADS", FIELD_RO, "of the translation now in use"),                   \
    DRIVE(n, per_track, #n ".SECTORS", FIELD_RO, "to a track, of the same"),                   \
    DRIVE(n, cache, #n ".CACHE", FIELD_RO, "the write cache is on"),                           \
    DRIVE(n, power, #n ".POWER", FIELD_RO, "0 active, 1 standby, 2 sleep"),                    \
    DRIVE(n, wants_irq, #n ".INTRQ", FIELD_RO, "wants to interrupt")
#define NOW(member, nm, fl, text) DEV_FIELD(struct ata, now.member, nm, fl, text)

static const struct field ata_fields[] = {
    DEV_FIELD(struct ata, device, "DEVICE", FIELD_RW, "6 LBA, 4 drive, 3-0 LBA 27:24 or head"),
    DEV_FIELD(struct ata, control, "CONTROL", FIELD_RW, "7 HOB, 2 SRST, 1 nIEN"),
    OF_DRIVE(0),
    OF_DRIVE(1),
    NOW(opcode, "COMMAND", FIELD_RO, "the latest command"),
    NOW(unit, "UNIT", FIELD_RO, "the drive it is of"),
    NOW(step, "STEP", FIELD_RO, "0 idle, 1 begins, 2 next block, 3 block taken, 4 reset"),
    NOW(lba, "LBA", FIELD_RO, "the next sector"),
    NOW(left, "LEFT", FIELD_RO, "sectors to go"),
    NOW(in_block, "IN_BLOCK", FIELD_RO, "of those until the next interrupt"),
    NOW(at, "AT", FIELD_RO, "the buffer's next word"),
    NOW(event, "EVENT", FIELD_HIDDEN | FIELD_TRACE, "the guest's operation in the trace"),
    DEV_ARRAY(struct ata, now.word, "BUFFER", FIELD_RO, "the sector that is passing"),
    DEV_FIELD(struct ata, timer, "BUSY_UNTIL", FIELD_TIMER, "when the drive is done"),
};

/* ---- interrupt and status ---- */

/* The selected drive alone drives the line, and nIEN takes it off. */
static void update_irq(struct ata *a)
{
    irq_set(&a->irq, a->drive[ata_selected(a)].wants_irq && !(a->control & ATA_NIEN));
}

static struct ata_drive *worker(struct ata *a)
{
    return &a->drive[a->now.unit];
}

void ata_end(struct ata *a, uint8_t error)
{
    struct ata_drive *d = worker(a);
    a->now.step = ATA_IDLE;
    a->now.left = a->now.in_block = 0;
    d->status = ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0);
    d->error = error;
    d->wants_irq = 1;
    update_irq(a);
}

void ata_offer(struct ata *a, bool tell)
{
    struct ata_drive *d = worker(a);
    a->now.step = ATA_IDLE;
    a->now.at = 0;
    d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    d->wants_irq |= tell;
    update_irq(a);
}

/* The timer's event is then caused by the guest's operation, not by what was in between. */
void ata_busy(struct ata *a, enum ata_step step, uint64_t ns)
{
    struct ata_drive *d = worker(a);
    uint64_t old = trace_enter(a->trace, a->now.event);
    a->now.step = step;
    d->status = (d->status & (ATA_DRDY | ATA_DSC)) | ATA_BSY;
    vtimer_arm(&a->timer, vclock_now_ns(a->clock) + ns);
    trace_leave(a->trace, old);
}

void ata_sign(struct ata *a, unsigned unit)
{
    struct disk_geometry g = disk_geometry(disk_sectors(a->disk[unit]));
    a->drive[unit] = (struct ata_drive){
        .status = ATA_DRDY | ATA_DSC, .error = 0x01,
        .count = { 1 }, .low = { 1 },
        .heads = (uint8_t)g.heads, .per_track = (uint8_t)g.per_track, .cache = 1,
    };
}

/* Both drives begin anew; who had been busy is not any more. */
static void sign_all(struct ata *a)
{
    for (unsigned i = 0; i < 2; i++) {
        a->drive[i] = (struct ata_drive){ .status = 0 };
        if (a->disk[i])
            ata_sign(a, i);
    }
    a->device = 0xa0;
    a->now = (struct ata_command_state){ .step = ATA_IDLE };
    vtimer_cancel(&a->timer);
    update_irq(a);
}

static void on_time(void *arg)
{
    struct ata *a = arg;
    if (a->now.step == ATA_RESET)
        sign_all(a);
    else
        ata_step(a);
}

/* May the host pass a word in this direction?  While it may, no other drive can be selected. */
static bool is_offered(const struct ata *a, bool reads)
{
    return a->drive[a->now.unit].status & ATA_DRQ && ata_reads(a) == reads;
}

/* Until it is not, what is written to other registers than DATA and CONTROL is not heard. */
static bool is_busy(const struct ata *a)
{
    return a->now.step != ATA_IDLE || a->drive[a->now.unit].status & ATA_DRQ;
}

/* ---- reading ---- */

/* The word that is `ahead` words further in the buffer; where none is offered, zeros. */
static uint16_t data_word(const struct ata *a, unsigned ahead)
{
    unsigned at = a->now.at + ahead;
    return is_offered(a, true) && at < SECTOR_WORDS ? a->now.word[at] : 0;
}

static uint64_t data_peek(const struct ata *a, unsigned size)
{
    uint64_t value = data_word(a, 0);
    return size == 4 ? value | (uint64_t)data_word(a, 1) << 16 : low_bytes(value, size);
}

/* The half of a deep register that HOB selects. */
static uint8_t half(const struct ata *a, const uint8_t deep[2])
{
    return deep[a->control & ATA_HOB ? OLDER : NEWER];
}

/* Nobody drives the cable if the selected drive is not there.  The other one, if it is device 0,
 * answers in its place with 00h; so does, at least in bit 7, a resistor that keeps a host from
 * waiting for a drive without end.  [ATA/ATAPI-6 "Device 0 only configurations"] */
static uint8_t reg_peek(const struct ata *a, unsigned off)
{
    const struct ata_drive *d = &a->drive[ata_selected(a)];
    if (!a->disk[ata_selected(a)])
        return 0;
    switch (off) {
    case ATA_ERROR:      return d->error;
    case ATA_COUNT:      return half(a, d->count);
    case ATA_LBA_LOW:    return half(a, d->low);
    case ATA_LBA_MID:    return half(a, d->mid);
    case ATA_LBA_HIGH:   return half(a, d->high);
    case ATA_DEVICE:     return a->device;
    case ATA_STATUS: case ATA_ALT_STATUS: return d->status;
    default:             return 0;
    }
}

static uint64_t ata_peek(const void *dev, struct bus_access x)
{
    const struct ata *a = dev;
    uint64_t value = 0;
    if (x.off == ATA_DATA)
        return data_peek(a, x.size);
    for (unsigned i = 0; i < x.size; i++)
        value |= (uint64_t)reg_peek(a, x.off + i) << (8 * i);
    return value;
}

static void words_passed(struct ata *a, unsigned n)
{
    a->now.at = (uint16_t)(a->now.at + n < SECTOR_WORDS ? a->now.at + n : SECTOR_WORDS);
    if (a->now.at == SECTOR_WORDS)
        ata_sector_passed(a);
    update_irq(a);
}

/* Reading STATUS, but not its alternate, takes the interrupt back.  A word of DATA passes with
 * every access to it, also with one that only takes its low half: the drive counts accesses. */
static uint64_t ata_read(void *dev, struct bus_access x)
{
    struct ata *a = dev;
    uint64_t value = ata_peek(dev, x);
    if (x.off == ATA_DATA) {
        if (is_offered(a, true))
            words_passed(a, x.size == 4 ? 2 : 1);
        else
            oddity(&a->odd, ODDITY_ATA_NO_DATA, 0, 0);
    } else if (x.off <= ATA_STATUS && x.off + x.size > ATA_STATUS) {
        a->drive[ata_selected(a)].wants_irq = 0;
        update_irq(a);
    }
    return value;
}

/* ---- writing ---- */

static void data_write(struct ata *a, uint64_t value, unsigned size)
{
    unsigned n = size == 4 ? 2 : 1;
    if (!is_offered(a, false)) {
        oddity(&a->odd, ODDITY_ATA_NO_DATA, 1, value);
        return;
    }
    for (unsigned i = 0; i < n && a->now.at + i < SECTOR_WORDS; i++)
        a->now.word[a->now.at + i] = (uint16_t)(value >> (16 * i));
    words_passed(a, n);
}

static void push(uint8_t deep[2], uint8_t value)
{
    deep[OLDER] = deep[NEWER];
    deep[NEWER] = value;
}

/* Both drives take what is written, for nobody has told yet which of them the command is for. */
static void reg_push(struct ata_drive *d, unsigned off, uint8_t value)
{
    switch (off) {
    case ATA_FEATURES:  push(d->features, value); break;
    case ATA_COUNT:     push(d->count, value); break;
    case ATA_LBA_LOW:   push(d->low, value); break;
    case ATA_LBA_MID:   push(d->mid, value); break;
    case ATA_LBA_HIGH:  push(d->high, value); break;
    default: break;
    }
}

/* SRST resets both drives for as long as it is set, and they need some time when it falls.
 * [ATA/ATAPI-6 "Software reset protocol"] */
static void control_write(struct ata *a, uint8_t value)
{
    bool was_reset = a->control & ATA_SRST;
    a->control = value & (ATA_HOB | ATA_SRST | ATA_NIEN);
    if (a->control & ATA_SRST && !was_reset) {
        sign_all(a);
        a->drive[0].status = a->drive[1].status = ATA_BSY;
        a->now.step = ATA_RESET;
    } else if (was_reset && !(a->control & ATA_SRST)) {
        ata_busy(a, ATA_RESET, RESET_NS);
    }
    update_irq(a);
}

static void command_write(struct ata *a, uint8_t opcode)
{
    struct ata_drive *d = &a->drive[ata_selected(a)];
    if (!a->disk[ata_selected(a)])
        return;
    d->wants_irq = 0;
    update_irq(a);
    if (d->power != ATA_SLEEP)
        ata_command(a, opcode);
}

/* Any write to the command block ends HOB. */
static void reg_write(struct ata *a, unsigned off, uint8_t value)
{
    if (off == ATA_CONTROL) {
        control_write(a, value);
        return;
    }
    a->control &= (uint8_t)~ATA_HOB;
    if (is_busy(a)) {
        oddity(&a->odd, ODDITY_ATA_BUSY, off, value);
        return;
    }
    if (off == ATA_COMMAND) {
        command_write(a, value);
    } else if (off == ATA_DEVICE) {
        a->device = value | 0xa0;
        update_irq(a);
    } else {
        reg_push(&a->drive[0], off, value);
        reg_push(&a->drive[1], off, value);
    }
}

static void ata_write(void *dev, struct bus_access x, uint64_t value)
{
    struct ata *a = dev;
    if (x.off == ATA_DATA) {
        data_write(a, value, x.size);
        return;
    }
    for (unsigned i = 0; i < x.size; i++)
        reg_write(a, x.off + i, (uint8_t)(value >> (8 * i)));
}

/* ---- making, resetting, loading ---- */

/* After power-on the drives have had all the time that the BIOS took. */
static void ata_reset(void *dev)
{
    struct ata *a = dev;
    a->control = 0;
    sign_all(a);
}

/* Bounds for what is used as an index, a divisor or a count. */
static void bound_drive(struct ata_drive *d)
{
    d->heads = d->heads < 1 ? 1 : d->heads < 16 ? d->heads : 16;
    d->per_track = d->per_track < 1 ? 1 : d->per_track;
    d->multiple = d->multiple < 16 ? d->multiple : 16;
    d->wants_irq = d->wants_irq != 0;
}

/* Could a drive be in the midst of this?  One that is not there works at nothing. */
static bool makes_sense(const struct ata *a)
{
    const struct ata_command_state *now = &a->now;
    bool works = now->left || (now->step != ATA_IDLE && now->step != ATA_RESET);
    return now->step <= ATA_RESET && now->at <= SECTOR_WORDS && (!works || a->disk[now->unit]) &&
           now->left <= ATA_MAX_SECTORS && now->in_block <= now->left &&
           (now->step != ATA_NEXT_BLOCK || now->left);
}

/* A drive that is busy must have a time when it is done, and one that is not must have none; words
 * are offered only if a sector is left that they could be of. */
static void ata_after_load(void *dev)
{
    struct ata *a = dev;
    struct ata_command_state *now = &a->now;
    now->unit &= 1;
    if (!makes_sense(a))
        sign_all(a);
    if (a->control & ATA_SRST)
        now->step = ATA_RESET;
    for (unsigned i = 0; i < 2; i++) {
        if (a->disk[i])
            bound_drive(&a->drive[i]);
        if (i != now->unit || !now->left || now->step != ATA_IDLE)
            a->drive[i].status &= (uint8_t)~ATA_DRQ;
        if (now->step == ATA_IDLE || (now->step != ATA_RESET && i != now->unit))
            a->drive[i].status &= (uint8_t)~ATA_BSY;
    }
    uint64_t longest = vclock_now_ns(a->clock) + RESET_NS;
    bool waits = now->step != ATA_IDLE && !(a->control & ATA_SRST);
    if (!waits)
        vtimer_cancel(&a->timer);
    else if (a->timer.deadline_ns > longest)
        vtimer_arm(&a->timer, longest);
    update_irq(a);
}

static void *ata_create(const struct slot *s)
{
    struct ata *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->clock = s->clock;
    a->trace = s->trace;
    a->odd = slot_oddities(s);
    a->irq = s->pin[0];
    a->disk[0] = s->disk[0];
    a->disk[1] = s->disk[1];
    vtimer_init(&a->timer, s->clock, on_time, a);
    ata_reset(a);
    return a;
}

static void ata_free(void *dev)
{
    struct ata *a = dev;
    if (!a)
        return;
    vtimer_cancel(&a->timer);
    free(a);
}

const struct device_ops ata_ops = {
    .name = "ata",
    .about = "ATA channel with one or two disks [ATA/ATAPI-6]",
    .fields = ata_fields,
    .n_fields = NELEM(ata_fields),
    .state_bytes = sizeof(struct ata),
    .width = 4,
    .create = ata_create,
    .reset = ata_reset,
    .read = ata_read,
    .write = ata_write,
    .peek = ata_peek,
    .after_load = ata_after_load,
    .free = ata_free,
};
