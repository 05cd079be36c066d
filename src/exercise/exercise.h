/*
 * exercise/exercise.h -- the exercises: short problems for paper and terminal.
 *
 * Each has a maker, which writes a sheet out of a seed (sheet.h); one file of this folder has
 * one maker, or a few of a family.  Where the project has the thing that is asked about (page
 * walker, interrupt controller, timer, the machine itself) the maker asks that for the answer,
 * so the answers are as right as the monitor is.  tests/exercise/solve.py works them out in
 * another way, from nothing but the printed text.
 */
#ifndef EXERCISE_EXERCISE_H
#define EXERCISE_EXERCISE_H

#include "base/types.h"
#include "exercise/sheet.h"

/* A row of the table in list.c. */
struct exercise {
    unsigned    number;
    const char *name;                   /* a short word or two, with hyphens              */
    const char *title;
    unsigned    minutes;                /* that a student needs for it, about             */
    void      (*make)(struct sheet *s);
    const char *see;                    /* where to look it up, or what to run, to learn more */
};

extern const struct exercise exercises[];
extern const size_t n_exercises;

/* By number, or by name; NULL: there is none. */
const struct exercise *exercise_find(const char *word);

#endif
