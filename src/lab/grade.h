/*
 * lab/grade.h -- a submission's grade: all guests run, all rules judged.
 */
#ifndef LAB_GRADE_H
#define LAB_GRADE_H

#include <limits.h>
#include <stdio.h>

#include "lab/mend.h"
#include "lab/run.h"
#include "lab/spec.h"

/* Where a lab's files are. */
struct lab_place {
    char vitrine[PATH_MAX];         /* the real program: makes the reference runs  */
    char monitor[PATH_MAX];         /* the program with the stand-in               */
    char guests[PATH_MAX];          /* NAME.elf                                    */
    char work[PATH_MAX];            /* a folder for traces; it exists              */
    char source[PATH_MAX];          /* what the submission was compiled from, or ""  */
    const char *portable;           /* for runs to be handed out: the project; or NULL */
    char kept[PATH_MAX];            /* reference runs made before (lab/kept.h); "": they are made */
    struct lab_kernels original, mended;    /* of a lab whose guests are mended    */
    struct lab_seats seats;
};

struct lab_grade {
    const struct lab_spec *spec;
    struct lab_job reference[LAB_GUESTS], job[LAB_GUESTS];
    struct lab_finding finding[LAB_RULES];
    unsigned guest_of[LAB_RULES];   /* whose trace finding.event is in            */
    double   points;
    uint64_t seed;
    bool     has_reference;         /* the reference runs are made                */
    char     image[LAB_GUESTS][PATH_MAX];
};

/* First the reference runs, which are the same for a whole class and for all that is tried.  0; or
 * -errno and a sentence in why: not the submission's fault.  lab_grade_free() in any case. */
int lab_grade_reference(struct lab_grade *g, const struct lab_spec *spec,
                        const struct lab_place *place, uint64_t seed, char *why, size_t n);

/* Then run the submission (a static executable; NULL: the real source, as a reference against
 * itself; of a lab whose guests are mended: place->mended) with the same seed, traces below `work`,
 * and judge it.  Where only answers are handed in nothing runs.  `answer` has what the student says
 * for each rule, or NULL.  Results as above. */
int lab_grade_submission(struct lab_grade *g, const struct lab_place *place,
                         const char *submission, const char *const *answer, char *why, size_t n);

/* Forget the submission, and keep the reference runs for the next one. */
void lab_grade_forget(struct lab_grade *g);

void lab_grade_free(struct lab_grade *g);

/* For people: a line for each rule; below one that is broken what was found, the ten events up
 * to the first wrong one, and the command that shows it.  Of a hidden rule only a teacher sees all
 * that; a student sees its points, and that a hidden test failed. */
enum lab_reader { LAB_STUDENT, LAB_TEACHER };
void lab_grade_print(struct lab_grade *g, enum lab_reader reader, FILE *out);

/* For Gradescope: its results.json.  Hidden rules are shown once the grades are published. */
int lab_grade_json(struct lab_grade *g, FILE *out);

#endif
