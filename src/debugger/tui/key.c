/*
 * debugger/tui/key.c -- what a key does: one table.
 *
 * The help (`?`), the bar at the bottom and doc/tui.md are made from it and from the
 * panes' own tables (tui/help.c).
 *
 * tui_key(), at the end of this file, offers a key in this order; the first that has a use
 * for it takes it:
 *
 *     1. the line being typed, if there is one        prompt.c
 *     2. the help or a page that covers the panes     any key but scrolling closes it
 *     3. the focused pane, as text                    typing to the guest
 *     4. the focused pane's table
 *     5. the table here
 *     6. the stream's table                           so that moving works from everywhere
 *
 * Begin reading with the table, tui_keys.  Above it are the functions it names; their `arg`
 * is the number in its row, under the name of what it means (how, into, backward, by).
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/link/link.h"
#include "debugger/link/monitor_step.h"
#include "debugger/tui/tui.h"

#define LOOK_NS 300000000       /* how long a key may look for an event */

/*
 * What they do.  All have the form of press() in struct key: t, the pane that is focused
 * (or the stream), and the number in the table.  Most need neither of the last two.
 */

/* A guest that could still go on is lost with the TUI, so the first q only asks; then another q,
 * or y, is yes. */
static void ask_and_quit(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    bool lives = t->link && (link_state(t->link) == LINK_RUNNING ||
                             link_state(t->link) == LINK_STOPPED);
    t->quit = !lives || t->live.asked;
    t->live.asked = true;
    if (!t->quit)
        tui_say(t, ROLE_ERROR, "the guest is not over: end it? y or q again: yes; other keys: no");
}

/* A monitor that stands in a handler is to answer first; then the guest runs on by itself. */
static void key_run(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    if (beside_stands(t))
        beside_go(t, STEPPER_CONTINUE);
    else
        live_run_or_pause(t);
}

/* While the monitor stands in a handler, it is the one that is stepped.  how: enum
 * link_run. */
static void key_step(struct tui *t, struct pane *p, int how)
{
    static const int of_monitor[] = {
        [LINK_STEP] = STEPPER_STEP, [LINK_NEXT] = STEPPER_NEXT,
        [LINK_FINISH] = STEPPER_FINISH, [LINK_STEP_EXIT] = STEPPER_CONTINUE };
    (void)p;
    if (beside_stands(t) && (size_t)how < NELEM(of_monitor))
        beside_go(t, of_monitor[how]);
    else
        live_go(t, how, 1);
}

static void watch_monitor(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    beside_toggle(t);
}

static void step_line(struct tui *t, struct pane *p, int into)
{
    (void)p;
    tui_step_line(t, into);
}

static void guest_to_event(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    live_to_event(t);
}

/* LINK_STEP_EXIT has no counterpart that goes back, but the trace knows where the exits
 * were. */
static void exit_back(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    live_exit_back(t);
}

static void toggle_help(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    t->help = !t->help;
    t->help_top = 0;
}

static void open_prompt(struct tui *t, struct pane *p, int kind)
{
    (void)p;
    prompt_open(t, (enum prompt_kind)kind);
}

/* On from the event beside the selected one.  Backwards from event 0 there is none, so go
 * on from the end. */
static void search_again(struct tui *t, struct pane *p, int backward)
{
    (void)p;
    if (!t->search_text[0])
        tui_say(t, ROLE_DIM, "nothing has been searched for; / begins");
    else if (backward && t->cursor == 0)
        search_text(t, true, tui_n_events(t) - 1);
    else
        search_text(t, backward, backward ? t->cursor - 1 : t->cursor + 1);
}

static void focus_by(struct tui *t, struct pane *p, int by)
{
    (void)p;
    layout_focus(t, by);
}

static void swap_by(struct tui *t, struct pane *p, int by)
{
    (void)p;
    layout_swap(t, by);
}

static void toggle_maximised(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    t->maximised = !t->maximised;
}

static void choose_layout(struct tui *t, struct pane *p, int i)
{
    (void)p;
    layout_choose(t, tui_layout_name((unsigned)i));
}

/* Follow the end of the trace, and go there at once. */
static void toggle_follow(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    t->follow = !t->follow;
    if (t->follow && tui_n_events(t))
        search_filter(t, true, tui_n_events(t) - 1);
}

