/*
 * debugger/tui/term.c -- ncurses: set-up, colours, glyphs, keys, restoring.
 *
 * ncurses holds a picture of the screen.  Drawing changes the picture; refresh() compares
 * it with what the terminal shows and sends the difference, in the terminal's own escape
 * sequences, which it takes from the terminfo database by the name in $TERM.  For keys it
 * does the reverse: it makes KEY_UP of what the terminal sends for an arrow.
 *
 * Curses has one terminal per process and signal handlers have no arguments, so this file
 * keeps its state at file scope; of the other files of the TUI only guard.c does.
 */
#include "debugger/tui/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static struct {
    SCREEN        *screen;
    struct termios before;              /* modes of the terminal before we took it        */
    bool           open;                /* it is ours                                     */
    bool           utf8;                /* it shows UTF-8                                 */
    bool           fine_bars;           /* ... and has the eighths of a block, U+2581 ... */
    bool           lost;                /* it is gone                                     */
    chtype         role[N_ROLES];       /* attributes and pair of colours of each role    */
    char           restore[256];        /* escape sequences that give the terminal back   */
    size_t         n_restore;
    volatile sig_atomic_t signal;       /* set by on_request()                            */
} term;

static const struct { short fg, bg, fg8, bg8; chtype attr, mono; } roles[N_ROLES] = {
#define X(role, fg, bg, fg8, bg8, attr, mono) { fg, bg, fg8, bg8, attr, mono },
    ROLE_LIST(X)
#undef X
};

static const struct { const char *utf8, *ascii; } glyphs[N_GLYPHS] = {
#define X(name, utf8, ascii) { utf8, ascii },
    GLYPH_LIST(X)
#undef X
};

const char *glyph(enum glyph g)
{
    return term.utf8 ? glyphs[g].utf8 : glyphs[g].ascii;
}

bool draw_is_utf8(void) { return term.utf8; }

const char *draw_spark(uint64_t part, uint64_t whole)
{
    static const char *const fine[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const ink[] = { " ", ".", ".", ":", ":", "=", "+", "#", "#" };
    unsigned step = 0;
    if (part && whole)
        step = part >= whole ? 8 : 1 + (unsigned)((double)part / (double)whole * 7.99);
    return term.fine_bars ? fine[step] : ink[step];
}

/*
 * Signals
 */

/* write() and tcsetattr() are safe in a signal handler [signal-safety(7)]; ncurses is not. */
void tui_term_give_back(void)
{
    ssize_t n = write(STDOUT_FILENO, term.restore, term.n_restore);
    (void)n;
    tcsetattr(STDOUT_FILENO, TCSANOW, &term.before);
}

/* Give the terminal back, then die of the same signal, as if there were no handler. */
static void on_crash(int signo)
{
    if (term.open)
        tui_term_give_back();
    signal(signo, SIG_DFL);
    raise(signo);
}

/* The loop asks for it by tui_term_signal(); the signal ends the wait in poll(). */
static void on_request(int signo)
{
    term.signal = signo;
}

int tui_term_signal(void)
{
    int signo = term.signal;
    term.signal = 0;
    return signo;
}

/* SA_ONSTACK: a crash may be an overflow of the stack, and a handler needs one.  SIGPIPE is
 * ignored, for a VMM that is gone is noticed by the error of write(). */
static void catch_signals(void)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGQUIT };
    static const int requests[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < NELEM(crashes); i++)
        sigaction(crashes[i], &(struct sigaction){ .sa_handler = on_crash, .sa_flags = SA_ONSTACK },
                  NULL);
    for (size_t i = 0; i < NELEM(requests); i++)
        sigaction(requests[i], &(struct sigaction){ .sa_handler = on_request }, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Append a sequence of terminfo, by its name, without the delays that may stand in it. */
static void add_restore(const char *name)
{
    const char *s = tigetstr(name);
    if (!s || s == (char *)-1)
        return;
    while (*s && term.n_restore + 1 < sizeof term.restore) {
        if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))       /* "$<5>": a delay, no bytes */
            s = strchr(s, '>') + 1;
        else
            term.restore[term.n_restore++] = *s++;
    }
}

/* What undoes what curses does [terminfo(5)]: rmkx the keypad, sgr0 and op attributes and
 * colours, rmacs the line-drawing set, cnorm the cursor, rmcup the second screen.  The
 * mouse is not in terminfo. */
