/*
 * debugger/tui/help.c -- what the tables of keys say: the help, the bar at the bottom,
 * and the list in doc/tui.md; and the page that an answer of the console fills.
 *
 * Nothing about a key is written here: all of it comes from the tables in key.c and in the
 * panes, so that help, bar and manual cannot contradict what the key does.  One walk over
 * the tables, help_all(), serves three ends, as struct help_page says.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui/tui.h"

/* What is printed on a key, or "Ctrl-D"; in buf, unless it is a constant. */
static const char *name_of_key(int key, char *buf, size_t n)
{
    static const struct { int key; const char *name; } names[] = {
        { '\t', "Tab" }, { '\r', "Enter" }, { 27, "Esc" }, { ' ', "Space" },
        { KEY_BTAB, "Shift-Tab" },
        { KEY_UP, "Up" }, { KEY_DOWN, "Down" }, { KEY_LEFT, "Left" }, { KEY_RIGHT, "Right" },
        { KEY_NPAGE, "PgDn" }, { KEY_PPAGE, "PgUp" }, { KEY_HOME, "Home" }, { KEY_END, "End" },
        { KEY_ENTER, "Enter" }, { KEY_IC, "Ins" }, { KEY_DC, "Del" },
    };
    for (size_t i = 0; i < NELEM(names); i++)
        if (names[i].key == key)
            return names[i].name;
    if (key >= KEY_F(1) && key <= KEY_F(12))
        snprintf(buf, n, "F%d", key - KEY_F0);
    else if (key > 0 && key < ' ')
        snprintf(buf, n, "Ctrl-%c", key + 'A' - 1);
    else
        snprintf(buf, n, "%c", key);
    return buf;
}

/* What help_all() is to do, and how far it is. */
struct help_page {
    struct tui *t;
    const struct area *a;       /* draw into this area; NULL: only count the lines   */
    FILE *out;                  /* print Markdown there instead; NULL: do not        */
    long line;                  /* lines so far, also those that are off the screen  */
    int  width;                 /* of a line, in columns                             */
};

/* The line of the screen for the next row, which is counted in any case; -1: it is above or
 * below the screen, or nothing is drawn. */
static long help_row(struct help_page *h)
{
    long y = h->a ? h->line - h->t->help_top : -1;
    h->line++;
    return y < 0 || y >= h->a->h ? -1 : y;
}

/* How many bytes of text go into a row of so many columns: whole words, but a word that is
 * longer than the row is cut. */
static size_t words_that_fit(const char *text, int width)
{
    size_t room = width > 0 ? (size_t)width : 1, n = strlen(text);
    if (n <= room)
        return n;
    for (n = room; n && text[n] != ' '; n--)
        ;
    return n ? n : room;
}

/* A row of a table, or a heading and the head of a table below it. */
static void print_markdown(FILE *out, const char *key, const char *twin, const char *text)
{
    if (key[0])
        fprintf(out, "| `%s` | %s%s%s | %s |\n", key, twin[0] ? "`" : "", twin, twin[0] ? "`" : "",
                text);
    else if (text[0])
        fprintf(out, "\n%s\n\n| key | or | what it does |\n| --- | --- | --- |\n", text);
}

/* A key with its twin and what it does, on as many rows as the text needs.  key "": a
 * heading, or an empty line. */
static void help_line(struct help_page *h, const char *key, const char *twin, const char *text)
{
    if (h->out) {
        print_markdown(h->out, key, twin, text);
        return;
    }
    if (!key[0]) {
        long y = help_row(h);
        if (y >= 0)
            draw_text(h->a, (int)y, 1, ROLE_STRONG, text);
        return;
    }
    for (bool first = true; first || *text; first = false) {
        size_t n = words_that_fit(text, h->width - 19);
        long y = help_row(h);
        if (y >= 0 && first) {
            draw_text(h->a, (int)y, 3, ROLE_GUEST, key);
            draw_text(h->a, (int)y, 13, ROLE_DIM, twin);
        }
        if (y >= 0)
            draw_format(h->a, (int)y, 19, ROLE_TEXT, "%.*s", (int)n, text);
        text += n + strspn(text + n, " ");
    }
}

