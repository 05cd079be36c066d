/*
 * lab/similar.h -- how much of one source is in another, whatever its names and layout.
 *
 * A source becomes a set of fingerprints: it is read as tokens in which every name is the same
 * word and every number another, runs of some tokens are hashed, and of neighbouring hashes the
 * least is kept.  Renaming, comments and layout change nothing, moving a function little.
 * [Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document Fingerprinting" (2003)]
 */
#ifndef LAB_SIMILAR_H
#define LAB_SIMILAR_H

#include "base/types.h"

struct fingerprints { uint64_t *hash; size_t n; };     /* ascending, each once */

/* Of a source's text.  False: no memory. */
bool fingerprints_make(struct fingerprints *f, const char *text);
void fingerprints_free(struct fingerprints *f);

/* Leave out what is in `known` too: the starter, which everybody has. */
void fingerprints_without(struct fingerprints *f, const struct fingerprints *known);

/* What part of the smaller set is in the other one, 0 to 1; 0 if either has less than 8. */
double fingerprints_shared(const struct fingerprints *a, const struct fingerprints *b);

#endif
