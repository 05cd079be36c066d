/*
 * exercise/sheet.c -- a sheet is written: text grows, numbers are drawn, questions are put.
 */
#include "exercise/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "exercise/exercise.h"

const char *const sheet_yes_no[2] = { "yes", "no" };

/* ---- text ---- */

static void add_v(struct sheet_text *t, const char *fmt, va_list ap)
{
    char *more;
    int n = vasprintf(&more, fmt, ap);
    bug_if(n < 0, "no memory for the text of an exercise");
    t->s = realloc(t->s, t->n + (size_t)n + 1);
    bug_if(!t->s, "no memory for the text of an exercise");
    memcpy(t->s + t->n, more, (size_t)n + 1);
    t->n += (size_t)n;
    free(more);
}

void sheet_text_add(struct sheet_text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_v(t, fmt, ap);
    va_end(ap);
}

/* A whole line: `before` it, then what fmt says. */
static void add_line(struct sheet_text *t, const char *before, const char *fmt, va_list ap)
{
    sheet_text_add(t, "%s", before);
    add_v(t, fmt, ap);
    sheet_text_add(t, "\n");
}

/* An empty line before a paragraph, unless it is the first. */
static const char *gap(const struct sheet_text *t)
{
    return t->n ? "\n" : "";
}

void sheet_say(struct sheet *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(&s->given, gap(&s->given), fmt, ap);
    va_end(ap);
}

/* Lines that are shown stand apart from the paragraph before them. */
void sheet_show(struct sheet *s, const char *fmt, ...)
{
    struct sheet_text *t = &s->given;
    size_t line = t->n;
    va_list ap;
    while (line > 1 && t->s[line - 2] != '\n')
        line--;
    bool first = t->n && t->s[line - 1] != ' ';
    va_start(ap, fmt);
    add_line(t, first ? "\n    " : "    ", fmt, ap);
    va_end(ap);
}

/* ---- chance ---- */

/* SplitMix64: every seed, 0 too, begins a good sequence. */
static uint64_t draw(struct sheet *s)
{
    uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

unsigned sheet_pick(struct sheet *s, unsigned lo, unsigned hi)
{
    bug_if(hi < lo, "no number from %u to %u", lo, hi);
    return lo + (unsigned)(draw(s) % ((uint64_t)hi - lo + 1));
}

void sheet_shuffle(struct sheet *s, void *array, size_t n, size_t bytes)
{
    char *a = array;
    for (size_t i = n; i > 1; i--) {
        char *x = a + (i - 1) * bytes, *y = a + (draw(s) % i) * bytes;
        for (size_t k = 0; k < bytes; k++) {
            char c = x[k];
            x[k] = y[k];
            y[k] = c;
        }
    }
}

/* ---- questions ---- */

static struct question *new_question(struct sheet *s, enum answer_kind kind, uint64_t number,
                                     const char *fmt, va_list ap)
{
    bug_if(s->n_questions == SHEET_QUESTIONS, "more than %d questions", SHEET_QUESTIONS);
    struct question *q = &s->question[s->n_questions++];
    *q = (struct question){ .kind = kind, .number = number };
    add_v(&q->text, fmt, ap);
    return q;
}

void sheet_ask_number(struct sheet *s, uint64_t answer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    new_question(s, ANSWER_NUMBER, answer, fmt, ap);
    va_end(ap);
}

void sheet_ask_hex(struct sheet *s, uint64_t answer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    new_question(s, ANSWER_HEX, answer, fmt, ap);
    va_end(ap);
}

void sheet_ask_choice(struct sheet *s, const char *const *choices, unsigned n, unsigned answer,
                      const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct question *q = new_question(s, ANSWER_CHOICE, answer, fmt, ap);
    va_end(ap);
    q->choices = choices;
    q->n_choices = n;
}

void sheet_ask_words(struct sheet *s, const char *answer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct question *q = new_question(s, ANSWER_WORDS, 0, fmt, ap);
    va_end(ap);
    sheet_text_add(&q->words, "%s", answer);
}

void sheet_because(struct sheet *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(&s->question[s->n_questions - 1].because, "", fmt, ap);
    va_end(ap);
}

void sheet_because_line(struct sheet *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(&s->question[s->n_questions - 1].because, "    ", fmt, ap);
    va_end(ap);
}

void sheet_make(struct sheet *s, const struct exercise *of, uint64_t seed)
{
    *s = (struct sheet){ .of = of, .seed = seed, .random = seed ^ (uint64_t)of->number << 32 };
    of->make(s);
}

void sheet_free(struct sheet *s)
{
    free(s->given.s);
    for (unsigned i = 0; i < s->n_questions; i++) {
        free(s->question[i].text.s);
        free(s->question[i].words.s);
        free(s->question[i].because.s);
    }
    *s = (struct sheet){ 0 };
}
