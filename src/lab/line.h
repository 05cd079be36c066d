/*
 * lab/line.h -- one line of a lab's file as words, and what they are read as.
 *
 * A line is cut in place; its words are then taken one after the other.  Who finds something else
 * than is due complains, once, with the line's number.  What the words mean is lab/spec.c's affair.
 */
#ifndef LAB_LINE_H
#define LAB_LINE_H

#include "base/types.h"
#include "lab/spec.h"

enum { LINE_WORDS = 40 };

/* A line's words, and how far they have been used. */
struct line {
    char    *word[LINE_WORDS];
    unsigned n, at;
    unsigned number;            /* of the line, from 1 */
    char    *why;               /* where a complaint goes */
    size_t   why_bytes;
};

/* Cut a line into words, in place.  A quoted word ends at the same quote; # begins a comment.  0;
 * or -EINVAL, and the complaint is written (so in all that follow). */
int line_split(struct line *w, char *line);

/* The next word, or NULL. */
char *line_next(struct line *w);

/* Is it this one?  Then it is taken. */
bool line_next_is(struct line *w, const char *word);

/* The next word, which must be there: `what` asks for it. */
int line_need(struct line *w, const char *what, const char **word);

/* `word` (NULL: there is none) as a number from 0 to `most`. */
int line_count(struct line *w, const char *word, uint64_t most, uint64_t *value);

/* The next word as a bound: 10, 1.5*ref, 20us, 10%.  Times are in nanoseconds, per cents a part of
 * 1. */
int line_bound(struct line *w, struct lab_bound *b);

/* The next word as a comparison: == != < <= > >= */
int line_compare(struct line *w, enum lab_compare *c);

/* Say what is wrong, and at which word, if one is given: -EINVAL. */
int line_complain(struct line *w, const char *what, const char *word);

#endif
