/*
 * cmd/lab.h -- what `vitrine lab` has found out before it begins; for lab.c and lab_class.c.
 */
#ifndef CMD_LAB_H
#define CMD_LAB_H

#include "lab/build.h"
#include "lab/grade.h"

#define LAB_CANNOT 125          /* exit status: the host or a file was in the way */

/* The command line, and what is found by it. */
struct lab {
    const char *verb, *file, *json, *answers, *compiler, *class_folder;
    uint64_t    seed;
    bool        few;                /* try: one mutant in three */
    struct lab_folders folders;
    struct lab_place   place;
    struct lab_spec    spec;
    const char *answer[LAB_RULES];          /* point into answer_text */
    char        answer_text[LAB_RULES][80];
};

/* `vitrine lab grade N --class FOLDER`: every submission in a folder, on all processors; the
 * results below FOLDER/results.  The exit status. */
int lab_class(struct lab *l);

#endif
