/*
 * cmd/lab.h -- what `vitrine lab` has found out before it begins; for lab.c,
 * lab_try.c and lab_class.c.
 */
#ifndef CMD_LAB_H
#define CMD_LAB_H

#include "lab/build.h"
#include "lab/grade.h"

struct dirent;

#define LAB_CANNOT 125          /* exit status: the host or a file was in the way */

/* The command line, and what is found by it. */
struct lab {
    const char *verb, *which, *file, *json, *answers, *compiler, *class_folder;
    const char *sign, *key, *of;    /* files: private key, public key, submission */
    uint64_t    seed;
    bool        few;                /* try: only some mutants */
    unsigned    part, parts;        /* of a class: the part'th of so many, from 1 */
    struct lab_folders folders;
    struct lab_place   place;
    struct lab_spec    spec;
    const char *answer[LAB_RULES];          /* point into answer_text */
    char        answer_text[LAB_RULES][80];
};

/* ---- lab_find.c ---- */

/* The project that this program was built in, or VITRINE_ROOT.  False: the user has been told, as
 * from all of these. */
bool lab_find_root(struct lab *l);

/* The folder of the lab l->which: "7", "lab07" and "07-interrupts" are the same. */
bool lab_find(struct lab *l);

/* All folders lab/NN-name, as scandir() gives them. */
int lab_folders_all(const struct lab *l, struct dirent ***entry);

/* A folder for traces and the submission, one for each lab and user, emptied; and the paths that
 * depend on it.  It stays, so that a student can look, until the next time. */
bool lab_make_work(struct lab *l);

/* Remove all that is in a folder. */
void lab_empty_folder(const char *path);

/* ---- lab_mistaken.c ---- */

/* The source did not compile, and the compiler has `said` why: print if it looks like another lab's
 * part, and what it does not define. */
void lab_tell_mistaken(const struct lab *l, const char *source, const char *said);

/* ---- the others ---- */

/* The student's answers into l->answer: l->file says where they are, or --answers.  False: the user
 * has been told. */
bool lab_read_answers(struct lab *l);

/* Build and grade one source, or of a lab whose guests are mended one folder.  *g is all 0, or has
 * been used for another source of the lab: then its reference runs are not made again.  0; 1 it
 * does not compile (said is what the compiler said, and there are no points); or LAB_CANNOT, and
 * the user has been told. */
int lab_grade_source(struct lab *l, const char *source, struct lab_grade *g, char *said,
                     size_t bytes);

/* `vitrine lab try N`: all that is kept with the lab, graded side by side.  The exit status. */
int lab_try(struct lab *l);

/* `vitrine lab grade N --class FOLDER`: every submission in a folder, on all processors; the
 * results below FOLDER/results.  The exit status. */
int lab_class(struct lab *l);

/* `vitrine lab keep N FOLDER`: the right runs into it (lab/kept.h).  The exit status. */
int lab_keep_runs(struct lab *l);

/* Write Gradescope's results.json of `source` into the file `to`; signed if l->sign names a key.
 * False: the user has been told. */
bool lab_write_json(struct lab *l, struct lab_grade *g, const char *source, const char *to);

/* `vitrine lab verify N RESULTS.JSON --key FILE`.  The exit status; 1: it is not what was
 * signed. */
int lab_verify_result(struct lab *l);

#endif
