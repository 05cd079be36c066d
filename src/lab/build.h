/*
 * lab/build.h -- from a student's source to the program that runs in the jail.
 *
 * The compiler reads what the student wrote, and a source can name any file it wants to have
 * read (#include, .incbin), the real solution first of all.  So it too is locked in: it may read
 * the system's headers, copies of the project's headers (build/lab/include), the lab's server
 * that was compiled before, and the submission itself; it may write below the work folder.  That
 * holds for a project below /usr, too.
 */
#ifndef LAB_BUILD_H
#define LAB_BUILD_H

#include <limits.h>

#include "base/types.h"
#include "lab/spec.h"

/* The folders of a lab. */
struct lab_folders {
    char root[PATH_MAX];            /* the project: src/, lab/           */
    char lab[PATH_MAX];             /* root/lab/NN-name                  */
    char build[PATH_MAX];           /* where lab.mk makes things: include, NN/server.o */
    char id[4];                     /* NN                                */
    char work[PATH_MAX];            /* where things are made; it exists.  All are absolute */
    unsigned tool_seconds;          /* the most that a compiler may take, by the clock on the wall
                                     * and by the processor's */
};

/* Is the program there that the first word of `command` names?  Else it cannot be a submission's
 * fault that it does not compile. */
bool lab_has_tool(const char *command);

/* Is it a symbolic link?  As a submission it could lead to any file, and so to the solution. */
bool lab_is_link(const char *path);

/* Run a command and wait; what it prints goes into said (bytes).  If `source` is given the command
 * is locked in: it works in the work folder, and may read that file, the lab's guests/ and what a
 * compiler needs.  The status as of waitpid(), or -errno. */
int lab_run_tool(char **argv, const struct lab_folders *f, const char *source, char *said,
                 size_t bytes);

/* Compile `source`, which must be no symbolic link, with the lab's server into work/submission.
 * `compiler` is a command with flags ("gcc -O2").  0; or -EINVAL and what the compiler said in
 * `said` (bytes), which has its warnings if it compiles. */
int lab_build(const struct lab_folders *f, const char *source, const char *compiler,
              char *said, size_t bytes);

/* The starter of a lab (cut out of root/spec->cut) into the file `to`.  How many places were
 * cut; or -errno and a sentence in why. */
int lab_write_starter(const struct lab_folders *f, const struct lab_spec *spec, const char *to,
                      char *why, size_t n);

/* A case's source into the file `to`: a copy of NAME.c, or the real source with NAME.diff
 * applied.  0; or -errno and a sentence in why. */
int lab_write_case(const struct lab_folders *f, const struct lab_spec *spec,
                   const struct lab_case *c, const char *to, char *why, size_t n);

#endif
