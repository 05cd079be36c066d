/*
 * lab/class_table.h -- what a class has reached, as one table.
 */
#ifndef LAB_CLASS_TABLE_H
#define LAB_CLASS_TABLE_H

#include <stdio.h>

#include "lab/similar.h"
#include "lab/spec.h"

struct class_row {
    char   name[128];
    bool   graded;                  /* else `note` says why not            */
    char   note[200];
    double points, of_rule[LAB_RULES];
    struct fingerprints prints;
};

/* A row from the results.json that was written for it.  False: it is none of this lab. */
bool class_row_read(struct class_row *row, const struct lab_spec *spec, const char *json);

/* One line for each submission: name, points, points of each rule. */
void class_table_csv(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                     FILE *out);

/* A self-contained page: the table, how often each rule was missed, pairs of submissions that
 * share more than SIMILAR of what is not in the starter. */
#define SIMILAR 0.75
void class_table_html(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                      FILE *out);

#endif
