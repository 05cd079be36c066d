/*
 * cmd/terminal.c -- raw mode, the escape key, and feeding a guest its input.
 *
 *     keyboard, file --read_input()--> take_key() --> queue --terminal_feed()--> the guest
 *                                         |
 *                                      Ctrl-A: escape_command()
 *
 *     the guest --terminal_put()--> standard output
 *
 * The queue is there because a device has room for one byte at a time: what it does not take
 * waits, and nothing is read from a file that the queue has no room for.
 */
#include "cmd/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/host.h"
#include "base/vclock.h"
#include "debugger/link/link.h"
#include "io/keyboard.h"
#include "vm/host_io.h"
#include "vm/pc.h"
#include "vm/vm.h"

#define ESCAPE 0x01             /* Ctrl-A */

/* Either `io` (the machine is in this process) or `link` (it is in another) takes the
 * input. */
struct terminal {
    struct host_io *io;         /* one of these two                */
    struct link *link;
    bool  interactive;          /* standard input is a terminal    */
    bool  keyboard;             /* input goes to the PS/2 keyboard */
    bool  eof;                  /* input has ended                 */
    bool  refused;              /* the guest sleeps and takes none  */
    bool  escaped;              /* the last key was Ctrl-A         */
    uint8_t queue[256];         /* read, not yet taken by the guest */
    size_t head, count;
    uint8_t last;               /* byte the guest printed          */
    bool    printed;            /* it has printed something        */
    const char *prefix;         /* --trace -: before each line, which is collected here */
    char   line[512];
    size_t line_len;
};

/* ---- raw mode ---- */

/* A signal handler gets no argument, so the modes are at file scope.  There is one
 * terminal. */
static struct termios saved_mode, raw_mode;
static volatile sig_atomic_t is_raw;

/* tcsetattr() may be called from a signal handler.  [POSIX "Signal Concepts"] */
static void restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
}

/* Ctrl-Z: the shell gets its terminal back, then the signal does what it does by default,
 * which is to stop us. */
static void on_stop(int signo)
{
    restore();
    signal(signo, SIG_DFL);
    raise(signo);
}

/* And forward again: the guest's mode, and the handler that on_stop() had taken away. */
static void on_continue(int signo)
{
    (void)signo;
    signal(SIGTSTP, on_stop);
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode);
}

/* The process dies of a signal: put the terminal back first, then let the signal have its
 * usual effect, so that the shell sees the true cause. */
static void on_crash(int signo)
{
    restore();
    signal(signo, SIG_DFL);
    raise(signo);
}

/* Keys one by one (no ICANON), without echo, Enter as CR, no flow control: the guest does
 * all that itself.  ISIG stays, so that Ctrl-C and Ctrl-Z are ours.  VMIN and VTIME 0:
 * read() never waits.  False if standard input is no terminal.  [termios(3)] */
static bool enter_raw_mode(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved_mode))
        return false;
    raw_mode = saved_mode;
    raw_mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw_mode.c_iflag &= ~(tcflag_t)(ICRNL | IXON | INLCR | IGNCR);
    raw_mode.c_cc[VMIN] = 0;
    raw_mode.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode))
        return false;
    is_raw = 1;
    atexit(restore);
    signal(SIGTSTP, on_stop);
    signal(SIGCONT, on_continue);
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGHUP, SIGQUIT };
    for (size_t i = 0; i < NELEM(crashes); i++)
        signal(crashes[i], on_crash);
    return true;
}

struct terminal *terminal_open(void)
{
    struct terminal *t = calloc(1, sizeof *t);
    if (t)
        t->interactive = enter_raw_mode();
    return t;
}

void terminal_close(struct terminal *t)
{
    if (!t)
        return;
    terminal_flush(t);
    restore();
    is_raw = 0;
    free(t);
}

/* ---- input ---- */

static const char escape_help[] =
    "\r\n  Ctrl-A x   end the run\r\n  Ctrl-A c   send Ctrl-C to the guest\r\n"
    "  Ctrl-A a   send Ctrl-A to the guest\r\n  Ctrl-A s   show the VGA screen\r\n"
    "  Ctrl-A h   this help\r\n";

/* A full queue drops the byte; read_input() reads only what has room. */
static void enqueue(struct terminal *t, uint8_t byte)
{
    if (t->count < sizeof t->queue)
        t->queue[(t->head + t->count++) % sizeof t->queue] = byte;
}

/* Ctrl-A x.  In raise(), SIGINT goes to our own handler (session_gdb.c), not to the
 * guest's. */
static void end_run(const struct terminal *t)
{
    if (t->io)
        vm_interrupt(t->io->vm, SIGINT);
    else
        raise(SIGINT);
}

/* Ctrl-A s, for a machine in another process: the cells of its screen are in memory that
 * both share.  A cell is a character and, in its high byte, colours; what is not ASCII is
 * shown as "?". */
