/*
 * debugger/tui/pane.h -- a pane of the TUI: one view of the selected event.
 *
 * A pane is a const struct of functions (struct pane_ops) and some state.  There is
 * one of each sort, from the beginning to the end of the TUI, on the screen or not.
 *
 * A pane never keeps the keyboard waiting.  draw() puts on the screen what the pane
 * knows at that moment; whatever takes longer, such as looking for events in a trace of
 * ten million, is done in work(), a few milliseconds at a time, and drawn as it comes.
 *
 * Panes do not know each other.  They meet in the selected event: a pane that wants
 * another event shown calls tui_select(), which tells all panes that are on the screen.
 *
 * To add one: write its file, put its row into PANE_LIST below, its object into the
 * Makefile, and give it a slot in the layouts (layout.c), or leave it to `:pane NAME`.
 */
#ifndef DEBUGGER_TUI_PANE_H
#define DEBUGGER_TUI_PANE_H

#include "debugger/tui/draw.h"

struct tui;
struct pane;

/* A key: what it does, said once.  The help, the bar at the bottom of the screen and the
 * list in doc/tui.md are made from tables of these.  LIVE: the key exists only where
 * there is a guest that can run; RECORDED: only where there is none. */
enum key_when { ALWAYS, LIVE, RECORDED };
struct key {
    int         code, twin;     /* two keys that do the same, as getch() of ncurses gives
                                   them: a letter, KEY_F(5), ...; twin 0: only one      */
    const char *bar;            /* a word for the bar at the bottom; NULL: not there    */
    const char *help;           /* a sentence for the help; NULL: not there             */
    void      (*press)(struct tui *t, struct pane *p, int arg);
    int         arg;            /* given to press(), so that several keys can share it  */
    enum key_when when;
};

/* What a sort of pane is.  Every function but draw() may be NULL. */
struct pane_ops {
    const char *name;           /* one word, for the title and `:pane NAME`             */
    const char *about;          /* one line, for the help                               */
    size_t      state_bytes;    /* of p->state: zeroed before open(), freed after close() */
    const struct key *keys;     /* that work while it is focused; ends with code 0; may be NULL */

    /* Once, at the beginning; false: out of memory.  close() must bear a failed open(). */
    bool (*open)(struct pane *p);
    void (*close)(struct pane *p);

    /* What stands behind the name in the line of title. */
    void (*title)(struct pane *p, char *buf, size_t n);

    /* Draw everything anew within a, from what is known. */
    void (*draw)(struct pane *p, const struct area *a);

    /* The mouse was clicked, at this line and column of the pane's area. */
    void (*click)(struct pane *p, int y, int x);

    /* A key came, and the pane is focused.  True: it is text, and the pane has taken it;
     * false: look it up in the tables of keys. */
    bool (*typed)(struct pane *p, int key);

    /* Another event is selected (p->tui->event).  Only called while the pane is on the
     * screen; one that was not is told when it comes into sight. */
    void (*follow_selection)(struct pane *p);

    /* A live guest has stopped.  Called for every pane, also those not on the screen. */
    void (*guest_stopped)(struct pane *p);

    /* Go on with what takes long, for about budget_ns of the host's time.  True: there is
     * more to do, call again soon.  Sets tui->dirty if there is something new to draw. */
    bool (*work)(struct pane *p, uint64_t budget_ns);
};

/* A pane of this session. */
struct pane {
    const struct pane_ops *ops;
    struct tui *tui;
    void       *state;          /* the pane's own struct, ops->state_bytes of it        */
    struct area area;           /* without the line of title; h <= 0: too small to draw */
    bool        shown;          /* it is on the screen                                  */
    bool        stale;          /* another event was selected while it was not          */
};

/* All panes, in the order in which `]` goes through them and help lists them.
 *    pane       ops */
#define PANE_LIST(X)            \
    X(STREAM,    pane_stream)   \
    X(WHY,       pane_why)      \
    X(GUEST,     pane_guest)    \
    X(MONITOR,   pane_monitor)  \
    X(STAT,      pane_stat)     \
    X(TIMELINE,  pane_timeline) \
    X(DEVICES,   pane_devices)  \
    X(SERIAL,    pane_serial)   \
    X(SCREEN,    pane_screen)   \
    X(PAGING,    pane_paging)   \
    X(MEMORY,    pane_memory)   \
    X(BREAKS,    pane_breaks)

enum pane_id {
#define X(id, ops) PANE_##id,
    PANE_LIST(X)
#undef X
    N_PANES
};

#define X(id, ops) extern const struct pane_ops ops;
PANE_LIST(X)
#undef X

/* What a terminal sends for Ctrl and a letter: ASCII 1 to 26. */
#define CTRL(letter) ((letter) & 0x1f)

/* Scrolling, for panes that show a list: change *top, the first of n_lines to be shown in
 * `height` lines, so that the list neither ends above the bottom nor begins below the top. */
void pane_scroll(long *top, long n_lines, int height);

#endif