/* Esc undoes one thing: the most recent sort of thing first. */
static void go_back(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    if (t->search.active)
        search_stop(t);
    else if (t->maximised)
        t->maximised = false;
    else if (t->search_text[0])
        t->search_text[0] = '\0';
    else if (t->n_back)
        tui_select(t, t->back[--t->n_back], false);
    else if (t->filter_text[0])
        tui_set_filter(t, "");
}

static void redraw_all(struct tui *t, struct pane *p, int arg)
{
    (void)t, (void)p, (void)arg;
    tui_term_redraw();
}

/* Enter: to the event that caused the selected one; Esc leads back. */
static void to_cause(struct tui *t, struct pane *p, int arg)
{
    const struct trace_event *e = &t->event;
    (void)p, (void)arg;
    if (!t->has_event)
        return;
    uint64_t seq = e->cause_back && e->cause_back < e->seq ? e->seq - e->cause_back : 0;
    uint64_t at = store_seek_seq(t->store, seq);
    const struct trace_event *cause = seq ? store_at(t->store, at) : NULL;
    if (!seq)
        tui_say(t, ROLE_DIM, "event %" PRIu64 " answers no other", e->seq);
    else if (!cause || cause->seq != seq)
        tui_say(t, ROLE_DIM, "its cause, event %" PRIu64 ", is not in this trace", seq);
    else
        tui_select(t, at, true);
}

/* The next or previous event of a kind.  It may be far away, but blocks of the trace file
 * say in their headers which kinds they hold, so that others need not be unpacked. */
static void to_kind(struct tui *t, enum trace_kind kind, bool backward)
{
    struct filter_error err;
    char text[40];
    uint64_t at = t->cursor;
    snprintf(text, sizeof text, "kind==%s", trace_kinds[kind].name);
    struct filter *f = filter_compile(text, NULL, &err);
    if (!f || !tui_n_events(t) || (backward && at == 0)) {
        filter_free(f);
        return;
    }
    at += backward ? UINT64_MAX : 1;
    enum store_found found = backward ? store_prev(t->store, f, &at, LOOK_NS)
                                      : store_next(t->store, f, &at, LOOK_NS);
    if (found == STORE_FOUND)
        tui_select(t, at, true);
    else
        tui_say(t, ROLE_DIM, "no %s %s here", trace_kinds[kind].name,
                backward ? "before" : "behind");
    filter_free(f);
}

static void to_exit(struct tui *t, struct pane *p, int backward)
{
    (void)p;
    to_kind(t, TRACE_EXIT, backward);
}

static void to_mark(struct tui *t, struct pane *p, int backward)
{
    (void)p;
    to_kind(t, TRACE_MARK, backward);
}

/* A bookmark here, or none any more.  They are kept in the order of events. */
static void toggle_bookmark(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    unsigned i = 0;
    while (i < t->n_bookmarks && t->bookmark[i].index < t->cursor)
        i++;
    bool is = i < t->n_bookmarks && t->bookmark[i].index == t->cursor;
    size_t behind = (t->n_bookmarks - i) * sizeof t->bookmark[0];
    if (is) {
        memmove(&t->bookmark[i], &t->bookmark[i + 1], behind - sizeof t->bookmark[0]);
        t->n_bookmarks--;
    } else if (t->n_bookmarks < TUI_BOOKMARKS && t->has_event) {
        memmove(&t->bookmark[i + 1], &t->bookmark[i], behind);
        t->bookmark[i].index = t->cursor;
        t->n_bookmarks++;
    }
}

/* The nearest one behind or before the selected event. */
static void to_bookmark(struct tui *t, struct pane *p, int backward)
{
    (void)p;
    for (unsigned k = 0; k < t->n_bookmarks; k++) {
        unsigned i = backward ? t->n_bookmarks - 1 - k : k;
        uint64_t at = t->bookmark[i].index;
        if (backward ? at < t->cursor : at > t->cursor) {
            tui_select(t, at, true);
            return;
        }
    }
    tui_say(t, ROLE_DIM, t->n_bookmarks ? "no bookmark %s here" : "no bookmarks; m sets one",
            backward ? "before" : "behind");
}

static void toggle_mouse(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    t->mouse = !t->mouse;
    tui_term_mouse(t->mouse);
    tui_say(t, ROLE_DIM, t->mouse ? "the mouse is ours; shift-drag selects text"
                                  : "the mouse is the terminal's");
}

