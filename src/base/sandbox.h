/*
 * base/sandbox.h -- a process that has all it needs gives up the rest.
 *
 * Whoever breaks out of a guest into the monitor finds a process that can do little: no
 * new privileges; Landlock, where the kernel has it, so that no file can be opened; and a
 * seccomp filter that lets the few system calls through that running a machine takes.
 * Any other call ends the process: it says on stderr which one it was, and exits with
 * SANDBOX_EXIT.  There is no way back, so open files, make threads and probe the host first.
 *
 * Both who runs machines use it: `vitrine run` (cmd/session.c) and the process behind a
 * debugger (debugger/vmm/start.c).  Files and descriptors that are open stay usable.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/types.h"

#define SANDBOX_EXIT 159            /* 128 + SIGSYS, as a shell would report it */

/* What the process needs besides memory, its open files, time and locks.  To be or-ed. */
enum {
    SANDBOX_SOCKET   = 1,           /* messages over its sockets                           */
    SANDBOX_TERMINAL = 2,           /* wait for keys, set the terminal's mode, stop and go on */
    SANDBOX_KVM      = 4,           /* ioctl()s of KVM and of userfaultfd                  */
    SANDBOX_DISK     = 8,           /* write into the image of a disk, which is open       */
};

/* Enter it, with all threads that there are.  0; or -errno and a sentence in why (n bytes):
 * then the process is not, or not wholly, locked in, and works as before. */
int sandbox_enter(unsigned rights, char *why, size_t n);

#endif
