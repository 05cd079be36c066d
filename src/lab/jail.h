/*
 * lab/jail.h -- the process in which a student's code runs.
 *
 * Nothing in it can be trusted, so all that it could do harm with is taken away before its
 * first instruction, between fork() and execve():
 *
 *   files      Landlock lets it execute its own program, and open nothing
 *   calls      a seccomp filter lets through memory, its wire, its end and handlers of its own
 *              signals; no other process, no network, no signal to anybody else
 *   resources  memory, processor time, bytes written, descriptors
 *   secrets    it gets no environment and no descriptor but 0 to 3; who is root becomes nobody
 *
 * It is ended with SIGKILL, which it cannot catch.
 * [Linux "Seccomp BPF", "Landlock: unprivileged access control", setrlimit(2)]
 */
#ifndef LAB_JAIL_H
#define LAB_JAIL_H

#include <sys/types.h>

#include "base/types.h"

struct jail_limits {
    uint64_t memory;            /* bytes of address space                 */
    unsigned seconds;           /* of processor time                      */
    uint64_t output;            /* bytes it may write to its stdout and stderr */
};

struct jail {
    pid_t pid;
    int   wire;                 /* our end of its descriptor 3             */
    int   output;               /* a memory file: what it printed          */
    bool  early;                /* it had ended before jail_end() closed its wire */
};

/* Start `program`, a static executable, locked in.  0; or -errno and a sentence in why. */
int jail_start(struct jail *j, const char *program, const struct jail_limits *limits,
               char *why, size_t n);

/* It should have ended: have it leave a note of where it is (lab/crash_note.h), and end.  Waits for
 * that at most so many milliseconds.  It may do neither; jail_end() is due in any case. */
void jail_ask_where(struct jail *j, unsigned ms);

/* Close our end, end the process if it still runs after grace_ms, and say how it ended: as
 * waitpid() does.  The output stays open: it is the caller's to read and close. */
int jail_end(struct jail *j, unsigned grace_ms);

#endif
