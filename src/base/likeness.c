/*
 * base/likeness.c -- the edit distance of two short words: how many letters have to be changed,
 * put in or left out to make one of the other.  [Levenshtein, "Binary codes capable of
 * correcting deletions, insertions, and reversals", 1966]
 */
#include "base/likeness.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 24          /* longer words are not mistyped names */

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* row[j] is the distance of a[0..i) and b[0..j), for one i after the other. */
static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[LONGEST];
    if (na >= NELEM(row) || nb >= NELEM(row))
        return UINT32_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned corner = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned change = corner + !same_letter(a[i - 1], b[j - 1]);
            unsigned drop = row[j] + 1, add = row[j - 1] + 1;
            corner = row[j];
            row[j] = change < drop ? change : drop;
            if (add < row[j])
                row[j] = add;
        }
    }
    return row[nb];
}

void likeness_try(struct likeness *l, const char *name)
{
    unsigned d = edit_distance(l->word, l->len, name, strlen(name));
    if (d > LIKENESS_MOST || (l->best && d >= l->distance))
        return;
    l->best = name;
    l->distance = d;
}
