/*
 * debugger/tui/term.h -- the terminal: taken over, and given back as it was.
 *
 * A full-screen program changes how the terminal works: no echo, no lines, a second
 * screen, no cursor.  A shell that comes back to such a terminal is hardly usable, so it
 * must be given back on every way out:
 *
 *     the user quits          tui_term_close()
 *     Ctrl-Z (SIGTSTP)        ncurses does it, and takes the terminal again on SIGCONT
 *     a crash, an abort       a signal handler calls tui_term_give_back()
 *     SIGKILL                 the process that waits for this one does (tui/guard.h)
 *
 * The bytes that restore it are made beforehand, because a signal handler may call next
 * to nothing.  There is one terminal, hence no struct to pass.
 */
#ifndef DEBUGGER_TUI_TERM_H
#define DEBUGGER_TUI_TERM_H

#include "debugger/tui/draw.h"

/* AUTO: as many as the terminal has, none if NO_COLOR is set (https://no-color.org). */
enum tui_colours { COLOURS_AUTO, COLOURS_NONE, COLOURS_8, COLOURS_256 };

struct tui_term_options {
    enum tui_colours colours;
    bool ascii;                 /* draw in ASCII even where the terminal has UTF-8    */
    bool mouse;                 /* clicks are ours; else the terminal selects text    */
};

/* Note what the terminal is like and which bytes restore it, without changing it.  False:
 * stdin or stdout is no terminal. */
bool tui_term_prepare(void);

/* Make the terminal as it was at tui_term_prepare().  Safe in a signal handler. */
void tui_term_give_back(void);

/* Take the terminal.  False, and a sentence in why[n], if we cannot draw on it. */
bool tui_term_open(const struct tui_term_options *o, char *why, size_t n);
void tui_term_close(void);      /* nothing if it is not open */

/* A key as getch() of ncurses gives it, KEY_RESIZE and KEY_MOUSE among them.  ERR if none
 * has come after timeout_ms (0: do not wait, -1: for ever), or sooner, if other_fd (-1:
 * none) has become readable or a signal has come. */
int  tui_term_key(int timeout_ms, int other_fd);
bool tui_term_pending(void);    /* a key is waiting */
bool tui_term_lost(void);       /* the terminal is gone: its window was closed */

void tui_term_mouse(bool on);
void tui_term_redraw(void);     /* next time send all, in case somebody else wrote on it */

/* Send the terminal what has changed, and put its cursor there (y -1: hide it). */
void tui_term_show(int cursor_y, int cursor_x);
void tui_term_size(int *h, int *w);     /* in lines and columns */

/* The SIGINT, SIGTERM or SIGHUP that came since this was last asked; 0: none did. */
int tui_term_signal(void);

#endif
