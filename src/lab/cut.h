/*
 * lab/cut.h -- a lab's starter, cut out of the real source.
 *
 * The source marks what a student is to write, and what stands there instead so that the
 * starter compiles (nothing, if the marked lines are a whole function body without a value):
 *
 *     static unsigned highest(const struct chip *c, unsigned lines)
 *     {
 *         / * lab 7 begin: (void)c, (void)lines; return NONE; * /
 *         for (...)
 *         / * lab 7 end * /
 *     }
 *
 * (without the blanks in the comment signs).  Markers of other labs are left out of the starter
 * like any other marker, and their text stays.
 */
#ifndef LAB_CUT_H
#define LAB_CUT_H

#include <stdio.h>

/* Copy the source `in` to `out` without what lab `id` has students write.  How many places
 * were cut; or -EINVAL and a sentence in why: a marker without its partner. */
int lab_cut(FILE *in, FILE *out, const char *id, char *why, size_t n);

#endif
