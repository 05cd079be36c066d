/*
 * debugger/tui/screen.c -- the pane of the guest's text screen, and a keyboard.
 *
 * In text mode a PC's screen is an array of cells in memory at 0xb8000, mostly 80 by 25: a
 * character (in code page 437) in the low byte, its colours in the high byte.  So what is
 * on the screen is not in the trace, and a recording does not hold it.
 *
 * `i` begins to type to the guest's keyboard, Ctrl-] ends it.
 */
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/link/link.h"
#include "debugger/tui/tui.h"

/* As last read: the cells, row by row; the shape and the cursor; whether that failed. */
struct screen { uint16_t cells[LINK_CELLS]; struct vga_text mode; int err; };

/* Write character c, below 0x10000, as one to three bytes of UTF-8 with a 0 behind them. */
static void put_utf8(uint16_t c, char *buf)
{
    if (c < 0x80)
        snprintf(buf, 2, "%c", c);
    else if (c < 0x800)
        snprintf(buf, 3, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    else
        snprintf(buf, 4, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
}

/* Of the guest's colours only this is shown: a cell with a background of any colour is
 * drawn as a bar.  Where the terminal has no UTF-8 the characters above ASCII are dots. */
static void draw_cells(const struct screen *s, const struct area *a)
{
    const struct vga_text *m = &s->mode;
    for (unsigned y = 0; y < m->rows && (int)y < a->h; y++)
        for (unsigned x = 0; x < m->columns && (int)x < a->w; x++) {
            uint16_t cell = s->cells[y * m->columns + x];
            uint8_t c = (uint8_t)cell;
            bool cursor = m->cursor && m->cursor_column == x && m->cursor_row == y;
            bool reverse = (cell >> 12 & 7) != 0;
            char text[5] = ".";
            if (c >= ' ' && c < 127)
                text[0] = (char)c;
            else if (c == 0 || c == 255)
                text[0] = ' ';
            else if (draw_is_utf8())
                put_utf8(cp437_to_unicode[c], text);
            enum role role = cursor ? ROLE_FOUND : reverse ? ROLE_BAR : ROLE_TEXT;
            draw_text(a, (int)y, (int)x, role, text);
        }
}

static void screen_draw(struct pane *p, const struct area *a)
{
    struct screen *s = p->state;
    draw_clear(a);
    if (!p->tui->link) {
        draw_wrapped(a, 0, ROLE_DIM,
                     "The screen is memory, and memory is not recorded. Run the guest live to "
                     "see it; the serial pane works on recordings.");
        return;
    }
    s->err = link_screen(p->tui->link, &s->mode, s->cells);
    if (s->err < 0)
        draw_wrapped(a, 0, ROLE_DIM, "the screen cannot be read");
    else if (!s->mode.text)
        draw_wrapped(a, 0, ROLE_DIM, "the guest has set a graphics mode, which is not drawn");
    else
        draw_cells(s, a);
}

static void screen_title(struct pane *p, char *buf, size_t n)
{
    const struct screen *s = p->state;
    if (p->tui->link && !s->err && s->mode.text)
        snprintf(buf, n, "%ux%u%s", s->mode.columns, s->mode.rows,
                 p->tui->typing == p ? "  TYPING to the keyboard, Ctrl-] ends" : "  (i: type)");
}

static bool screen_typed(struct pane *p, int key)
{
    return tui_type(p, key, LINK_TO_KEYBOARD);
}

static const struct key screen_keys[] = {
    { 'i', 0, NULL, "type to the guest's keyboard; Ctrl-] ends it", tui_begin_typing, 0, LIVE },
    { 0 }
};

const struct pane_ops pane_screen = {
    .name = "screen", .about = "the guest's text screen, to type into",
    .state_bytes = sizeof(struct screen), .keys = screen_keys,
    .title = screen_title, .draw = screen_draw, .typed = screen_typed,
};
