/*
 * cmd/disks.h -- the disks of a machine, as the command line names them.
 *
 * Their images are opened here and stay open as long as the process lives: that of the monitor,
 * once it is locked in, can open none.  What goes wrong is told to the user here.
 */
#ifndef CMD_DISKS_H
#define CMD_DISKS_H

#include "cmd/options.h"

/* --disk TEXT: one disk more.  TEXT is cut at its comma, and must live as long as o.  False after
 * telling the user. */
bool disks_parse(struct run_options *o, char *text);

/* Open the images of all that --disk has named, for this command.  False after telling the user. */
bool disks_open(struct run_options *o, enum option_user user);

/* Does one of the machine's disks write into its image? */
bool disks_write(const struct run_options *o);

/* o->machine is one that a snapshot or a recording tells of: open the images of its disks.  Where
 * the user has named one by --disk (asked[i] is open then) it is in the place of the one that the
 * file names, which may have been moved.  False after telling the user. */
bool disks_again(struct run_options *o, const struct disk_image asked[MAX_DISKS]);

#endif