/* In the order in which help lists them.  Rows without a help text only give a key of the
 * table a function key in another session: F8 is a step where a guest can run, and the next
 * exit in a recording. */
const struct key tui_keys[] = {
    /* help, and the line to type in */
    { '?', KEY_F(1), "Help", "this help", toggle_help, 0, ALWAYS },
    { '/', KEY_F(3), "Search", "search the text of events, as you type", open_prompt, PROMPT_SEARCH,
      ALWAYS },
    { 'n', 0, NULL, "the next that was searched for", search_again, 0, ALWAYS },
    { 'N', 0, NULL, "the one before", search_again, 1, ALWAYS },
    { '\\', KEY_F(4), "Filter",
      "show only events that an expression is true of: exit==io && port==0x3f8",
      open_prompt, PROMPT_FILTER, ALWAYS },
    { ':', KEY_F(2), "Cmd", "a command; Tab completes, `:help` lists them", open_prompt,
      PROMPT_COMMAND, ALWAYS },
    { '\r', KEY_ENTER, NULL, "the event that the selected one answers", to_cause, 0, ALWAYS },

    /* a guest that runs: on ... */
    { 'c', KEY_F(5), "Run", "run the guest, or pause it", key_run, 0, LIVE },
    { 's', KEY_F(7), "Step", "one instruction of the guest", key_step, LINK_STEP, LIVE },
    { 'S', 0, NULL, "one instruction, and all that it calls", key_step, LINK_NEXT, LIVE },
    { 'l', 0, NULL, "to another source line; what it calls is done at once", step_line, false,
      LIVE },
    { 'L', 0, NULL, "the same, into functions", step_line, true, LIVE },
    { 'x', KEY_F(8), "StepExit", "the guest's next exit, answered and concluded", key_step,
      LINK_STEP_EXIT, LIVE },
    { 'f', 0, NULL, "until the function or handler has returned", key_step, LINK_FINISH, LIVE },
    { 'r', KEY_F(9), "Until",
      "run until: main, hlt, port 0x3f8, mark 2, main if eax==3, or events as in a filter",
      open_prompt, PROMPT_UNTIL, LIVE },
    { 'W', 0, NULL, "watch the monitor: each exit stops in its handler, and s S f c step there",
      watch_monitor, 0, LIVE },

    /* ... and back, where the engine can (doc/reverse.md) */
    { 'z', 0, NULL, "one instruction back", key_step, LINK_REVERSE_STEP, LIVE },
    { 'Z', 0, NULL, "one back, with all that it called", key_step, LINK_REVERSE_NEXT, LIVE },
    { 'X', 0, NULL, "back to the exit before", exit_back, 0, LIVE },
    { 'C', 0, NULL, "run back to the last time that something would have stopped it", key_step,
      LINK_REVERSE_CONTINUE, LIVE },
    { 't', 0, NULL, "take the guest to the selected event, back or on", guest_to_event, 0, LIVE },
    { 'T', 0, NULL, "and to the newest point there is", key_step, LINK_TO_NOW, LIVE },

    /* through the trace */
    { 27, 0, NULL, "back: from a search, a large pane, a jump, a filter", go_back, 0, ALWAYS },
    { 'e', 0, NULL, "the next exit in the trace", to_exit, 0, ALWAYS },
    { 'E', 0, NULL, "the exit before", to_exit, 1, ALWAYS },
    { 'e', KEY_F(8), "Exit+", NULL, to_exit, 0, RECORDED },
    { 'E', KEY_F(7), "Exit-", NULL, to_exit, 1, RECORDED },
    { 27, KEY_F(9), "Back", NULL, go_back, 0, RECORDED },
    { '\t', KEY_F(5), "Pane", NULL, focus_by, 1, RECORDED },
    { '>', 0, NULL, "the next MARK of the guest", to_mark, 0, ALWAYS },
    { '<', 0, NULL, "the MARK before", to_mark, 1, ALWAYS },
    { 'm', ' ', NULL, "set a bookmark here, or take it away", toggle_bookmark, 0, ALWAYS },
    { 'u', 0, NULL, "the next bookmark", to_bookmark, 0, ALWAYS },
    { 'U', 0, NULL, "the bookmark before", to_bookmark, 1, ALWAYS },
    { 'F', KEY_F(6), "Follow", "follow the end of the trace as it grows", toggle_follow, 0,
      ALWAYS },

    /* panes and layouts */
    { '\t', 0, NULL, "the next pane", focus_by, 1, ALWAYS },
    { KEY_BTAB, 0, NULL, "the pane before", focus_by, -1, ALWAYS },
    { 'O', 0, NULL, "the focused pane large, and back", toggle_maximised, 0, ALWAYS },
    { ']', 0, NULL, "another pane in this place", swap_by, 1, ALWAYS },
    { '[', 0, NULL, "and the other way round", swap_by, -1, ALWAYS },
    { '1', 0, NULL, "layout for lectures: few panes, large", choose_layout, 0, ALWAYS },
    { '2', 0, NULL, "layout for labs", choose_layout, 1, ALWAYS },
    { '3', 0, NULL, "layout for debugging: many panes", choose_layout, 2, ALWAYS },
    { 'M', 0, NULL, "mouse on or off", toggle_mouse, 0, ALWAYS },
    { CTRL('l'), 0, NULL, "draw everything anew", redraw_all, 0, ALWAYS },
    { 'q', KEY_F(10), "Quit", "quit; if the guest is not over, it asks first: y or q again is yes",
      ask_and_quit, 0, ALWAYS },
    { 0 }
};

