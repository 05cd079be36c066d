/*
 * io/ata_state.h -- what ata.c and ata_command.c share: the state of a channel, and how a command
 * tells that it is done.
 *
 * The host writes each register of both drives at once, and reads those of the one that the
 * DEVICE register selects.  A register of address or count is two bytes deep: writing it moves
 * what it held to the older half, which commands with 48 bits of address need.
 * [ATA/ATAPI-6 "48-bit Address feature set"]
 */
#ifndef IO_ATA_STATE_H
#define IO_ATA_STATE_H

#include "base/vclock.h"
#include "io/ata.h"
#include "io/disk.h"
#include "io/irq.h"
#include "io/oddity.h"

#define SECTOR_WORDS (SECTOR_BYTES / 2)
#define ATA_MAX_SECTORS 65536           /* of one command */
#define ATA_MAX_MULTIPLE 16             /* sectors to a block: word 47 of IDENTIFY DEVICE */
#define NEWER 0                         /* halves of a register that is two bytes deep */
#define OLDER 1

/* PM0 is at work, PM1 and PM2 (standby) differ in whether the disk turns, and from sleep only a
 * reset wakes.  [ATA/ATAPI-6 "Power Management feature set"] */
enum ata_power { ATA_ACTIVE, ATA_STANDBY, ATA_SLEEP };

struct ata_drive {
    uint8_t status, error;
    uint8_t features[2], count[2], low[2], mid[2], high[2];
    uint8_t multiple;                   /* sectors to a block of READ MULTIPLE; 0: not set */
    uint8_t heads, per_track;           /* as INITIALIZE DEVICE PARAMETERS told            */
    uint8_t cache;                      /* 1: the write cache is on                        */
    uint8_t power;                      /* enum ata_power                                  */
    uint8_t wants_irq;                  /* INTRQ: a status that nobody has read yet        */
};

/* What the channel does when its timer runs: the end of being busy. */
enum ata_step { ATA_IDLE, ATA_RUN, ATA_NEXT_BLOCK, ATA_BLOCK_TAKEN, ATA_RESET };

/* The command under way, of the drive that was selected when it was written. */
struct ata_command_state {
    uint8_t  opcode, unit;
    uint8_t  step;                      /* enum ata_step                             */
    uint64_t lba;                       /* of the next sector; NO_SECTOR: none such  */
    uint32_t left;                      /* sectors not done yet                      */
    uint32_t in_block;                  /* of those, until the next interrupt        */
    uint16_t at;                        /* the next word of the buffer               */
    uint64_t event;                     /* the guest's operation in the trace        */
    uint16_t word[SECTOR_WORDS];        /* the buffer, one sector                    */
};

struct ata {
    struct vclock    *clock;
    struct trace     *trace;
    struct oddity_log odd;
    struct irq_line   irq;
    struct disk      *disk[2];          /* NULL: no such drive */

    struct ata_drive         drive[2];
    uint8_t                  device, control;
    struct ata_command_state now;
    struct vtimer            timer;
};

static inline unsigned ata_selected(const struct ata *a)
{
    return a->device & ATA_DEV ? 1 : 0;
}

/* ---- ata.c, for the commands ---- */

/* Everything of a drive as after its reset: the signature of a disk in its registers.
 * [ATA/ATAPI-6 "Signature and persistence"] */
void ata_sign(struct ata *a, unsigned unit);

/* The command is over: with these bits in ERROR, or 0.  The host is told by INTRQ. */
void ata_end(struct ata *a, uint8_t error);

/* The buffer is full, or empty: the host may pass words.  `tell`: by INTRQ, too. */
void ata_offer(struct ata *a, bool tell);

/* Busy for so long, and then this. */
void ata_busy(struct ata *a, enum ata_step step, uint64_t ns);

/* ---- ata_command.c, for the registers ---- */

/* The host wrote this command to the selected drive, which is there and not busy. */
void ata_command(struct ata *a, uint8_t opcode);

/* The time of a step has come. */
void ata_step(struct ata *a);

/* The host has passed the last word of a sector. */
void ata_sector_passed(struct ata *a);

/* Do the words go to the host, in the command that is under way? */
bool ata_reads(const struct ata *a);

/* ---- ata_identify.c ---- */

/* The 256 words of IDENTIFY DEVICE, of a disk with so many sectors in this state. */
void ata_identify(const struct ata_drive *d, unsigned unit, uint64_t sectors, uint16_t *w);

#endif
