/*
 * debugger/tui/draw.h -- text on a part of the terminal.
 *
 * Panes draw into an area and never outside: whatever does not fit is cut.
 * They say what a piece of text *is* (a role); colours, or their absence, are
 * tui/term.c's business.  Text is UTF-8 of our own making; what comes from a
 * guest or a file goes through draw_clean() first.
 */
#ifndef DEBUGGER_TUI_DRAW_H
#define DEBUGGER_TUI_DRAW_H

#include <stddef.h>
#include "base/types.h"

struct area { int y, x, h, w; };

/*    role      256: fg  bg   8: fg bg  attributes       without colour            */
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

/*    glyph       UTF-8     ASCII */
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
const char *glyph(enum glyph g);
bool draw_is_utf8(void);

/* A bar one column wide, `part` of `whole` high: of eight steps, or of ASCII's ink. */
const char *draw_spark(uint64_t part, uint64_t whole);

/* Put text at line y, column x of the area; the column behind it. */
int draw_text(const struct area *a, int y, int x, enum role role, const char *text);
int draw_format(const struct area *a, int y, int x, enum role role, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The whole line y in this role (blanks behind x), or the whole area. */
void draw_rest(const struct area *a, int y, int x, enum role role);
void draw_clear(const struct area *a);

/* Line y as it is, in another role from column x on for n columns: cursors and matches. */
void draw_role(const struct area *a, int y, int x, int n, enum role role);

/* One sentence in the middle of the lines, for what cannot be shown, from line y on;
 * the line below it. */
int draw_wrapped(const struct area *a, int y, enum role role, const char *text);

/* Columns of a string of ours; and text of others made printable, in place. */
int draw_width(const char *text);
char *draw_clean(char *text);

#endif
