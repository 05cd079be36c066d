/*
 * debugger/vmm/sandbox.h -- a process that has all it needs gives up the rest.
 *
 * no_new_privs; Landlock, where the kernel has it, so that no file can be
 * opened; and a seccomp allow-list of the few system calls that running a
 * machine takes.  Any other call ends the process: it says on stderr which one
 * it was, and exits with SANDBOX_EXIT.
 */
#ifndef DEBUGGER_VMM_SANDBOX_H
#define DEBUGGER_VMM_SANDBOX_H

#include "base/types.h"

#define SANDBOX_EXIT 159            /* 128 + SIGSYS, as a shell would report it */

/* kvm: ioctl()s of KVM and userfaultfd are needed.  0; or -errno and a sentence:
 * then the process is not, or not wholly, locked in. */
int sandbox_enter(bool kvm, char *why, size_t n);

#endif
