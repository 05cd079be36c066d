/*
 * lab/line.c -- cutting a line into words, and reading them.
 */
#include "lab/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int line_complain(struct line *w, const char *what, const char *word)
{
    snprintf(w->why, w->why_bytes, "line %u: %s%s%s%s", w->number, what, word ? " '" : "",
             word ? word : "", word ? "'" : "");
    return -EINVAL;
}

char *line_next(struct line *w)
{
    return w->at < w->n ? w->word[w->at++] : NULL;
}

bool line_next_is(struct line *w, const char *word)
{
    bool is = w->at < w->n && strcmp(w->word[w->at], word) == 0;
    w->at += is;
    return is;
}

int line_need(struct line *w, const char *what, const char **word)
{
    *word = line_next(w);
    return *word ? 0 : line_complain(w, what, NULL);
}

int line_split(struct line *w, char *line)
{
    w->n = w->at = 0;
    for (;;) {
        line += strspn(line, " \t");
        if (!*line || *line == '#')
            return 0;
        if (w->n == LINE_WORDS)
            return line_complain(w, "too many words", NULL);
        char quote = *line == '\'' || *line == '"' ? *line++ : 0;
        char stop[] = { quote ? quote : ' ', quote ? 0 : '\t', 0 };
        char *end = line + strcspn(line, stop);
        if (quote && !*end)
            return line_complain(w, "a quote that is not closed:", line);
        w->word[w->n++] = line;
        line = *end ? end + 1 : end;
        *end = 0;
    }
}

int line_count(struct line *w, const char *word, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = word ? strtoull(word, &end, 0) : 0;
    if (!word || errno || end == word || *end || word[0] == '-' || *value > most)
        return line_complain(w, "not a number that is possible here:", word ? word : "");
    return 0;
}

int line_bound(struct line *w, struct lab_bound *b)
{
    static const struct { const char *unit; double times; } units[] = {
        { "", 1 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "%", 0.01 },
        { "*ref", 1 },
    };
    const char *word = line_next(w);
    char *end = NULL;
    if (word && strcmp(word, "ref") == 0) {
        *b = (struct lab_bound){ 1, true };
        return 0;
    }
    double value = word ? strtod(word, &end) : 0;
    if (word && end != word && value >= 0 && value < 1e18)
        for (size_t i = 0; i < NELEM(units); i++)
            if (strcmp(end, units[i].unit) == 0) {
                *b = (struct lab_bound){ value * units[i].times, units[i].unit[0] == '*' };
                return 0;
            }
    return line_complain(w, "not a bound (10, 1.5*ref, 20us, 10%):", word ? word : "");
}

int line_compare(struct line *w, enum lab_compare *c)
{
    static const char *const signs[] = { "==", "!=", "<", "<=", ">", ">=" };
    const char *word = line_next(w);
    for (unsigned i = 0; word && i < NELEM(signs); i++)
        if (strcmp(word, signs[i]) == 0) {
            *c = (enum lab_compare)i;
            return 0;
        }
    return line_complain(w, "a comparison (== != < <= > >=) is due here, not",
                         word ? word : "the end");
}
