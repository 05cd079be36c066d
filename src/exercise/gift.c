/*
 * exercise/gift.c -- a sheet as questions in GIFT, the text format that Moodle and other learning
 * platforms import.  [Moodle documentation "GIFT format"]
 *
 *     ::NAME::[html]TEXT {ANSWERS####FEEDBACK}
 *
 *     {#42}                a number
 *     {=0x10 =10h ...}     a short answer, in the ways one may write it; case does not count
 *     {=A B =A, B =A,B}    words in a row
 *     {=right ~wrong ...}  a choice
 *
 * ~ = # { } : and the backslash mean something and are escaped; an empty line would end a
 * question, so the text is HTML, in which paragraphs need none.
 */
#include <inttypes.h>
#include <string.h>

#include "exercise/exercise.h"
#include "exercise/print.h"

static void put_escaped(const char *text, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        switch (text[i]) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default:
            if (strchr("~=#{}:\\", text[i]))
                fputc('\\', out);
            fputc(text[i], out);
        }
}

/* Paragraphs, and runs of lines that are not to be broken. */
static void put_html(const char *text, FILE *out)
{
    bool pre = false;
    for (const char *line = text; line && *line; ) {
        size_t n = strcspn(line, "\n");
        if (n && pre != (line[0] == ' ')) {
            pre = line[0] == ' ';
            fputs(pre ? "<pre>" : "</pre>", out);
        }
        if (n && !pre)
            fputs("<p>", out);
        put_escaped(line, n, out);
        if (n)
            fputs(pre ? "\\n" : "</p>", out);
        line += n + (line[n] == '\n');
    }
    if (pre)
        fputs("</pre>", out);
}

/* Words in a row as one right answer, with `between` between them: a platform compares letter by
 * letter, so it is told of each way in which people write them. */
static void put_words(const char *words, const char *between, FILE *out)
{
    fputs(" =", out);
    for (const char *at = words; *at; ) {
        size_t n = strcspn(at, " ");
        put_escaped(at, n, out);
        at += n + strspn(at + n, " ");
        if (*at)
            fputs(between, out);
    }
}

static void put_answers(const struct question *q, FILE *out)
{
    switch (q->kind) {
    case ANSWER_NUMBER:
        fprintf(out, "#%" PRIu64, q->number);
        break;
    case ANSWER_HEX:
        fprintf(out, "=0x%" PRIx64 " =%" PRIx64 " =%" PRIx64 "h =0x%08" PRIx64 " =0x%016" PRIx64,
                q->number, q->number, q->number, q->number, q->number);
        break;
    case ANSWER_WORDS:
        put_words(q->words.s, " ", out);
        if (strchr(q->words.s, ' ')) {
            put_words(q->words.s, ", ", out);
            put_words(q->words.s, ",", out);
        }
        break;
    case ANSWER_CHOICE:
        for (unsigned i = 0; i < q->n_choices; i++) {
            fputs(i == q->number ? " =" : " ~", out);
            put_escaped(q->choices[i], strlen(q->choices[i]), out);
        }
        break;
    }
}

void sheet_print_gift(const struct sheet *s, FILE *out)
{
    fprintf(out, "$CATEGORY: Vitrine/%02u %s\n\n", s->of->number, s->of->name);
    for (unsigned i = 0; i < s->n_questions; i++) {
        const struct question *q = &s->question[i];
        fprintf(out, "::%02u %s, seed %" PRIu64 " (%c)::[html]", s->of->number, s->of->name,
                s->seed, 'a' + i);
        put_html(s->given.s, out);
        fputs("<p><b>", out);
        put_escaped(q->text.s, q->text.n, out);
        fputs("</b></p>{", out);
        put_answers(q, out);
        fputs("####", out);
        put_html(q->because.s, out);
        fputs("}\n\n", out);
    }
}
