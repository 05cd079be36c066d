/*
 * lab/similar.c -- fingerprints of sources, and how many two have in common.
 */
#include "lab/similar.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define RUN    12               /* tokens to a hash                        */
#define WINDOW 6                /* of so many neighbours the least is kept */
#define FEW    8

static const char *skip_comment(const char *p)
{
    const char *end = p[1] == '/' ? strchr(p, '\n') : strstr(p + 2, "*/");
    return !end ? p + strlen(p) : p[1] == '/' ? end : end + 2;
}

/* The next token as a small number, and behind it; 0: the end.  Names are 1, numbers and strings
 * 2, signs themselves. */
static unsigned next_token(const char **at)
{
    const char *p = *at;
    while (isspace((unsigned char)*p) || (p[0] == '/' && (p[1] == '*' || p[1] == '/')))
        p = isspace((unsigned char)*p) ? p + 1 : skip_comment(p);
    unsigned token = (unsigned char)*p;
    if (isalpha((unsigned char)*p) || *p == '_') {
        token = 1;
        while (isalnum((unsigned char)*p) || *p == '_')
            p++;
    } else if (isdigit((unsigned char)*p)) {
        token = 2;
        while (isalnum((unsigned char)*p) || *p == '.')
            p++;
    } else if (*p)
        p++;
    *at = p;
    return token;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Sort, and keep each once. */
static void make_set(struct fingerprints *f)
{
    size_t kept = 0;
    qsort(f->hash, f->n, sizeof *f->hash, ascending);
    for (size_t i = 0; i < f->n; i++)
        if (!kept || f->hash[i] != f->hash[kept - 1])
            f->hash[kept++] = f->hash[i];
    f->n = kept;
}

bool fingerprints_make(struct fingerprints *f, const char *text)
{
    uint64_t recent[WINDOW] = { 0 };
    unsigned token[RUN] = { 0 };
    size_t n = 0;
    f->n = 0;
    f->hash = malloc((strlen(text) + 1) * sizeof *f->hash);
    for (unsigned t; f->hash && (t = next_token(&text)); n++) {
        uint64_t hash = 0, least;
        token[n % RUN] = t;
        if (n + 1 < RUN)
            continue;
        for (size_t i = 0; i < RUN; i++)
            hash = (hash ^ token[(n + 1 + i) % RUN]) * UINT64_C(0x9e3779b97f4a7c15);
        recent[n % WINDOW] = least = hash ^ hash >> 29;
        if (n + 1 < RUN + WINDOW)
            continue;
        for (size_t i = 0; i < WINDOW; i++)
            least = recent[i] < least ? recent[i] : least;
        f->hash[f->n++] = least;
    }
    if (f->hash)
        make_set(f);
    return f->hash != NULL;
}

void fingerprints_free(struct fingerprints *f)
{
    free(f->hash);
    *f = (struct fingerprints){ 0 };
}

static bool has(const struct fingerprints *f, uint64_t hash)
{
    return f->n && bsearch(&hash, f->hash, f->n, sizeof hash, ascending);
}

void fingerprints_without(struct fingerprints *f, const struct fingerprints *known)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++)
        if (!has(known, f->hash[i]))
            f->hash[kept++] = f->hash[i];
    f->n = kept;
}

double fingerprints_shared(const struct fingerprints *a, const struct fingerprints *b)
{
    size_t common = 0, least = a->n < b->n ? a->n : b->n;
    for (size_t i = 0; i < a->n; i++)
        common += has(b, a->hash[i]);
    return least < FEW ? 0 : (double)common / (double)least;
}
