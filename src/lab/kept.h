/*
 * lab/kept.h -- reference runs made before, for a tree in which they cannot or need not be made.
 *
 * What is handed out to students has right runs in it, not the means to make them.  A reference
 * run is kept as two files, GUEST.trace and GUEST.result: a line with the status, then what the
 * guest printed.  Rules of every kind are judged from these as from the run itself.
 */
#ifndef LAB_KEPT_H
#define LAB_KEPT_H

#include "lab/grade.h"

/* Write the reference runs of g, but those of hidden guests, into `folder`, which is made.  0; or
 * -errno and a sentence in why. */
int lab_keep(const struct lab_grade *g, const char *folder, char *why, size_t n);

/* Read the jobs' runs (n_jobs of them, prepared as for lab_run_all()) from `folder`.  0; or -errno
 * and a sentence in why.  lab_job_free() each in any case. */
int lab_recall(struct lab_job *jobs, unsigned n_jobs, const char *folder, char *why, size_t n);

#endif
