/*
 * cmd/disks.c -- FILE[,overlay|ro|write] to an image that is open.
 *
 * What an image must be is io/disk.h's affair.
 */
#include "cmd/disks.h"

#include <string.h>

#include "base/host.h"

/* Only the words below are cut off: names of files may have commas, too. */
bool disks_parse(struct run_options *o, char *text)
{
    static const struct { const char *word; enum disk_mode mode; } modes[] = {
        { "overlay", DISK_OVERLAY }, { "ro", DISK_READ_ONLY },
        { "write", DISK_THROUGH },
    };
    char *comma = strrchr(text, ',');
    if (o->n_disks == MAX_DISKS) {
        host_say("more than %d disks: hda to hdd is all that two channels have", MAX_DISKS);
        return false;
    }
    struct disk_image *d = &o->machine.disk[o->n_disks++];
    *d = (struct disk_image){ .path = text };
    for (size_t i = 0; comma && i < NELEM(modes); i++)
        if (strcmp(comma + 1, modes[i].word) == 0) {
            d->mode = modes[i].mode;
            *comma = 0;
            break;
        }
    return true;
}

static bool open_one(struct disk_image *d)
{
    char why[400];
    if (disk_image_open(d->path, d->mode, d, why, sizeof why) == 0)
        return true;
    host_say("%s%s", why, strrchr(d->path, ',') ? " (behind a comma: overlay, ro or write)" : "");
    return false;
}

bool disks_write(const struct run_options *o)
{
    bool found = false;
    for (unsigned i = 0; i < MAX_DISKS; i++)
        found |= o->machine.disk[i].mode == DISK_THROUGH;
    return found;
}

/* What has gone into a file cannot be taken back: so nobody may go back, or do it again. */
static bool may_write(const struct run_options *o, enum option_user user)
{
    const char *with = user != FOR_RUN ? "a debugger, `vitrine compare` or `vitrine replay`"
                     : o->gdb ? "--gdb" : o->record ? "--record" : o->from ? "--from" : NULL;
    if (!with || !disks_write(o))
        return true;
    host_say("a disk with \",write\" does not go with %s: what is in the file cannot be taken back",
             with);
    return false;
}

bool disks_open(struct run_options *o, enum option_user user)
{
    if (!may_write(o, user))
        return false;
    for (unsigned i = 0; i < o->n_disks; i++)
        if (!open_one(&o->machine.disk[i]))
            return false;
    return true;
}

/* That an image is the one it was is found out later, when it is compared with the file's sum. */
bool disks_again(struct run_options *o, const struct disk_image asked[MAX_DISKS])
{
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        struct disk_image *d = &o->machine.disk[i];
        if (asked[i].sectors)
            *d = asked[i];
        else if (d->sectors && !open_one(d))
            return false;
    }
    return true;
}