static void prepare_restore(void)
{
    static const char mouse_off[] = "\033[?1000l\033[?1006l";
    term.n_restore = 0;
    if (tigetstr("kmous") != NULL && tigetstr("kmous") != (char *)-1) {
        memcpy(term.restore, mouse_off, sizeof mouse_off - 1);
        term.n_restore = sizeof mouse_off - 1;
    }
    static const char *const names[] = { "rmkx", "sgr0", "op", "rmacs", "cnorm", "rmcup" };
    for (size_t i = 0; i < NELEM(names); i++)
        add_restore(names[i]);
    if (term.n_restore + 1 < sizeof term.restore)
        term.restore[term.n_restore++] = '\r';
}

/* setupterm() reads terminfo only; the terminal is opened later, in the child of the guard. */
bool tui_term_prepare(void)
{
    int err;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        tcgetattr(STDOUT_FILENO, &term.before) < 0 ||
        setupterm(getenv("TERM"), STDOUT_FILENO, &err) != OK)
        return false;
    prepare_restore();
    del_curterm(cur_term);      /* newterm() makes its own */
    return true;
}

/*
 * Opening and closing
 */

/* What is wanted, as far as the terminal has it. */
static enum tui_colours colours_here(enum tui_colours wanted)
{
    const char *no = getenv("NO_COLOR");
    int have = tigetnum("colors");
    if (wanted == COLOURS_NONE || (wanted == COLOURS_AUTO && no && no[0]) || have < 8)
        return COLOURS_NONE;
    return wanted == COLOURS_8 || have < 256 ? COLOURS_8 : COLOURS_256;
}

/* Each role has its own pair of colours: number i + 1, as pair 0 cannot be changed.  A role
 * whose colours are the terminal's own (-1) needs none. */
static void set_colours(enum tui_colours c)
{
    bool some = c != COLOURS_NONE && start_color() == OK && use_default_colors() == OK;
    for (short i = 0; i < N_ROLES; i++) {
        short fg = c == COLOURS_8 ? roles[i].fg8 : roles[i].fg;
        short bg = c == COLOURS_8 ? roles[i].bg8 : roles[i].bg;
        term.role[i] = some ? roles[i].attr : roles[i].mono;
        if (some && (fg >= 0 || bg >= 0) && init_pair((short)(i + 1), fg, bg) == OK)
            term.role[i] |= COLOR_PAIR(i + 1);
        /* Where there are 256 colours dim text is a grey, so it need not be A_DIM as well. */
        if (some && c == COLOURS_256 && i != ROLE_HEAD)
            term.role[i] &= ~(chtype)(A_DIM | A_UNDERLINE);
    }
}

static void choose_glyphs(bool ascii)
{
    const char *name = getenv("TERM");
    term.utf8 = !ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    /* Consoles with a font of 256 or 512 have lines but no eighths of a block. */
    term.fine_bars = term.utf8 && name && strncmp(name, "linux", 5) && strncmp(name, "vt", 2);
}

/* What cannot place its cursor ("cup") cannot be drawn on. */
bool tui_term_open(const struct tui_term_options *o, char *why, size_t n)
{
    int err;
    const char *name = getenv("TERM");
    setlocale(LC_CTYPE, "");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        snprintf(why, n, "the TUI needs a terminal; `vitrine trace` prints");
        return false;
    }
    if (tcgetattr(STDOUT_FILENO, &term.before) < 0 || setupterm(name, STDOUT_FILENO, &err) != OK
        || !tigetstr("cup") || tigetstr("cup") == (char *)-1) {
        snprintf(why, n, "TERM=%s is no terminal that can be drawn on; try TERM=vt100",
                 name ? name : "");
        return false;
    }
    del_curterm(cur_term);          /* newterm() makes its own */
    term.screen = newterm(NULL, stdout, stdin);
    if (!term.screen) {
        snprintf(why, n, "ncurses cannot use this terminal (TERM=%s)", name ? name : "");
        return false;
    }
    set_escdelay(25);           /* ms after which an Esc is no longer the start of a sequence */
    cbreak();                   /* keys come one by one, not as lines */
    noecho();
    nonl();                     /* Enter stays '\r', another key than Ctrl-J */
    keypad(stdscr, TRUE);       /* an arrow is one key, KEY_UP */
    nodelay(stdscr, TRUE);      /* getch() does not wait: tui_term_key() does, by poll() */
    curs_set(0);
    set_colours(colours_here(o->colours));
    choose_glyphs(o->ascii);
    prepare_restore();
    term.open = true;
    catch_signals();
    tui_term_mouse(o->mouse);
    return true;
}

/* endwin() leaves the second screen; the line that is cleared before is for terminals that
 * have none. */
void tui_term_close(void)
{
    if (!term.open)
        return;
    tui_term_mouse(false);
    curs_set(1);
    move(LINES - 1, 0);         /* a terminal without a second screen would keep our last line */
    clrtoeol();
    refresh();
    endwin();
    term.open = false;
    delscreen(term.screen);
    tcsetattr(STDOUT_FILENO, TCSANOW, &term.before);
}

