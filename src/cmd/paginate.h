/*
 * cmd/paginate.h -- long output on a terminal goes through a pager, as git's does.
 */
#ifndef CMD_PAGINATE_H
#define CMD_PAGINATE_H

#include <sys/types.h>

/* If standard output is a terminal, send what is printed from now on to $PAGER (less, if that is
 * not set; none, if it is empty or "cat").  The pager's process, for paginate_wait(), which must
 * follow before this process ends; 0: there is none. */
pid_t paginate_start(void);

/* No more is printed, and standard output is closed: wait until the user leaves the pager. */
void paginate_wait(pid_t pager);

#endif
