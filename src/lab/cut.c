/*
 * lab/cut.c -- markers in the source, and what is left without them.
 */
#include "lab/cut.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What a line says, if it is a marker of any lab. */
struct marker {
    enum { NO_MARKER, BEGIN, END } kind;
    char     lab[4];
    int      indent;                /* columns before it                       */
    char     instead[200];          /* of BEGIN: the code that stands there    */
};

static struct marker read_marker(const char *line)
{
    struct marker m = { .kind = NO_MARKER, .indent = (int)strspn(line, " ") };
    const char *text = line + m.indent;
    int used = 0;
    if (sscanf(text, "/* lab %3s end */%n", m.lab, &used) == 1 && used)
        m.kind = END;
    else if (sscanf(text, "/* lab %3s begin%n", m.lab, &used) == 1 && used) {
        m.kind = BEGIN;
        sscanf(text + used, ": %199[^\n]", m.instead);
        char *end = strstr(m.instead, " */");
        if (end)
            *end = 0;
    }
    return m;
}

static void write_instead(FILE *out, const struct marker *m)
{
    fprintf(out, "%*s/* Lab %s: yours to write. */\n", m->indent, "", m->lab);
    if (m->instead[0])
        fprintf(out, "%*s%s\n", m->indent, "", m->instead);
}

static int unmatched(char *why, size_t n, unsigned line, const char *what)
{
    snprintf(why, n, "line %u: %s", line, what);
    return -EINVAL;
}

int lab_cut(FILE *in, FILE *out, const char *id, char *why, size_t n)
{
    char *line = NULL;
    size_t room = 0;
    unsigned at = 0;
    bool inside = false;
    int cuts = 0;
    while (cuts >= 0 && getline(&line, &room, in) > 0) {
        struct marker m = read_marker(line);
        at++;
        if (m.kind != NO_MARKER && strcmp(m.lab, id) == 0) {
            if ((m.kind == BEGIN) == inside)
                cuts = unmatched(why, n, at, inside ? "a begin inside of a cut"
                                                     : "an end without its begin");
            else if (m.kind == BEGIN)
                write_instead(out, &m), cuts++;
            inside = m.kind == BEGIN;
        } else if (m.kind == NO_MARKER && !inside)
            fputs(line, out);
    }
    free(line);
    return cuts >= 0 && inside ? unmatched(why, n, at, "a begin without its end") : cuts;
}
