/*
 * debugger/console/complete.c -- what could stand where a line ends, for the Tab key.  What a
 * command can be followed by is said by its row in the table (enum completes).
 *
 *     "br"            break
 *     "info reg"      registers
 *     "print sel"     self, and whatever else the guest's program calls so
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/field.h"

/* The words found so far; `prefix` is what each must begin with. */
struct words { char **word; size_t n, cap; const char *prefix; };

/* Take the word if it begins with what the user has typed.  Without memory it is left out,
 * which only makes the list shorter. */
static void offer(struct words *w, const char *word)
{
    if (!word || strncmp(word, w->prefix, strlen(w->prefix)))
        return;
    if (w->n + 1 >= w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 32;
        char **more = realloc(w->word, cap * sizeof *more);
        if (!more)
            return;
        w->word = more;
        w->cap = cap;
    }
    if ((w->word[w->n] = strdup(word)))
        w->n++;
}

/* Names only: aliases are for those who know them. */
static void offer_rows(struct words *w, const struct command_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        offer(w, rows[i].name);
}

/* A kernel has tens of thousands of symbols; more than 2000 words help nobody. */
static void offer_symbols(struct words *w, const struct symbols *s)
{
    uint64_t a, b;
    for (size_t i = 0; i < symbols_count(s) && w->n < 2000; i++)
        offer(w, symbols_at(s, i, &a, &b));
}

/* Names out of the debug information.  Those with other characters in them ("struct x",
 * C++) could not be typed as one word of an expression. */
static void offer_variables(struct words *w, struct debuginfo *info)
{
    static const char in_names[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    const struct debuginfo_name *name;
    size_t n = *w->prefix ? debuginfo_names(info, &name) : 0;
    for (size_t i = 0; i < n && w->n < 2000; i++)
        if (strspn(name[i].name, in_names) == strlen(name[i].name))
            offer(w, name[i].name);
}

/* Only once something is typed: all of them would hide the rest. */
static void offer_registers(struct words *w)
{
    for (size_t i = 0; i < regs_count() && *w->prefix; i++)
        offer(w, reg_at(i)->name);
}

/* Parts of the PC, in lower case, as `info` takes them. */
static void offer_parts(struct words *w, const struct link *l)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t n = link_parts(l, part, NELEM(part));
    for (size_t i = 0; i < n; i++) {
        char name[32];
        for (size_t k = 0; k < sizeof name; k++)
            if (!(name[k] = (char)tolower((unsigned char)part[i].name[k])))
                break;
        name[sizeof name - 1] = 0;
        offer(w, name);
    }
}

/* What a filter can name: fields of events, and kinds of events. */
static void offer_events(struct words *w)
{
    for (size_t i = 0; i < trace_fields_count(); i++)
        offer(w, trace_field_at(i)->name);
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        offer(w, trace_kinds[k].name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once: the tables and the symbols may have the same name. */
static void unique(struct words *w)
{
    size_t n = 0;
    qsort(w->word, w->n, sizeof *w->word, by_name);
    for (size_t i = 0; i < w->n; i++) {
        if (n && !strcmp(w->word[n - 1], w->word[i]))
            free(w->word[i]);
        else
            w->word[n++] = w->word[i];
    }
    w->n = n;
}

/* `first` says that the word is the first argument; kinds of breakpoints and `info` stand
 * only there. */
static void offer_arguments(struct console *c, struct words *w, enum completes what, bool first)
{
    switch (what) {
    case WITH_COMMAND: offer_rows(w, command_rows, n_command_rows); break;
    case WITH_INFO:
        if (first)
            offer_rows(w, info_rows, n_info_rows), offer_parts(w, c->o.link);
        break;
    case WITH_MONITOR: if (first) offer_rows(w, monitor_rows, n_monitor_rows); break;
    case WITH_BREAK:
        if (first)
            offer_rows(w, break_rows, n_break_rows);
        offer_symbols(w, c->o.symbols);
        offer_registers(w);
        break;
    case WITH_EXPR:
        offer_symbols(w, c->o.symbols);
        offer_variables(w, c->o.info);
        offer_registers(w);
        break;
    case WITH_FIELD:   offer_events(w); offer_symbols(w, c->o.symbols); break;
    case WITH_FILE:
    case WITH_NOTHING: break;
    }
}

/* The word to be completed begins behind the last blank or operator, so that it works
 * inside expressions ("print a+b"). If it is the line's first word, it is a command. */
char **console_complete(struct console *c, const char *line, size_t *start)
{
    bool ambiguous;
    const char *begin = skip_blanks(line), *last = line + strlen(line);
    while (last > begin && !isspace((unsigned char)last[-1]) && !strchr("([=!<>&|+-*,^", last[-1]))
        last--;
    struct words w = { .prefix = last };
    *start = (size_t)(last - line);
    size_t len = strcspn(begin, " \t/");
    const struct command_row *r = row_find(command_rows, n_command_rows, begin, len, &ambiguous);
    if (last == begin) {
        offer_rows(&w, command_rows, n_command_rows);
    } else if (r) {
        const char *args = skip_blanks(begin + word_length(begin));
        enum completes what = r->completes;
        if (what == WITH_INFO && last != args)      /* the second word is below `info symbol` */
            what = WITH_EXPR;
        offer_arguments(c, &w, what, last == args);
    }
    if (!w.word && !(w.word = calloc(1, sizeof *w.word)))
        return NULL;
    unique(&w);
    w.word[w.n] = NULL;
    return w.word;
}
