/*
 * debugger/tui/serial.c -- the pane that shows what the guest had written, up to
 * the selected event, on its serial line (COM1) and the debug console.
 *
 * The bytes are taken out of the trace, backwards from the selected event, until there are
 * more than any screen holds.
 *
 * Not every byte written to port 0x3f8 is output.  While bit DLAB of the line control
 * register (LCR, 0x3fb) is set, that port is the low half of the baud rate's divisor
 * [16550 datasheet, "Line Control Register"].  Going backwards one meets the byte before
 * the write to LCR that tells what it was:
 *
 *     OUT 0x3fb, 0x80     DLAB on    <- 3. so that byte is no output, and taken out
 *     OUT 0x3f8, 0x01                <- 2. a byte: maybe output
 *     OUT 0x3fb, 0x03     DLAB off   <- 1. so what came behind this was output
 *     OUT 0x3f8, 'H'
 *
 * Until that write is met the bytes are kept as maybes.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "base/abi.h"
#include "base/host.h"
#include "debugger/link/link.h"
#include "debugger/tui/tui.h"

#define COM1       0x3f8        /* its data port */
#define LCR        (COM1 + 3)
#define LCR_DLAB   0x80
#define MAX_BYTES  16384        /* enough for any screen */
#define AT_ONCE_NS 300000       /* of searching before the first drawing */

struct serial {
    struct filter *writes;      /* lets writes to the ports that matter pass           */
    char     text[MAX_BYTES];   /* what was written, the latest byte first             */
    bool     of_com1[MAX_BYTES];    /* text[i] went to COM1; else to the debug console */
    size_t   n;
    size_t   maybe_from;        /* text[maybe_from .. n) wait for a write to LCR       */
    uint64_t at;                /* index where the search goes on, backwards           */
    bool     done;
    long     up;                /* lines scrolled back                                 */
};

static bool serial_open(struct pane *p)
{
    struct serial *s = p->state;
    struct filter_error err;
    s->writes = filter_compile("kind==IO_WRITE && port in (0x3f8, 0x3fb, 0xe9)", NULL, &err);
    return s->writes;
}

static void serial_close(struct pane *p)
{
    filter_free(((struct serial *)p->state)->writes);
}

/* Another event is selected: forget the text and begin anew, backwards from there. */
static void serial_follow(struct pane *p)
{
    struct serial *s = p->state;
    s->n = s->maybe_from = 0;
    s->at = p->tui->cursor;
    s->done = tui_n_events(p->tui) == 0;
    s->up = 0;
}

/* The write to LCR is met that was in force while the maybes were written.  With DLAB set
 * those that went to COM1 are no output and leave the text; the debug console has no such
 * bit. */
static void settle_maybes(struct serial *s, uint8_t lcr)
{
    size_t to = s->maybe_from;
    for (size_t i = s->maybe_from; i < s->n; i++)
        if (!s->of_com1[i] || !(lcr & LCR_DLAB)) {
            s->text[to] = s->text[i];
            s->of_com1[to++] = s->of_com1[i];
        }
    s->n = s->maybe_from = to;
}

/* A write to one of the three ports of the filter. */
static void take_event(struct serial *s, const struct trace_event *e)
{
    if (e->arg[0] == LCR) {
        settle_maybes(s, (uint8_t)e->arg[2]);
    } else if (s->n < MAX_BYTES) {
        s->text[s->n] = (char)e->arg[2];
        s->of_com1[s->n++] = e->arg[0] == COM1;
    }
}

/* Look back, until there is text enough or the trace begins.  Before the first write to LCR
 * it has its value after reset, 0, so DLAB is off. */
