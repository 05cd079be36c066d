/*
 * exercise/print.h -- what becomes of a sheet: paper, a judgement, a question bank.
 */
#ifndef EXERCISE_PRINT_H
#define EXERCISE_PRINT_H

#include <stdio.h>

#include "exercise/sheet.h"

/* The sheet as text of at most 78 columns; with_solution: each answer, and the way to it. */
void sheet_print(const struct sheet *s, bool with_solution, FILE *out);

/* Is that the answer?  Blanks, upper and lower case do not count; numbers may be written in
 * decimal or with 0x; of a choice its number or its words. */
bool question_is_right(const struct question *q, const char *answer);

/* For Moodle and others that read GIFT: a category, then each question of the sheet as one
 * question, with what is given repeated in it and the way to the answer as its feedback. */
void sheet_print_gift(const struct sheet *s, FILE *out);

#endif
