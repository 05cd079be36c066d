/*
 * base/likeness.h -- "did you mean ...?": which of several names is most like a word that a
 * person has typed.
 *
 *     struct likeness l = { .word = word, .len = strlen(word) };
 *     for (each name there is)
 *         likeness_try(&l, name);
 *     if (l.best) ... it is at most LIKENESS_MOST letters away
 */
#ifndef BASE_LIKENESS_H
#define BASE_LIKENESS_H

#include "base/types.h"

#define LIKENESS_MOST 2     /* letters changed, added or left out; more is another word */

struct likeness {
    const char *word;       /* what was typed; `len` bytes, upper and lower case are alike */
    size_t      len;
    const char *best;       /* the nearest name so far, as it was given; NULL: none is near */
    unsigned    distance;   /* of best */
};

/* Compare with one more name.  Of two that are equally near the first counts. */
void likeness_try(struct likeness *l, const char *name);

#endif