static bool serial_work(struct pane *p, uint64_t budget_ns)
{
    struct serial *s = p->state;
    uint64_t end_ns = host_monotonic_ns() + budget_ns;
    bool was_done = s->done;
    while (!s->done && host_monotonic_ns() < end_ns) {
        enum store_found f = store_prev(p->tui->store, s->writes, &s->at, budget_ns);
        const struct trace_event *e = f == STORE_FOUND ? store_at(p->tui->store, s->at) : NULL;
        if (e)
            take_event(s, e);
        s->done = f == STORE_NONE || (f == STORE_FOUND && s->at == 0) || s->n == MAX_BYTES;
        if (f == STORE_FOUND && s->at)
            s->at--;
    }
    if (s->done && !was_done) {
        settle_maybes(s, 0);
        p->tui->dirty = true;
    }
    return !s->done;
}

/* Lines are drawn from the bottom of the pane upwards, the latest at the bottom, moved down
 * by s->up.  As the text is stored backwards, a line is text[end .. start), to be read from
 * start to end.  A line wider than the pane takes several rows; CR and BS are left out. */
static int draw_lines(struct serial *s, const struct area *a)
{
    size_t end = 0;             /* text[end .. start) reversed is the line */
    long y = a->h - 1 + s->up;
    if (s->n && s->text[0] == '\n')
        end = 1;
    while (end < s->n && y >= 0) {
        size_t start = end;
        while (start < s->n && s->text[start] != '\n')
            start++;
        int len = 0;
        for (size_t i = start; i > end; i--)
            len += s->text[i - 1] != '\r' && s->text[i - 1] != '\b';
        int rows = len ? (len + a->w - 2) / (a->w - 1) : 1, column = 0;
        y -= rows - 1;
        for (size_t i = start; i > end; i--) {
            char c[2] = { s->text[i - 1], 0 };
            if (c[0] == '\r' || c[0] == '\b')
                continue;
            draw_text(a, (int)y + column / (a->w - 1), 1 + column % (a->w - 1) - (a->w > 1 ? 0 : 1),
                      s->of_com1[i - 1] ? ROLE_TEXT : ROLE_IO, draw_clean(c));
            column++;
        }
        y--;
        end = start + 1;
    }
    return (int)y;
}

static void serial_draw(struct pane *p, const struct area *a)
{
    struct serial *s = p->state;
    draw_clear(a);
    if (a->h < 1 || a->w < 3)
        return;
    serial_work(p, AT_ONCE_NS);
    if (s->n)
        draw_lines(s, a);
    else
        draw_wrapped(a, 0, ROLE_DIM, s->done ? "nothing was written to COM1 or port 0xe9 until here"
                                             : "looking for output");
}

static void serial_title(struct pane *p, char *buf, size_t n)
{
    const struct serial *s = p->state;
    snprintf(buf, n, "%zu bytes until here%s%s", s->n, s->n == MAX_BYTES ? " and more" : "",
             p->tui->typing == p ? "  TYPING, Ctrl-] ends" : p->tui->link ? "  (i: type)" : "");
}

static void scroll_text(struct tui *t, struct pane *p, int by)
{
    struct serial *s = p->state;
    (void)t;
    s->up = s->up + by < 0 ? 0 : s->up + by > MAX_BYTES ? MAX_BYTES : s->up + by;
}

static bool serial_typed(struct pane *p, int key)
{
    return tui_type(p, key, LINK_TO_SERIAL);
}

static const struct key serial_keys[] = {
    { 'i', 0, NULL, "type to the guest's serial line; Ctrl-] ends it", tui_begin_typing, 0, LIVE },
    { KEY_PPAGE, 0, NULL, "scroll back", scroll_text, 10, ALWAYS },
    { KEY_NPAGE, 0, NULL, "scroll on", scroll_text, -10, ALWAYS },
    { 0 }
};

const struct pane_ops pane_serial = {
    .name = "serial", .about = "what the guest wrote to COM1 and the debug console until then",
    .state_bytes = sizeof(struct serial), .keys = serial_keys,
    .open = serial_open, .close = serial_close, .title = serial_title, .draw = serial_draw,
    .typed = serial_typed, .follow_selection = serial_follow, .work = serial_work,
};
