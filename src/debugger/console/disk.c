/*
 * debugger/console/disk.c -- `info disk`: the machine's disks, and what each drive is doing.
 *
 * What a disk is made of is known from the command line; what its drive does is read out of the
 * registers of its channel, of which `info ata0` shows all.
 */
#include <inttypes.h>
#include <string.h>

#include "debugger/console/private.h"
#include "io/ata.h"
#include "io/disk.h"

#define MAX_VALUES 4096

/* The registers of one channel. */
struct channel { const struct device_ops *ops; uint64_t value[MAX_VALUES]; };

/* A field of the channel, by its name. */
static uint64_t field_of(const struct channel *ch, const char *name)
{
    const uint64_t *v = ch->value;
    for (size_t i = 0; i < ch->ops->n_fields; v += ch->ops->fields[i++].count)
        if (strcmp(ch->ops->fields[i].name, name) == 0)
            return *v;
    return 0;
}

static bool ask_channel(struct console *c, unsigned n, struct channel *ch)
{
    const char name[] = { 'A', 'T', 'A', (char)('0' + n) };
    struct pc_part part;
    size_t room = MAX_VALUES;
    int number = link_part_named(c->o.link, name, sizeof name, &part);
    if (number < 0)
        return false;
    ch->ops = part.ops;
    return link_device(c->o.link, (unsigned)number, ch->value, &room) == 0;
}

/* "2048 sectors (1 MiB)" */
static void say_size(struct console *c, uint64_t sectors)
{
    uint64_t kib = sectors / 2;
    fprintf(c->out, "%" PRIu64 " sectors (%" PRIu64 " %s)", sectors, kib < 10240 ? kib : kib >> 10,
            kib < 10240 ? "KiB" : "MiB");
}

static void say_status(struct console *c, uint64_t status)
{
    static const char *const bits[8] = { "ERR", NULL, NULL, "DRQ", "DSC", "DF", "DRDY", "BSY" };
    fprintf(c->out, "     STATUS %02" PRIx64, status);
    for (unsigned i = 8; i-- > 0; )
        if (status >> i & 1 && bits[i])
            fprintf(c->out, " %s", bits[i]);
}

/* The command under way, or the latest, if it was this drive's. */
static void say_command(struct console *c, const struct channel *ch, unsigned unit)
{
    uint8_t opcode = (uint8_t)field_of(ch, "COMMAND");
    uint64_t left = field_of(ch, "LEFT");
    const char *name = ata_command_name(opcode);
    if (field_of(ch, "UNIT") != unit || (!opcode && !left))
        return;
    fprintf(c->out, "; %s (%02xh)", name ? name : "a command that it does not have", opcode);
    if (left)
        fprintf(c->out, ": sector %" PRIu64 ", %" PRIu64 " to go, word %" PRIu64 " of 256",
                field_of(ch, "LBA"), left, field_of(ch, "AT"));
}

static void say_drive(struct console *c, unsigned n)
{
    static struct channel ch;
    char status[] = "0.STATUS";
    status[0] = (char)('0' + n % 2);
    if (!ask_channel(c, n / 2, &ch)) {
        fputs("     the monitor does not tell its registers\n", c->out);
        return;
    }
    say_status(c, field_of(&ch, status));
    say_command(c, &ch, n % 2);
    fputc('\n', c->out);
}

enum console_result info_disk(struct console *c, const char *args)
{
    static const char *const modes[] = {
        [DISK_OVERLAY] = "writes stay in memory", [DISK_READ_ONLY] = "read only",
    };
    const struct disk_image *disk = link_disks(c->o.link);
    unsigned found = 0;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        if (!disk[i].sectors)
            continue;
        struct disk_geometry g = disk_geometry(disk[i].sectors);
        fprintf(c->out, "hd%c  %s: ", 'a' + (int)i, disk[i].path);
        say_size(c, disk[i].sectors);
        fprintf(c->out, ", %u cylinders, %u heads, %u sectors a track; %s\n", g.cylinders, g.heads,
                g.per_track, disk[i].mode < NELEM(modes) ? modes[disk[i].mode] : "?");
        say_drive(c, i);
        found++;
    }
    return found ? CONSOLE_OK : fail(c, "this machine has no disk; --disk FILE gives it one");
}
