/*
 * lab/run.h -- running a lab's guests: the trusted monitor and, in a jail, the submission.
 *
 *     reference   build/vitrine run GUEST                       the real source, no submission
 *     submission  build/lab/NN/monitor run GUEST  <--wire-->  the student's part
 *
 * Some run side by side, each pair on one processor: two processes that answer each other are
 * fastest there.
 */
#ifndef LAB_RUN_H
#define LAB_RUN_H

#include <limits.h>

#include "lab/ending.h"
#include "lab/jail.h"
#include "lab/rule.h"

/* One run, first what is asked for, then what came of it. */
struct lab_job {
    const struct lab_guest *guest;
    const char *monitor;                /* the trusted program                        */
    const char *submission;             /* what the jail executes; NULL: no jail       */
    const char *source;                 /* what it was compiled from; NULL: nobody knows */
    const char *image;                  /* the guest's file                           */
    const char *folder;                 /* the monitor works there and names the image from
                                         * there, if the image is in it; NULL: here */
    const char *names;                  /* the file with its symbols; NULL: the image */
    char        trace[PATH_MAX];        /* where its trace is written                 */
    uint64_t    seed;
    uint64_t    limit_exits, limit_insns;   /* 0: none                                */
    unsigned    wall_s;

    struct lab_run run;                 /* its trace is open                          */
    struct symbols *symbols;            /* of the image, for names in the trace       */
    struct lab_ending ending;           /* by its trace                               */
    char       *said;                   /* by the monitor, on stderr; NULL: not known  */
    char       *printed;                /* by the submission, on its own stdout       */
    char        ended[300];             /* what run.ended points to                   */
};

/* Where runs are made. */
struct lab_seats {
    unsigned at_a_time;         /* how many side by side                              */
    unsigned first;             /* the processor of the first; the others are on the next ones */
};

/* Run all, but those whose run.ended says already why they cannot be run.  0; or -errno and a
 * sentence in why: the grader's own trouble, never the submission's.  lab_job_free() each in any
 * case. */
int lab_run_all(struct lab_job *jobs, unsigned n, struct lab_seats seats, char *why,
                size_t bytes);

/* Open the trace that a run has left in job->trace, with the image's symbols, and count what is
 * asked for often.  If there is none, run.trace stays NULL. */
void lab_job_open(struct lab_job *job);

void lab_job_free(struct lab_job *job);

#endif
