/*
 * debugger/tui/prompt.c -- the line at the bottom that is typed into: a search,
 * a filter, a command.
 *
 * A search moves with every letter; a filter is tried with every letter and
 * a caret shows where it goes wrong, but it takes effect with Enter.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui/tui.h"

/* What stands before the text; and the console's command whose words can stand there. */
static const struct { const char *lead, *command; } kinds[N_PROMPTS] = {
    [PROMPT_NONE] = { "", NULL }, [PROMPT_SEARCH] = { "/", NULL },
        [PROMPT_FILTER] = { "\\", "count " },
    [PROMPT_COMMAND] = { ":", "" }, [PROMPT_UNTIL] = { "until ", "until " },
        [PROMPT_FIND] = { "find in memory: ", NULL },
    [PROMPT_BREAK] = { "break ", "break " },
};

static void set_text(struct prompt *p, const char *text)
{
    snprintf(p->text, sizeof p->text, "%s", text);
    p->at = p->len = strlen(p->text);
}

void prompt_open(struct tui *t, enum prompt_kind kind)
{
    struct prompt *p = &t->prompt;
    p->kind = kind;
    p->origin = t->cursor;
    p->recalled = p->history[kind].n;
    p->wrong = false;
    set_text(p, kind == PROMPT_FILTER ? t->filter_text : "");
}

static void remember(struct prompt *p)
{
    struct prompt_history *h = &p->history[p->kind];
    if (!p->len || (h->n && strcmp(h->text[h->n - 1], p->text) == 0))
        return;
    if (h->n == NELEM(h->text)) {
        memmove(h->text[0], h->text[1], sizeof h->text - sizeof h->text[0]);
        h->n--;
    }
    memcpy(h->text[h->n++], p->text, sizeof h->text[0]);
}

static void recall(struct prompt *p, int by)
{
    const struct prompt_history *h = &p->history[p->kind];
    unsigned to = p->recalled + (unsigned)by;
    if (to > h->n)
        return;
    p->recalled = to;
    set_text(p, to < h->n ? h->text[to] : "");
}

/* Has the filter a mistake? */
static void try_filter(struct tui *t)
{
    struct prompt *p = &t->prompt;
    struct filter *f = p->len ? filter_compile(p->text, store_text(t->store), &p->error) : NULL;
    p->wrong = p->len && !f;
    filter_free(f);
}

static void changed(struct tui *t)
{
    struct prompt *p = &t->prompt;
    if (p->kind == PROMPT_FILTER)
        try_filter(t);
    if (p->kind != PROMPT_SEARCH)
        return;
    memcpy(t->search_text, p->text, sizeof t->search_text);
    if (p->len)
        search_text(t, false, p->origin);
    else
        search_stop(t);
}

static void accept(struct tui *t)
{
    struct prompt *p = &t->prompt;
    enum prompt_kind kind = p->kind;
    if (kind == PROMPT_FILTER && p->wrong)
        return;                 /* the caret says why */
    while (kind != PROMPT_SEARCH && p->len && p->text[p->len - 1] == ' ')
        p->text[--p->len] = '\0';
    remember(p);
    p->kind = PROMPT_NONE;
    if (kind == PROMPT_FILTER)
        tui_set_filter(t, p->text);
    else if (kind == PROMPT_COMMAND)
        tui_command(t, p->text);
    else if (kind == PROMPT_UNTIL && p->len)
        live_until(t, p->text);
    else if (kind == PROMPT_FIND && p->len)
        tui_find_memory(t, p->text);
    else if (kind == PROMPT_BREAK && p->len)
        live_break(t, p->text);
}

static void cancel(struct tui *t)
{
    struct prompt *p = &t->prompt;
    if (p->kind == PROMPT_SEARCH) {
        search_stop(t);
        t->search_text[0] = '\0';
        tui_select(t, p->origin, false);
    }
    p->kind = PROMPT_NONE;
}

static void take_out(struct prompt *p, size_t from, size_t to)
{
    memmove(p->text + from, p->text + to, p->len - to + 1);
    p->len -= to - from;
    p->at = from;
}

static void put_in(struct prompt *p, int c)
{
    if (p->len + 1 >= sizeof p->text)
        return;
    memmove(p->text + p->at + 1, p->text + p->at, p->len - p->at + 1);
    p->text[p->at++] = (char)c;
    p->len++;
}

static size_t word_before(const struct prompt *p)
{
    size_t i = p->at;
    while (i && p->text[i - 1] == ' ')
        i--;
    while (i && p->text[i - 1] != ' ')
        i--;
    return i;
}

static bool edit(struct tui *t, int key)
{
    struct prompt *p = &t->prompt;
    switch (key) {
    case KEY_LEFT:  case CTRL('b'): p->at -= p->at > 0; return true;
    case KEY_RIGHT: case CTRL('f'): p->at += p->at < p->len; return true;
    case KEY_HOME:  case CTRL('a'): p->at = 0; return true;
    case KEY_END:   case CTRL('e'): p->at = p->len; return true;
    case KEY_BACKSPACE: case 127: case CTRL('h'):
        if (!p->len)
            cancel(t);
        else if (p->at)
            take_out(p, p->at - 1, p->at);
        break;
    case KEY_DC:
        if (p->at < p->len)
            take_out(p, p->at, p->at + 1);
        break;
    case CTRL('u'): take_out(p, 0, p->at); break;
    case CTRL('k'): take_out(p, p->at, p->len); break;
    case CTRL('w'): take_out(p, word_before(p), p->at); break;
    case KEY_UP:    recall(p, -1); break;
    case KEY_DOWN:  recall(p, 1); break;
    case '\t':
        if (kinds[p->kind].command &&
            tui_complete(t, kinds[p->kind].command, p->text, sizeof p->text))
            p->at = p->len = strlen(p->text);
        break;
    default:
        if (key < ' ' || key > '~')
            return false;
        put_in(p, key);
    }
    changed(t);
    return true;
}

void prompt_key(struct tui *t, int key)
{
    t->dirty = true;
    if (key == '\r' || key == '\n' || key == KEY_ENTER)
        accept(t);
    else if (key == 27 || key == CTRL('g') || key == CTRL('c'))
        cancel(t);
    else
        edit(t, key);
}

void prompt_draw(struct tui *t, const struct area *a, int *cursor_y, int *cursor_x)
{
    struct prompt *p = &t->prompt;
    int lead = draw_width(kinds[p->kind].lead), room = a->w - lead - 3;
    int skip = (int)p->at > room ? (int)p->at - room : 0;
    if (skip < 0 || room < 1)
        skip = 0;
    draw_rest(a, 0, 0, ROLE_TEXT);
    draw_text(a, 0, 0, ROLE_GUEST, kinds[p->kind].lead);
    draw_text(a, 0, lead, ROLE_TEXT, p->text + skip);
    if (p->wrong) {
        draw_role(a, 0, lead + (int)p->error.column - skip, 1, ROLE_ERROR);
        int x = (int)p->len - skip + lead + 2;
        draw_format(a, 0, x, ROLE_BAD, "%s %s", glyph(GLYPH_CARET), p->error.text);
    }
    if (t->message[0])
        draw_format(a, 0, (int)p->len - skip + lead + 2, t->message_role, "%s", t->message);
    *cursor_y = a->y;
    *cursor_x = a->x + lead + (int)p->at - skip;
    if (*cursor_x >= a->x + a->w)
        *cursor_x = a->x + a->w - 1;
}
