/*
 * debugger/tui/prompt.c -- the line at the bottom that is typed into: a search,
 * a filter, a command.
 *
 * While a line is being typed, all keys come here.  Editing is as in a shell: arrows, Home,
 * End, Ctrl-A, -E, -U, -K, -W, history with Up and Down, Tab to complete a word.  What the
 * line is for is told by its kind:
 *
 *     a search     selects the first event that reads so with every letter; Esc goes back
 *                  to where one was
 *     a filter     is tried with every letter, and a caret shows where it goes wrong, but
 *                  it takes effect with Enter
 *     all others   do something with Enter
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui/tui.h"

/* What stands before the text; and for Tab the command of the console whose arguments are
 * what is typed ("count FILTER" takes a filter), "" for commands themselves, NULL: there is
 * nothing to complete. */
static const struct { const char *lead, *command; } kinds[N_PROMPTS] = {
    [PROMPT_NONE]    = { "", NULL },
    [PROMPT_SEARCH]  = { "/", NULL },
    [PROMPT_FILTER]  = { "\\", "count " },
    [PROMPT_COMMAND] = { ":", "" },
    [PROMPT_UNTIL]   = { "until ", "until " },
    [PROMPT_FIND]    = { "find in memory: ", NULL },
    [PROMPT_BREAK]   = { "break ", "break " },
};

static void set_text(struct prompt *p, const char *text)
{
    snprintf(p->text, sizeof p->text, "%s", text);
    p->at = p->len = strlen(p->text);
}

/* A filter is edited: the line begins as the one that is in force.  All others begin empty. */
void prompt_open(struct tui *t, enum prompt_kind kind)
{
    struct prompt *p = &t->prompt;
    p->kind = kind;
    p->origin = t->cursor;
    p->recalled = p->history[kind].n;
    p->wrong = false;
    set_text(p, kind == PROMPT_FILTER ? t->filter_text : "");
}

/* Into the history of its kind, unless it is empty or the same as the last one; the oldest
 * line makes room. */
static void remember_line(struct prompt *p)
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

/* by -1: the line before in the history, by 1: the one behind; behind the last is an empty
 * line. */
static void recall_line(struct prompt *p, int by)
{
    const struct prompt_history *h = &p->history[p->kind];
    unsigned to = p->recalled + (unsigned)by;
    if (to > h->n)
        return;
    p->recalled = to;
    set_text(p, to < h->n ? h->text[to] : "");
}

/* Does what is typed parse?  Else p->error says where it goes wrong. */
static void try_filter(struct tui *t)
{
    struct prompt *p = &t->prompt;
    struct filter *f = p->len ? filter_compile(p->text, store_text(t->store), &p->error) : NULL;
    p->wrong = p->len && !f;
    filter_free(f);
}

/* After every key that may have changed the text. */
static void text_changed(struct tui *t)
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

/* Enter.  The prompt is closed before the line is acted upon, for that may open another
 * one. */
static void accept_line(struct tui *t)
{
    struct prompt *p = &t->prompt;
    enum prompt_kind kind = p->kind;
    if (kind == PROMPT_FILTER && p->wrong)
        return;                 /* stay in the line; the caret shows where it is wrong */
    while (kind != PROMPT_SEARCH && p->len && p->text[p->len - 1] == ' ')
        p->text[--p->len] = '\0';
    remember_line(p);
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

/* Esc: as if nothing had been typed. */
static void cancel_prompt(struct tui *t)
{
    struct prompt *p = &t->prompt;
    if (p->kind == PROMPT_SEARCH) {
        search_stop(t);
        t->search_text[0] = '\0';
        tui_select(t, p->origin, false);
    }
    p->kind = PROMPT_NONE;
}

/* Bytes [from, to) of the text, with the caret left in their place. */
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

/* Where the word to the left of the caret begins, for Ctrl-W. */
static size_t word_before(const struct prompt *p)
{
    size_t i = p->at;
    while (i && p->text[i - 1] == ' ')
        i--;
    while (i && p->text[i - 1] != ' ')
        i--;
    return i;
}

/* A key that edits.  Moving the caret returns early, for the text is the same and a search
 * need not begin anew.  False: the key means nothing here. */
static bool edit_line(struct tui *t, int key)
{
    struct prompt *p = &t->prompt;
    switch (key) {
    case KEY_LEFT:  case CTRL('b'): p->at -= p->at > 0; return true;
    case KEY_RIGHT: case CTRL('f'): p->at += p->at < p->len; return true;
    case KEY_HOME:  case CTRL('a'): p->at = 0; return true;
    case KEY_END:   case CTRL('e'): p->at = p->len; return true;
    case KEY_BACKSPACE: case 127: case CTRL('h'):
        if (!p->len)
            cancel_prompt(t);
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
    case KEY_UP:    recall_line(p, -1); break;
    case KEY_DOWN:  recall_line(p, 1); break;
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
    text_changed(t);
    return true;
}

void prompt_key(struct tui *t, int key)
{
    t->dirty = true;
    if (key == '\r' || key == '\n' || key == KEY_ENTER)
        accept_line(t);
    else if (key == 27 || key == CTRL('g') || key == CTRL('c'))
        cancel_prompt(t);
    else
        edit_line(t, key);
}

/* A line too long for the screen is moved to the left, so that the caret is in sight.  What
 * is wrong with a filter, or a message, stands behind the text. */
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