/* mouseinterval(0): do not hold a click back to see whether a second one follows. */
void tui_term_mouse(bool on)
{
    mousemask(on ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED
                   | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0);
}

/*
 * Keys
 */

bool tui_term_pending(void)
{
    struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&fd, 1, 0) > 0;
}

bool tui_term_lost(void) { return term.lost; }

/* poll() and not getch() waits, because it can wait for the VMM as well.  When the size of
 * the terminal changes, the SIGWINCH ends it, and getch() gives KEY_RESIZE. */
int tui_term_key(int timeout_ms, int other_fd)
{
    struct pollfd fd[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                            { .fd = other_fd, .events = POLLIN } };
    int key = getch();          /* curses may have one already, that poll() does not see */
    if (key != ERR)
        return key;
    poll(fd, 2, timeout_ms);
    if (fd[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        term.lost = true;
    return getch();             /* after a SIGWINCH: KEY_RESIZE */
}

/* Forget what is on the terminal, so that the next refresh() sends everything. */
void tui_term_redraw(void) { clearok(curscr, TRUE); }

void tui_term_show(int cursor_y, int cursor_x)
{
    curs_set(cursor_y >= 0);
    if (cursor_y >= 0)
        move(cursor_y, cursor_x);
    /* Curses ignores SIGTSTP while it writes, so a Ctrl-Z at that moment would be lost.  A
     * signal that is blocked is not ignored: it waits, and comes afterwards. */
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigprocmask(SIG_BLOCK, &stop, &before);
    refresh();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void tui_term_size(int *h, int *w)
{
    getmaxyx(stdscr, *h, *w);
}

/*
 * Drawing
 */

/* Of a character in UTF-8 all bytes but the first are 10xxxxxx. */
static bool starts_column(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

int draw_width(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += starts_column(*text);
    return n;
}

/* Bytes above 127 become dots too: in a string of a guest nobody knows what they mean. */
char *draw_clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < ' ' || *p >= 127)
            *p = '.';
    return text;
}

/* How many bytes the first `width` columns of text have. */
static int bytes_of(const char *text, int width)
{
    int i = 0;
    for (; text[i]; i++)
        if (starts_column(text[i]) && width-- == 0)
            break;
    return i;
}

/* Cut at the edge of the area.  What lies outside altogether is not drawn, but the column
 * behind it is still returned, as for text that is cut. */
int draw_text(const struct area *a, int y, int x, enum role role, const char *text)
{
    if (x < 0 || y < 0 || y >= a->h || x >= a->w)
        return x + draw_width(text);
    int room = a->w - x;
    attrset(term.role[role]);
    mvaddnstr(a->y + y, a->x + x, text, bytes_of(text, room));
    return x + draw_width(text);
}

int draw_format(const struct area *a, int y, int x, enum role role, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return draw_text(a, y, x, role, text);
}

/* The blanks have the role's attributes: a bar is a line of blanks with a background. */
void draw_rest(const struct area *a, int y, int x, enum role role)
{
    if (y < 0 || y >= a->h || x >= a->w)
        return;
    if (x < 0)
        x = 0;
    attrset(term.role[role]);
    mvhline(a->y + y, a->x + x, ' ' | term.role[role], a->w - x);
}

void draw_clear(const struct area *a)
{
    for (int y = 0; y < a->h; y++)
        draw_rest(a, y, 0, ROLE_TEXT);
}

/* mvchgat() changes attributes and colour of what is there, and leaves the characters. */
void draw_role(const struct area *a, int y, int x, int n, enum role role)
{
    if (y < 0 || y >= a->h || x < 0 || x >= a->w || n <= 0)
        return;
    if (n > a->w - x)
        n = a->w - x;
    mvchgat(a->y + y, a->x + x, n, term.role[role] & ~A_COLOR,
            (short)PAIR_NUMBER(term.role[role]), NULL);
}

/* Each line takes as many columns as there are, cut back to the last blank in it; a word
 * that is longer than the line is cut. */
int draw_wrapped(const struct area *a, int y, enum role role, const char *text)
{
    while (*text && y < a->h && a->w > 2) {
        int room = a->w - 2, len = bytes_of(text, room);
        if (text[len])          /* cut at a blank, if there is one */
            for (int cut = len; cut > 0; cut--)
                if (text[cut] == ' ') {
                    len = cut;
                    break;
                }
        draw_format(a, y++, 1, role, "%.*s", len, text);
        text += len;
        while (*text == ' ')
            text++;
    }
    return y;
}
