/*
 * debugger/tui/term.h -- the terminal: taken over, and given back as it was.
 *
 * Given back at tui_term_close(), at SIGTSTP (and taken again when continued),
 * and, whatever happens to this process, by a crash or an abort: the bytes
 * that restore it are made beforehand, so that a signal handler can write them,
 * or the process that waits for this one (tui/guard.h).
 */
#ifndef DEBUGGER_TUI_TERM_H
#define DEBUGGER_TUI_TERM_H

#include "debugger/tui/draw.h"

enum tui_colours { COLOURS_AUTO, COLOURS_NONE, COLOURS_8, COLOURS_256 };

struct tui_term_options {
    enum tui_colours colours;
    bool ascii;                 /* lines of ASCII even where there are better ones */
    bool mouse;
};

/* Note what the terminal is like, and what restores it; false: it is none. */
bool tui_term_prepare(void);
void tui_term_give_back(void);  /* as it was then; safe in a signal handler */

/* False, and a sentence, if this is no terminal that we can draw on. */
bool tui_term_open(const struct tui_term_options *o, char *why, size_t n);
void tui_term_close(void);

/* A key, or ERR if none comes within timeout_ms (-1: wait for ever) or one of
 * the other descriptors (may be -1) has something.  A signal ends the wait. */
int  tui_term_key(int timeout_ms, int other_fd);
/* Is a key waiting? */
bool tui_term_pending(void);
bool tui_term_lost(void);       /* there is nobody at the terminal any more */

void tui_term_mouse(bool on);
void tui_term_redraw(void);     /* everything anew, for a terminal somebody wrote on */
void tui_term_show(int cursor_y, int cursor_x);     /* out with it; y -1: no cursor */
void tui_term_size(int *h, int *w);

/* Signal numbers that came since last asked (0: none): INT, TERM, HUP. */
int tui_term_signal(void);

#endif
