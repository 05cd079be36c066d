/*
 * exercise/print.c -- a sheet on paper, and is a student's answer right?
 */
#include "exercise/print.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exercise/exercise.h"

enum { COLUMNS = 78 };

/* One line of a text, folded between words; the first `used` columns of the page are taken. */
static void fold_line(const char *line, size_t n, unsigned indent, unsigned used, FILE *out)
{
    for (size_t at = 0; at < n; ) {
        size_t len = 0;
        while (at + len < n && line[at + len] != ' ')
            len++;
        if (used + (used > indent) + len > COLUMNS && used > indent) {
            fprintf(out, "\n%*s", (int)indent, "");
            used = indent;
        }
        used += (unsigned)fprintf(out, "%s%.*s", used > indent ? " " : "", (int)len, line + at);
        at += len + 1;
    }
    fputc('\n', out);
}

/* All lines of a text; the first begins where the page stands now, at column `indent`. */
static void fold_text(const char *text, unsigned indent, bool at_indent, FILE *out)
{
    for (const char *line = text; line && *line; ) {
        size_t n = strcspn(line, "\n");
        if (n && !at_indent)
            fprintf(out, "%*s", (int)indent, "");
        if (line[0] == ' ')
            fprintf(out, "%.*s\n", (int)n, line);
        else
            fold_line(line, n, indent, indent, out);
        at_indent = false;
        line += n + (line[n] == '\n');
    }
}

static void print_answer(const struct question *q, FILE *out)
{
    switch (q->kind) {
    case ANSWER_NUMBER: fprintf(out, "%" PRIu64, q->number); break;
    case ANSWER_HEX:    fprintf(out, "0x%" PRIx64, q->number); break;
    case ANSWER_CHOICE: fputs(q->choices[q->number], out); break;
    case ANSWER_WORDS:  fputs(q->words.s, out); break;
    }
}

/* What can be chosen: once, if several questions have the same; yes and no need no list. */
static void print_choices(const struct sheet *s, unsigned n, FILE *out)
{
    const struct question *q = &s->question[n];
    if (q->kind != ANSWER_CHOICE || q->choices == sheet_yes_no)
        return;
    for (unsigned i = 0; i < n; i++)
        if (s->question[i].choices == q->choices) {
            fprintf(out, "        (1 to %u of (%c))\n", q->n_choices, 'a' + i);
            return;
        }
    for (unsigned i = 0; i < q->n_choices; i++)
        fprintf(out, "        %u. %s\n", i + 1, q->choices[i]);
}

void sheet_print(const struct sheet *s, bool with_solution, FILE *out)
{
    fprintf(out, "Exercise %u: %s   (seed %" PRIu64 ", about %u minutes)\n\n", s->of->number,
            s->of->title, s->seed, s->of->minutes);
    fold_text(s->given.s, 0, true, out);
    for (unsigned i = 0; i < s->n_questions; i++) {
        const struct question *q = &s->question[i];
        fprintf(out, "\n(%c) ", 'a' + i);
        fold_text(q->text.s, 4, true, out);
        print_choices(s, i, out);
        if (!with_solution)
            continue;
        fputs("\n    Answer: ", out);
        print_answer(q, out);
        fputs("\n\n", out);
        fold_text(q->because.s, 4, false, out);
    }
    fprintf(out, "\nSee: %s\n", s->of->see);
    if (!with_solution)
        fprintf(out, "Check: vitrine exercise %u -s %" PRIu64 " a=ANSWER ...   Solution: -c\n",
                s->of->number, s->seed);
}

/* ---- a student's answer ---- */

/* Do both have the same words, whatever stands between them? */
static bool same_words(const char *a, const char *b)
{
    static const char between[] = " \t,;";
    for (;;) {
        a += strspn(a, between);
        b += strspn(b, between);
        size_t n = strcspn(a, between);
        if (n != strcspn(b, between) || strncasecmp(a, b, n))
            return false;
        if (!n)
            return true;
        a += n;
        b += n;
    }
}

/* A number and nothing else. */
static bool is_number(const char *text, int base, uint64_t *value)
{
    char *end;
    text += strspn(text, " ");
    if (!isxdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, &end, base);
    return !errno && !*(end + strspn(end, " "));
}

bool question_is_right(const struct question *q, const char *answer)
{
    uint64_t v;
    switch (q->kind) {
    case ANSWER_NUMBER:
        return is_number(answer, strncasecmp(answer, "0x", 2) ? 10 : 16, &v) && v == q->number;
    case ANSWER_HEX:
        return is_number(answer, 16, &v) && v == q->number;
    case ANSWER_CHOICE:
        return same_words(answer, q->choices[q->number]) ||
               (is_number(answer, 10, &v) && v == q->number + 1);
    case ANSWER_WORDS:
        return same_words(answer, q->words.s);
    }
    return false;
}
