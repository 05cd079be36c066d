/*
 * debugger/report/explain_fold.c -- an explanation as lines that fit into a terminal.
 *
 * Sentences here are put together from parts whose length nobody knows beforehand (symbols,
 * addresses), so they are written without line breaks and folded at the end, between words.
 */
#include "debugger/report/explain_private.h"

#include <string.h>

enum { COLUMNS = 80, DEEPER = 4 };

/* "0x100010 <main+0x4>" counts as one word. */
static size_t word_length(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && (text[i] != ' ' || (i + 1 < n && text[i + 1] == '<')))
        i++;
    return i;
}

/* One line, of n characters without its newline. */
static void fold_line(const char *line, size_t n, FILE *out)
{
    size_t indent = strspn(line, " "), column = 0;
    for (size_t i = indent < n ? indent : n; i < n;) {
        size_t word = word_length(line + i, n - i);
        if (column && column + 1 + word > COLUMNS) {
            fputc('\n', out);
            column = 0;
            indent = i ? strspn(line, " ") + DEEPER : indent;
        }
        column += (size_t)fprintf(out, "%*s%.*s", column ? 1 : (int)indent, "", (int)word,
                                  line + i);
        i += word + 1;
    }
    fputc('\n', out);
}

void explain_fold(const char *text, FILE *out)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fold_line(text, n, out);
        text += n + (text[n] == '\n');
    }
}
