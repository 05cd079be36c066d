/*
 * debugger/console/help.c -- the tables of commands (command.c) as text: for `help`, and for
 * doc/debugger.md.
 */
#include <stdio.h>

#include "debugger/console/private.h"

/* A table's rows, one on each line; `before` is the command they belong to ("info "). */
static void list_rows(FILE *out, const struct command_row *rows, size_t n, const char *before)
{
    for (size_t i = 0; i < n; i++) {
        char left[80];
        snprintf(left, sizeof left, "%s%s%s%s", before, rows[i].name, rows[i].args ? " " : "",
                 rows[i].args ? rows[i].args : "");
        fprintf(out, "  %-34s %s\n", left, rows[i].help);
    }
}

/* One command in full.
 *
 *     break ADDRESS|FILE:LINE|KIND ... [if EXPR]
 *       stop before an instruction or at an event; `help break` lists the kinds
 *       short: b
 *       for example: break main if rax > 3
 */
static void help_row(struct console *c, const struct command_row *r, const char *before)
{
    fprintf(c->out, "%s%s%s%s\n  %s\n", before, r->name, r->args ? " " : "",
            r->args ? r->args : "", r->help);
    if (r->alias)
        fprintf(c->out, "  short: %s%s\n", before, r->alias);
    fprintf(c->out, "  for example: %s\n", r->example);
}

/* `help`, `help COMMAND` and `help info WHAT`. Three commands have tables of their own
 * below them; such a command's table is listed under it. */
enum console_result cmd_help(struct console *c, const char *args)
{
    bool ambiguous;
    if (!*args) {
        list_rows(c->out, command_rows, n_command_rows, "");
        fputs("A beginning is enough if it is only one's. `help COMMAND` shows an example; "
              "`help info`, `help break` list more.\n", c->out);
        return CONSOLE_OK;
    }
    size_t len = word_length(args);
    const struct command_row *r = row_find(command_rows, n_command_rows, args, len, &ambiguous);
    if (!r)
        return fail(c, "there is no command '%.*s'; `help` lists them", (int)len, args);
    const char *more = skip_blanks(args + len);
    bool info = r->run == cmd_info, mon = r->run == cmd_monitor;
    bool brk = r->run == cmd_break || r->run == cmd_tbreak || r->run == cmd_until;
    const struct command_row *below = !*more ? NULL
        : info ? row_find(info_rows, n_info_rows, more, word_length(more), &ambiguous)
        : mon ? row_find(monitor_rows, n_monitor_rows, more, word_length(more), &ambiguous)
        : brk ? row_find(break_rows, n_break_rows, more, word_length(more), &ambiguous) : NULL;
    if (below) {
        help_row(c, below, info ? "info " : mon ? "monitor " : "break ");
        return CONSOLE_OK;
    }
    help_row(c, r, "");
    if (info)
        list_rows(c->out, info_rows, n_info_rows, "info ");
    if (mon)
        list_rows(c->out, monitor_rows, n_monitor_rows, "monitor ");
    if (brk)
        list_rows(c->out, break_rows, n_break_rows, "break ");
    return CONSOLE_OK;
}

/* ---- documentation ---- */

/* Rows of a Markdown table.  A `|` in the arguments must be escaped there. */
static void document_rows(FILE *out, const struct command_row *rows, size_t n, const char *before)
{
    for (size_t i = 0; i < n; i++) {
        char args[100];
        size_t k = 0;
        for (const char *a = rows[i].args ? rows[i].args : ""; *a && k + 2 < sizeof args; a++) {
            if (*a == '|')
                args[k++] = '\\';
            args[k++] = *a;
        }
        args[k] = 0;
        fprintf(out, "| `%s%s%s%s` | %s | %s | `%s` |\n", before, rows[i].name, k ? " " : "", args,
                rows[i].alias ? rows[i].alias : "", rows[i].help, rows[i].example);
    }
}

/* `vitrine debug --commands` prints this; it is part of doc/debugger.md. */
void console_document(FILE *out)
{
    static const char head[] =
        "| command | short | what it does | example |\n| --- | --- | --- | --- |\n";
    fputs(head, out);
    document_rows(out, command_rows, n_command_rows, "");
    fprintf(out, "\n### info\n\n%s", head);
    document_rows(out, info_rows, n_info_rows, "info ");
    fprintf(out, "\n### break, tbreak, until\n\n%s", head);
    document_rows(out, break_rows, n_break_rows, "break ");
    fprintf(out, "\n### monitor\n\n%s", head);
    document_rows(out, monitor_rows, n_monitor_rows, "monitor ");
}