/*
 * Which key is it?
 */

/* LIVE and RECORDED are opposites: such a key exists if there is a guest and it is LIVE, or
 * there is none and it is RECORDED. */
bool tui_key_is_for(const struct tui *t, const struct key *k)
{
    return k->when == ALWAYS || (k->when == LIVE) == (t->link != NULL);
}

/* Do what the key means in this table; false: it is not in it. */
static bool press_in_table(struct tui *t, struct pane *p, const struct key *table, int key)
{
    for (; table && table->code; table++)
        if (tui_key_is_for(t, table) &&
            (table->code == key || (table->twin && table->twin == key))) {
            t->dirty = true;
            table->press(t, p, table->arg);
            return true;
        }
    return false;
}

/* A click focuses the pane and is given to it; the wheel is the keys Up and Down. */
static void click_mouse(struct tui *t)
{
    MEVENT m;
    if (getmouse(&m) != OK)
        return;
    bool wheel = m.bstate & (BUTTON4_PRESSED | BUTTON5_PRESSED);
    layout_click(t, m.y, m.x);
    struct pane *p = tui_focused(t);
    if (wheel)
        tui_key(t, m.bstate & BUTTON4_PRESSED ? KEY_UP : KEY_DOWN);
    else if (p->ops->click && m.y >= p->area.y)
        p->ops->click(p, m.y - p->area.y, m.x - p->area.x);
    t->dirty = true;
}

/* While help or a page covers the panes: scroll, or close it. */
static void help_key(struct tui *t, int key)
{
    if (key == 'j' || key == KEY_DOWN || key == KEY_NPAGE || key == ' ')
        t->help_top += key == KEY_NPAGE || key == ' ' ? 10 : 1;
    else if (key == 'k' || key == KEY_UP || key == KEY_PPAGE)
        t->help_top -= key == KEY_PPAGE ? 10 : 1;
    else {
        t->help = false;
        free(t->page);
        t->page = NULL;
    }
    t->dirty = true;
}

/* A message lasts until the next key. */
void tui_key(struct tui *t, int key)
{
    struct pane *p = tui_focused(t);
    if (key == KEY_RESIZE || key == ERR) {
        t->dirty = true;
        return;
    }
    t->message[0] = '\0';
    if (t->live.asked && key == 'y')
        key = 'q';
    if (key != 'q' && key != KEY_F(10))
        t->live.asked = false;
    if (t->prompt.kind)
        prompt_key(t, key);
    else if (t->help || t->page)
        help_key(t, key);
    else if (key == KEY_MOUSE)
        click_mouse(t);
    else if (p->ops->typed && p->ops->typed(p, key))
        t->dirty = true;
    else if (!press_in_table(t, p, p->ops->keys, key) && !press_in_table(t, p, tui_keys, key))
        press_in_table(t, &t->pane[PANE_STREAM], pane_stream.keys, key);
}
