/*
 * cmd/replay.c -- vitrine replay: a recorded session again.
 *
 * A recording (vm/recording.h) holds the machine's configuration, the guest's name and a sum of
 * its file, and what came from outside, with the instruction count at which it went in.  This
 * file reads it; session.c runs the guest with it, and compares the two ends.  Only an engine
 * that counts instructions can do that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cmd/disks.h"
#include "cmd/session.h"
#include "vm/recording.h"

#define EXIT_CANNOT 125

static void help(void)
{
    fputs("usage: vitrine replay [options] RECORDING\n\n"
          "Runs the guest of `vitrine run --record RECORDING GUEST` again, with the input it had "
          "then,\n"
          "and says whether it ends the same.  Exit status 0: it does; 1: it does not.\n", stdout);
    options_help(FOR_REPLAY, "", stdout);
    fputs("\nexamples:\n"
          "  vitrine run --record bug.vrec build/guests/tiny32.elf\n"
          "  vitrine replay --trace bug.trace bug.vrec; vitrine trace bug.trace\n", stdout);
}

/* The recording's head says which machine and guest it is of; the options may add a trace,
 * statistics and a screen, but nothing that the guest could notice. */
int cmd_replay(int argc, char **argv)
{
    struct run_options o;
    struct recording r;
    bool done;
    char why[300];
    int err = options_parse(FOR_REPLAY, argc, argv, &o, &done);
    if (done)
        help();
    if (err || done)
        return err;
    struct disk_image asked[MAX_DISKS];
    memcpy(asked, o.machine.disk, sizeof asked);
    const char *path = o.guest.path;
    FILE *in = fopen(path, "rbe");
    if (!in) {
        host_say("%s: %s", path, strerror(errno));
        return EXIT_CANNOT;
    }
    err = recording_read(in, &r, why, sizeof why);
    fclose(in);
    if (!err)
        err = recording_machine(&r, &o.machine, &o.guest, why, sizeof why);
    if (err) {
        host_say("%s: %s", path, why);
        return EXIT_CANNOT;
    }
    if (!disks_again(&o, asked))
        return EXIT_CANNOT;
    o.replay = &r;
    int status = session_run(&o);
    recording_free(&r);
    return status;
}
