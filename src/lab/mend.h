/*
 * lab/mend.h -- a guest that comes with a mistake, and what the student makes of it.
 *
 * In most labs the student writes a part of the monitor.  Here it is the guest that is handed in:
 * a kernel of the lab's guests/ folder, mended.  The original and the mended one are assembled
 * and linked in the same way, by this file, and run on the same program.  The assembler is locked
 * in as the compiler is (lab/build.h): a source's .include and .incbin reach the lab's guests/ and
 * nothing else.  What a guest does at run time is the monitor's affair: it trusts no guest.
 *
 * To mend is not to write anew: a file may differ from the original in a few lines only.
 */
#ifndef LAB_MEND_H
#define LAB_MEND_H

#include "lab/build.h"

/* A kernel that was assembled, or why it was not. */
struct lab_kernel {
    char image[PATH_MAX];           /* what is run                                   */
    char symbols[PATH_MAX];         /* its ELF file: a boot sector has no names in it */
    char trouble[600];              /* empty, or why there is no image: a sentence     */
};

/* The kernels of a lab, in the order of its guests; of guests that nobody mends, empty ones. */
struct lab_kernels { struct lab_kernel guest[LAB_GUESTS]; };

/* Assemble the lab's own kernels, those with the mistakes, below work/original.  0; or -errno and
 * a sentence in why: that is never the student's fault. */
int lab_mend_originals(const struct lab_folders *f, const struct lab_spec *spec,
                       struct lab_kernels *kernels, char *why, size_t n);

/* Assemble the kernels of the folder `submission` below work/mended.  A file that is missing, that
 * is a symbolic link, that differs in too many lines or that cannot be assembled has its
 * `trouble`.  0; -ENOTDIR: the submission is no folder; or -errno, the grader's own trouble; and a
 * sentence in why. */
int lab_mend_submission(const struct lab_folders *f, const struct lab_spec *spec,
                        const char *submission, struct lab_kernels *kernels, char *why, size_t n);

/* What a student begins with: a new folder `to` with all of guests/.  0; or -errno and a sentence
 * in why. */
int lab_mend_start(const struct lab_folders *f, const char *to, char *why, size_t n);

/* A submission that is kept with the lab, as a new folder `to`: guests/ with the lab's mended.diff
 * applied, and its `answers`; and then the case's own diff, if there is a case.  0; or -errno and
 * a sentence in why. */
int lab_mend_write_case(const struct lab_folders *f, const struct lab_case *c, const char *to,
                        char *why, size_t n);

/* In how many lines does `mended` differ from `original`?  The larger one of lines added and lines
 * taken away; a line that was changed is one.  Blanks, comments and empty lines do not count.
 * UINT_MAX: no memory, or too long to be compared. */
unsigned lab_mend_lines(const char *original, const char *mended);

#endif