static void show_linked_screen(const struct terminal *t)
{
    static uint16_t cells[LINK_CELLS];
    struct vga_text m;
    if (link_screen(t->link, &m, cells) || !m.text)
        return;
    for (unsigned row = 0; row < m.rows; row++) {
        for (unsigned column = 0; column < m.columns; column++) {
            int c = cells[row * m.columns + column] & 0xff;
            fputc(c >= ' ' && c < 127 ? c : c ? '?' : ' ', stderr);
        }
        fputs("\r\n", stderr);
    }
}

/* The key behind Ctrl-A. */
static void escape_command(struct terminal *t, uint8_t key)
{
    switch (key) {
    case 'x': end_run(t);                           break;
    case 'c': enqueue(t, 0x03);                     break;
    case 'a': enqueue(t, ESCAPE);                   break;
    case 's':
        if (t->io)
            pc_screen(t->io->vm->pc, stderr);
        else
            show_linked_screen(t);
        break;
    default:  fputs(escape_help, stderr);           break;
    }
}

/* The escape key is only one on a terminal: a byte 0x01 in a file is data. */
static void take_key(struct terminal *t, uint8_t byte)
{
    if (t->escaped) {
        t->escaped = false;
        escape_command(t, byte);
    } else if (t->interactive && byte == ESCAPE) {
        t->escaped = true;
    } else {
        enqueue(t, byte);
    }
}

/* What terminals send for keys that type no character: xterm's sequences, those of its application
 * mode, and the Linux console's.  [XTerm Control Sequences "PC-Style Function Keys"] */
static const struct { const char *text; uint8_t key; } sequences[] = {
    { "\033[A", KEYBOARD_UP },     { "\033OA", KEYBOARD_UP },
    { "\033[B", KEYBOARD_DOWN },   { "\033OB", KEYBOARD_DOWN },
    { "\033[C", KEYBOARD_RIGHT },  { "\033OC", KEYBOARD_RIGHT },
    { "\033[D", KEYBOARD_LEFT },   { "\033OD", KEYBOARD_LEFT },
    { "\033[H", KEYBOARD_HOME },   { "\033OH", KEYBOARD_HOME },   { "\033[1~", KEYBOARD_HOME },
    { "\033[F", KEYBOARD_END },    { "\033OF", KEYBOARD_END },    { "\033[4~", KEYBOARD_END },
    { "\033[2~", KEYBOARD_INSERT }, { "\033[3~", KEYBOARD_DELETE },
    { "\033[5~", KEYBOARD_PAGE_UP }, { "\033[6~", KEYBOARD_PAGE_DOWN },
    { "\033OP", KEYBOARD_F1 },     { "\033[11~", KEYBOARD_F1 },   { "\033[[A", KEYBOARD_F1 },
    { "\033OQ", KEYBOARD_F2 },     { "\033[12~", KEYBOARD_F2 },   { "\033[[B", KEYBOARD_F2 },
    { "\033OR", KEYBOARD_F3 },     { "\033[13~", KEYBOARD_F3 },   { "\033[[C", KEYBOARD_F3 },
    { "\033OS", KEYBOARD_F4 },     { "\033[14~", KEYBOARD_F4 },   { "\033[[D", KEYBOARD_F4 },
    { "\033[15~", KEYBOARD_F5 },   { "\033[[E", KEYBOARD_F5 },
    { "\033[17~", KEYBOARD_F6 },   { "\033[18~", KEYBOARD_F7 },   { "\033[19~", KEYBOARD_F8 },
    { "\033[20~", KEYBOARD_F9 },   { "\033[21~", KEYBOARD_F10 },  { "\033[23~", KEYBOARD_F11 },
    { "\033[24~", KEYBOARD_F12 },
};

/* Input for the PS/2 keyboard.  A key's sequence comes in one read, so an escape character that
 * begins none is the key Esc.  Bytes that are no ASCII type nothing, and are dropped here because
 * their values are the special keys'.  How many bytes were used. */
static size_t take_for_keyboard(struct terminal *t, const uint8_t *at, size_t n)
{
    for (size_t i = 0; t->interactive && i < NELEM(sequences); i++) {
        size_t len = strlen(sequences[i].text);
        if (len <= n && memcmp(at, sequences[i].text, len) == 0) {
            enqueue(t, sequences[i].key);
            return len;
        }
    }
    if (*at <= KEYBOARD_BEFORE_SPECIALS)
        take_key(t, *at);
    return 1;
}

/* Read as much as there is room for; only call it when a read will not block.  Half the
 * room, because a byte can become two: Ctrl-A and what follows.  A read of 0 bytes is the
 * end of a file, but on a raw terminal (VMIN 0) it only means that nothing was typed.
 * [termios(3)] */
static void read_input(struct terminal *t)
{
    uint8_t buf[sizeof t->queue];
    size_t room = sizeof t->queue - t->count;
    if (t->eof || room < 2)
        return;
    ssize_t n = read(STDIN_FILENO, buf, room / 2);
    if (n == 0 && !t->interactive)
        t->eof = true;
    for (ssize_t i = 0; i < n; ) {
        if (t->keyboard) {
            i += (ssize_t)take_for_keyboard(t, buf + i, (size_t)(n - i));
        } else {
            take_key(t, buf[i++]);
        }
    }
}

/* Wait ns at most; true if there is something to read.  After the end of input nothing can
 * come, and this only sleeps. */