/* A heading and a table of keys.  Rows without a help text repeat a key that was told
 * above. */
static void help_table(struct help_page *h, const char *title, const struct key *table)
{
    char a[16], b[16];
    if (!table)
        return;
    if (h->line)
        help_line(h, "", "", "");
    help_line(h, "", "", title);
    for (; table->code; table++) {
        char help[160];
        if (!table->help)
            continue;
        snprintf(help, sizeof help, "%s%s", table->help, table->when == LIVE ? " (live)" : "");
        help_line(h, name_of_key(table->code, a, sizeof a),
                  table->twin ? name_of_key(table->twin, b, sizeof b) : "", help);
    }
}

/* Everything there is to say, in the order of doc/tui.md: the keys that work everywhere,
 * then those of each pane. */
static void help_all(struct help_page *h)
{
    static const struct key no_keys[] = { { 0 } };
    char title[200];
    help_table(h, "everywhere, unless the focused pane has its own use for the key", tui_keys);
    for (unsigned i = 0; i < N_PANES; i++) {
        static const struct pane_ops *const ops[N_PANES] = {
#define X(id, ops) &ops,
            PANE_LIST(X)
#undef X
        };
        snprintf(title, sizeof title, "pane %s: %s", ops[i]->name, ops[i]->about);
        help_table(h, title, ops[i]->keys ? ops[i]->keys : no_keys);
    }
}

/* Twice over the tables: to know how far one can scroll, the lines must be counted before
 * any is drawn. */
void tui_draw_help(struct tui *t, const struct area *a)
{
    struct help_page h = { .t = t, .width = a->w };
    help_all(&h);               /* only counts the lines */
    long n = h.line;
    struct area page = { a->y + 1, a->x, a->h - 2, a->w };
    draw_clear(a);
    draw_rest(a, 0, 0, ROLE_FOCUS);
    draw_text(a, 0, 1, ROLE_FOCUS, "help: j and k scroll, any other key closes it");
    pane_scroll(&t->help_top, n, page.h);
    help_all(&(struct help_page){ .t = t, .a = &page, .width = a->w });
    draw_format(a, a->h - 1, 1, ROLE_DIM, "%s", t->help_top + page.h < n ? "more below" : "");
}

/* The console's answer, line by line; lines wider than the screen are cut. */
void tui_draw_page(struct tui *t, const struct area *a)
{
    struct area page = { a->y + 1, a->x, a->h - 1, a->w };
    long n = 0, i = 0;
    draw_clear(a);
    draw_rest(a, 0, 0, ROLE_FOCUS);
    draw_text(a, 0, 1, ROLE_FOCUS, "j and k scroll, any other key closes this");
    for (const char *p = t->page; *p; p++)
        n += *p == '\n';
    pane_scroll(&t->help_top, n, page.h);
    for (const char *p = t->page; *p; i++) {
        char line[400];
        size_t len = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, p);
        if (i >= t->help_top)
            draw_text(&page, (int)(i - t->help_top), 1, ROLE_TEXT, draw_clean(line));
        p += len + (p[len] == '\n');
    }
}

/* For `vitrine tui --keys`, which doc/tui.md is made with: no screen, hence no t. */
void tui_print_keys(FILE *out)
{
    help_all(&(struct help_page){ .out = out });
}

/* The function keys in the order of their numbers.  A key is in the bar if its row has a
 * word for it (bar) and its twin is a function key. */
void tui_draw_bar(struct tui *t, const struct area *line)
{
    char name[16];
    int x = 0;
    draw_rest(line, 0, 0, ROLE_BAR);
    for (int f = 1; f <= 12; f++)
        for (const struct key *k = tui_keys; k->code; k++)
            if (k->bar && k->twin == KEY_F(f) && tui_key_is_for(t, k)) {
                x = draw_format(line, 0, x, ROLE_BARKEY, "%sF%d", f == 1 ? "" : " ", f);
                const char *letter = name_of_key(k->code, name, sizeof name);
                x = draw_format(line, 0, x, ROLE_BAR, "%s%s", k->bar, line->w > 110 ? " " : "");
                if (line->w > 110)
                    x = draw_format(line, 0, x, ROLE_BAR, "(%s)", letter);
            }
}
