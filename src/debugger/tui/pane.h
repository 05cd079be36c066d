/*
 * debugger/tui/pane.h -- a pane of the TUI: one view of the selected event.
 *
 * A pane is a const struct of functions and some state.  It draws what is
 * visible, now, from what it has; whatever takes longer it does in work(), a
 * few milliseconds at a time.  Panes do not know each other: they meet in the
 * selected event (tui_select()).
 */
#ifndef DEBUGGER_TUI_PANE_H
#define DEBUGGER_TUI_PANE_H

#include "debugger/tui/draw.h"

struct tui;
struct pane;

/* A key: what it does, said once.  Help, key bar and manual are made from these. */
enum key_when { ALWAYS, LIVE, RECORDED };
struct key {
    int         code, twin;     /* as curses has them; twin 0: none             */
    const char *bar;            /* in the bar at the bottom; NULL: only in help */
    const char *help;           /* a sentence; NULL: as the one above           */
    void      (*press)(struct tui *t, struct pane *p, int arg);
    int         arg;
    enum key_when when;         /* LIVE: only with a guest that can run */
};

struct pane_ops {
    const char *name;           /* one word, for layouts and `:pane`     */
    const char *about;          /* one line                              */
    size_t      state_bytes;
    const struct key *keys;     /* of its own; ends with code 0; may be NULL */

    bool (*open)(struct pane *p);                   /* may be NULL, as all below */
    void (*close)(struct pane *p);
    void (*title)(struct pane *p, char *buf, size_t n);     /* behind the name */
    void (*draw)(struct pane *p, const struct area *a);
    void (*click)(struct pane *p, int y, int x);
    bool (*typed)(struct pane *p, int key);         /* a key as text, before all others */
    void (*follow_selection)(struct pane *p);       /* another event is selected */
    void (*guest_stopped)(struct pane *p);          /* live: it stands still again */
    bool (*work)(struct pane *p, uint64_t budget_ns);       /* more to do: true */
};

struct pane {
    const struct pane_ops *ops;
    struct tui *tui;
    void       *state;
    struct area area;           /* without its title; h <= 0: not on the screen */
    bool        shown, stale;   /* stale: it has not followed the selection     */
};

/*    pane       ops */
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

#define CTRL(letter) ((letter) & 0x1f)

/* Scrolling, for panes that show a list of lines: moves *top so that it fits. */
void pane_scroll(long *top, long n_lines, int height);

#endif