static bool wait_for_input(const struct terminal *t, uint64_t ns)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    struct timespec ts = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    if (t->eof && !ns)
        return false;
    return ppoll(&p, t->eof ? 0 : 1, &ts, NULL) > 0;
}

/* To a machine in another process: 0, or -EAGAIN if that has no room for the byte. */
static int give_link(struct terminal *t, uint8_t byte)
{
    ssize_t took = link_type(t->link, t->keyboard ? LINK_TO_KEYBOARD : LINK_TO_SERIAL,
                             (const char *)&byte, 1);
    return took == 1 ? 0 : -EAGAIN;
}

/* To the guest: 0, or -EAGAIN if it has no room now. */
static int give(struct terminal *t, uint8_t byte)
{
    if (t->link)
        return give_link(t, byte);
    return host_io_give(t->io, t->keyboard ? INPUT_KEYBOARD : INPUT_SERIAL, byte);
}

/* In order: the first byte that the guest has no room for stops the rest. */
void terminal_feed(struct terminal *t)
{
    while (t->count && give(t, t->queue[t->head]) != -EAGAIN) {
        t->head = (t->head + 1) % sizeof t->queue;
        t->count--;
    }
}

void terminal_attach(struct terminal *t, struct host_io *io, bool keyboard)
{
    t->io = io;
    t->keyboard = keyboard;
}

void terminal_attach_link(struct terminal *t, struct link *l, bool keyboard)
{
    t->link = l;
    t->keyboard = keyboard;
}

bool terminal_wants_input(const struct terminal *t)
{
    return !t->eof && sizeof t->queue - t->count >= 2;
}

bool terminal_has_input(const struct terminal *t)       { return t->count != 0; }
bool terminal_input_ended(const struct terminal *t)     { return t->eof && !t->count; }
bool terminal_has_printed(const struct terminal *t)     { return t->printed; }
bool terminal_is_interactive(const struct terminal *t)  { return t->interactive; }

/* Called by the machine every millisecond of its time, so it must not block. */
void terminal_poll(void *arg)
{
    struct terminal *t = arg;
    if (wait_for_input(t, 0))
        read_input(t);
    terminal_feed(t);
}

#define LONGEST_WAIT_NS 10000000u

/* On a terminal, virtual time keeps pace with the user's, and where the engine measures
 * time it *is* the user's.  Elsewhere nobody watches: it jumps to the next timer.  Without
 * a timer there is only input to wait for, and 1 ns stands for any time: it must not depend
 * on how fast the input came, or two runs would differ. */
uint64_t terminal_idle(void *arg, uint64_t ns)
{
    struct terminal *t = arg;
    bool jump = !t->interactive && t->io->vm->cfg.engine->counts;
    if (ns == VCLOCK_NEVER && t->eof && !t->count)
        return VCLOCK_NEVER;
    if (jump && ns != VCLOCK_NEVER) {
        terminal_poll(t);
        return ns;
    }
    uint64_t before = host_monotonic_ns();
    size_t count = t->count;
    if (wait_for_input(t, ns < LONGEST_WAIT_NS ? ns : LONGEST_WAIT_NS))
        read_input(t);
    terminal_feed(t);
    /* Input is left that the guest does not take, twice at different times, and it sleeps. */
    bool refused = ns == VCLOCK_NEVER && t->eof && t->count == count;
    if (refused && t->refused)
        return VCLOCK_NEVER;
    t->refused = refused;
    uint64_t passed = jump ? 1 : host_monotonic_ns() - before;
    return passed < ns ? passed : ns;
}

/* ---- output ---- */

void terminal_send(struct terminal *t)
{
    if (fflush(stdout) == 0)
        return;
    if (errno == EINTR || errno == EAGAIN)
        clearerr(stdout);
    else if (t->io)
        vm_stop(t->io->vm, VM_HOST, "output cannot be written: %s", strerror(errno));
}

void terminal_set_prefix(struct terminal *t, const char *prefix)
{
    t->prefix = prefix;
}

/* "guest> Hello", for --trace -. */
static void put_line(struct terminal *t)
{
    fprintf(stdout, "%s%.*s\n", t->prefix, (int)t->line_len, t->line);
    t->line_len = 0;
}

/* A file or pipe gets its output in lines, a user each character at once.  With a prefix
 * (--trace -) lines are collected, so that events do not tear them apart. */
void terminal_put(void *arg, uint8_t byte)
{
    struct terminal *t = arg;
    t->last = byte;
    t->printed = true;
    if (!t->prefix) {
        putchar(byte);
        if (byte == '\n' || t->interactive)
            terminal_send(t);
        return;
    }
    if (byte == '\n' || t->line_len == sizeof t->line)
        put_line(t);
    if (byte != '\n' && byte != '\r')
        t->line[t->line_len++] = (char)byte;
}

void terminal_flush(struct terminal *t)
{
    if (t->prefix && t->line_len)
        put_line(t);
    else if (t->interactive && t->last && t->last != '\n')
        putchar('\n');         /* what we say next begins a line */
    t->last = 0;
    terminal_send(t);
}
