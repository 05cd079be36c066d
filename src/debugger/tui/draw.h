/*
 * debugger/tui/draw.h -- text on a part of the terminal.
 *
 * Panes draw into an area and never outside it: whatever does not fit is cut.  They say
 * what a piece of text *is*, its role; which colour that has on a terminal of 256
 * colours, of 8, or of none is decided by the table below and tui/term.c.
 *
 * Text is UTF-8 of our own making, each character one column wide.  What comes from a
 * guest or a file goes through draw_clean() first: an escape sequence in a symbol's name
 * must not reach the terminal.
 *
 * Nothing appears at once.  ncurses keeps a picture of the screen, these functions change
 * it, and tui_term_show() sends the terminal what has changed [ncurses manual, refresh(3X)].
 */
#ifndef DEBUGGER_TUI_DRAW_H
#define DEBUGGER_TUI_DRAW_H

#include <stddef.h>
#include "base/types.h"

/* A part of the terminal: its top left corner, height and width, in lines and columns.  The
 * functions below count y and x from that corner. */
struct area { int y, x, h, w; };

/* What text can be, and how that looks: numbers of colours (-1: the terminal's own) and
 * attributes of ncurses.  No meaning is told by colour alone, for there may be none.
 *    role      256: fg  bg   8: fg bg  attributes       without colour            */
#define ROLE_LIST(X)                                                              \
    X(TEXT,        -1,  -1,     -1, -1, A_NORMAL,        A_NORMAL)                 \
    X(DIM,        245,  -1,     -1, -1, A_DIM,           A_DIM)                    \
    X(STRONG,      -1,  -1,     -1, -1, A_BOLD,          A_BOLD)                   \
    X(HEAD,       250,  -1,     -1, -1, A_UNDERLINE,     A_UNDERLINE)              \
    X(TITLE,      252, 238,      7, -1, A_UNDERLINE,     A_UNDERLINE)              \
    X(FOCUS,      231,  25,      7,  4, A_BOLD,          A_REVERSE | A_BOLD)       \
    X(CURSOR,     231,  24,      7,  4, A_NORMAL,        A_REVERSE)                \
    X(BESIDE,      -1, 237,     -1, -1, A_BOLD,          A_BOLD)                   \
    X(BAR,        252, 238,      0,  7, A_NORMAL,        A_REVERSE)                \
    X(BARKEY,     220, 238,      0,  7, A_BOLD,          A_REVERSE | A_BOLD)       \
    X(ERROR,      231, 124,      7,  1, A_BOLD,          A_REVERSE)                \
    X(EXIT,       215,  -1,      3, -1, A_BOLD,          A_BOLD)                   \
    X(MEM,        114,  -1,      2, -1, A_NORMAL,        A_NORMAL)                 \
    X(IO,          81,  -1,      6, -1, A_NORMAL,        A_NORMAL)                 \
    X(IRQ,        177,  -1,      5, -1, A_NORMAL,        A_NORMAL)                 \
    X(GUEST,      228,  -1,      3, -1, A_BOLD,          A_BOLD | A_UNDERLINE)     \
    X(BAD,        203,  -1,      1, -1, A_BOLD,          A_BOLD)                   \
    X(CHANGED,    228,  52,      3, -1, A_BOLD,          A_BOLD | A_UNDERLINE)     \
    X(FOUND,       16, 220,      0,  3, A_NORMAL,        A_STANDOUT)               \
    X(HEAT0,      238,  -1,      4, -1, A_NORMAL,        A_DIM)                    \
    X(HEAT1,       31,  -1,      6, -1, A_NORMAL,        A_NORMAL)                 \
    X(HEAT2,      148,  -1,      3, -1, A_NORMAL,        A_NORMAL)                 \
    X(HEAT3,      196,  -1,      1, -1, A_BOLD,          A_BOLD)

enum role {
#define X(role, f, b, f8, b8, attr, mono) ROLE_##role,
    ROLE_LIST(X)
#undef X
    N_ROLES
};

/* Signs, and what stands for them where the terminal shows ASCII only.
 *    glyph       UTF-8     ASCII */
#define GLYPH_LIST(X)                   \
    X(HLINE,      "─",      "-")        \
    X(VLINE,      "│",      "|")        \
    X(BRANCH,     "├",      "|")        \
    X(LAST,       "└",      "`")        \
    X(ARROW,      "→",      ">")        \
    X(MARKER,     "▶",      ">")        \
    X(BOOKMARK,   "◆",      "*")        \
    X(BREAK,      "●",      "B")        \
    X(CARET,      "▲",      "^")        \
    X(FULL,       "█",      "#")        \
    X(DOTS,       "…",      "~")

enum glyph {
#define X(name, utf8, ascii) GLYPH_##name,
    GLYPH_LIST(X)
#undef X
    N_GLYPHS
};
const char *glyph(enum glyph g);        /* as this terminal can show it */
bool draw_is_utf8(void);

/* A bar one column wide, `part` of `whole` high, in eight steps.  In ASCII a fuller
 * character stands for a higher bar.  0 of anything is a blank, little of it is not. */
const char *draw_spark(uint64_t part, uint64_t whole);

/* Put text at line y, column x of the area.  Returns the column behind the text, even where
 * the text was cut, so that calls can be chained:
 *     x = draw_text(a, y, x, ROLE_DIM, "rip ");
 *     x = draw_format(a, y, x, ROLE_TEXT, "%#" PRIx64, rip);                        */
int draw_text(const struct area *a, int y, int x, enum role role, const char *text);
int draw_format(const struct area *a, int y, int x, enum role role, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Blanks in this role from column x to the end of line y.  A bar is drawn by doing this
 * first and putting text upon it. */
void draw_rest(const struct area *a, int y, int x, enum role role);
void draw_clear(const struct area *a);  /* blanks everywhere */

/* Give n columns from column x on another role; the text stays.  Marks what a search found. */
void draw_role(const struct area *a, int y, int x, int n, enum role role);

/* A sentence from line y on, broken at blanks, for what has no better form: why there is
 * nothing to be seen.  Returns the line below it. */
int draw_wrapped(const struct area *a, int y, enum role role, const char *text);

/* How many columns a string takes. */
int draw_width(const char *text);

/* Make a foreign text harmless, in place: all but printable ASCII becomes a dot. */
char *draw_clean(char *text);

#endif
