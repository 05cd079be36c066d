/*
 * cmd/session_gdb.c -- vitrine run --gdb: the guest in a process of its own, its serial line
 * on this terminal, and a socket where a debugger may come and go.
 *
 *     gdb -- socket --- gdb_server, gdb_stub ---.
 *                                                loop() --- link --- the VMM's process
 *     keyboard, screen ---- terminal -----------'
 *
 * One thread and one loop wait for all of them: the machine, the socket, the keyboard, a
 * signal.  Nothing here blocks but ppoll() in wait_for_something(), and a step, which is over
 * sooner than a turn of the loop.
 *
 * The run is over when the guest has ended and no debugger is looking at what is left of it.
 * Begin reading with loop().
 */
#include "cmd/session.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "cmd/terminal.h"
#include "debugger/console/command.h"
#include "debugger/gdb/server.h"
#include "debugger/gdb/stub.h"
#include "debugger/link/link.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/symbols.h"

#define EXIT_CANNOT 125
#define LOOK_MS     10                  /* between looks at a running machine */
#define STEP_MS     1                   /* how long to wait for a step before other work */
#define LONELY_MS   500                 /* between looks whether anybody still wants it */

/* Everything one run needs; the machine itself is in the process behind `link`. */
struct session {
    const struct run_options *o;
    struct link       *link;
    struct gdb_stub   *stub;
    struct gdb_server *server;
    struct terminal   *terminal;
    struct symbols    *symbols;
    struct debuginfo  *info;
    char              *path;            /* of the guest, absolute: gdb may be elsewhere */
};

/* The number of the signal that asks us to end; 0: none has. */
static volatile sig_atomic_t signalled;

/* The loop looks at the number after each wait (is_over()). */
static void on_signal(int signo)
{
    signalled = signo;
}

/* They come while the loop waits, and at no other time, so that none comes between a look
 * at `signalled` and the wait. */
static sigset_t while_waiting;

/* ppoll() unblocks them while it waits, and only then. */
static void catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal };
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &while_waiting);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- the loop ---- */

/* What the guest wrote goes to the terminal, what the monitor has to say to stderr. */
static void show_output(struct session *s)
{
    char buf[4096];
    size_t n;
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++)
        while ((n = link_take_output(s->link, i, buf, sizeof buf)))
            for (size_t k = 0; k < n; k++)
                terminal_put(s->terminal, (uint8_t)buf[k]);
    while ((n = link_take_words(s->link, buf, sizeof buf)))
        fwrite(buf, 1, n, stderr);
}

/* Input has ended, and the guest has halted with no timer running: nothing will ever happen
 * again.  A debugger that looks on may still change that. */
static bool waits_for_ever(const struct session *s)
{
    return gdb_stub_starved(s->stub) && !gdb_stub_looking(s->stub) &&
           !terminal_wants_input(s->terminal) && !terminal_has_input(s->terminal);
}

/* Only for `vitrine gdb`, which started us for one gdb: that is gone, or it has not come
 * and its process has ended (kill() with signal 0 only asks whether there is one). */
static bool lonely(const struct session *s)
{
    return gdb_server_served(s->server) || (!gdb_stub_looking(s->stub) && kill(s->o->tracer, 0));
}

/* Over is the run if it was interrupted, if gdb said so, or if the guest has ended and
 * nobody looks at what is left. */
static bool is_over(const struct session *s)
{
    enum link_state state = link_state(s->link);
    bool ended = state == LINK_ENDED || state == LINK_DEAD || waits_for_ever(s);
    return signalled || gdb_stub_quit(s->stub) || (s->o->gdb_ready && lonely(s)) ||
           (ended && !gdb_stub_looking(s->stub) && gdb_server_flushed(s->server));
}

/* Places in the array that poll() gets: the machine, the keyboard, then the sockets. */
enum { LINK, INPUT, SOCKET, N_FDS = SOCKET + GDB_SERVER_FDS };

/* A running machine is looked after every LOOK_MS, because its trace ring must be emptied;
 * one that stands still can wait for ever. */
static void wait_for_something(struct session *s, struct pollfd fds[N_FDS])
{
    enum link_state state = link_state(s->link);
    bool lively = state == LINK_RUNNING || terminal_has_input(s->terminal);
    int input = terminal_wants_input(s->terminal) ? STDIN_FILENO : -1;
    int link = state == LINK_DEAD ? -1 : link_fd(s->link);
    fds[LINK] = (struct pollfd){ .fd = link, .events = POLLIN };
    fds[INPUT] = (struct pollfd){ .fd = input, .events = POLLIN };
    gdb_server_fds(s->server, fds + SOCKET);
    int ms = lively ? LOOK_MS : LONELY_MS;
    struct timespec look = { ms / 1000, ms % 1000 * 1000000L };
    if (host_ready_soon(fds, N_FDS))
        return;
    if (ppoll(fds, N_FDS, lively || s->o->gdb_ready ? &look : NULL, &while_waiting) < 0)
        memset(fds, 0, N_FDS * sizeof *fds);
}

/* A step takes microseconds: it is not worth a turn of the loop. */
static void wait_for_step(struct session *s)
{
    if (gdb_stub_steps(s->stub))
        link_wait(s->link, STEP_MS);
}

/* One turn: wait, hear the debugger, hear the machine, answer the debugger, pass on what
 * was typed. */
static void loop(struct session *s)
{
    struct pollfd fds[N_FDS];
    while (!is_over(s)) {
        wait_for_something(s, fds);
        gdb_server_take(s->server, fds + SOCKET);
        wait_for_step(s);
        if (link_poll(s->link, 0) & ~(unsigned)LINK_NEWS_EVENTS)
            show_output(s);
        gdb_stub_news(s->stub);
        gdb_server_give(s->server);
        if (fds[INPUT].revents || terminal_has_input(s->terminal)) {
            terminal_poll(s->terminal);
            gdb_stub_wake(s->stub);
        }
    }
    show_output(s);
}

/* ---- the end ---- */

/* --screen-dump, by the console's own command. */
static bool dump_screen(const struct session *s)
{
    char line[5000];
    const char *path = s->o->screen_dump;
    struct console *c =
        console_new(&(struct console_options){ .link = s->link, .store = link_store(s->link) });
    snprintf(line, sizeof line, "screenshot %s", strcmp(path, "-") == 0 ? "" : path);
    bool ok = c && console_run(c, line, stdout) == CONSOLE_OK;
    if (c)
        console_free(c);
    return ok;
}

/* Why the run ended, to the user; the exit status of the process. */
static int last_words(struct session *s)
{
    const struct link_stop *why = link_stopped(s->link);
    enum link_state state = link_state(s->link);
    terminal_flush(s->terminal);
    if (signalled)
        return 128 + signalled;
    if (state == LINK_DEAD) {
        host_say("%s", why->text);
        return EXIT_CANNOT;
    }
    if (state != LINK_ENDED)
        return 0;
    if (s->o->quiet || why->vm_stop == VM_POWER_OFF)
        return why->status;
    if (why->vm_stop != VM_EXIT_PORT)
        host_say("%s", why->text);
    char *text = link_explain(s->link, s->symbols);
    fputs(text ? text : "", stderr);
    free(text);
    return why->status;
}

/* For the stub, while a command of the console runs long: has the debugger sent a Ctrl-C? */
static bool is_interrupted(void *arg)
{
    const struct session *s = arg;
    return s->server && gdb_server_interrupted(s->server);
}

/* Start the machine in its process, and open the socket for the debugger.  False after the
 * user was told.  What was made is in *s, for session_run_gdb() to free either way. */
static bool start(struct session *s)
{
    char why[400], info[OPTIONS_TRACE_INFO];
    const struct run_options *o = s->o;
    s->path = realpath(o->guest.path, NULL);
    s->symbols = symbols_open(o->guest.path, why, sizeof why);
    s->info = debuginfo_open(o->guest.path);
    options_trace_info(o, info);
    const struct link_options l = {
        .machine = o->machine, .guest = o->guest,
        .kinds = o->kinds | (o->insns ? TRACE_INSN_KINDS : 0),
        .trace_path = o->trace_path, .trace_info = info,
        .paced = terminal_is_interactive(s->terminal),
        .no_sandbox = o->no_sandbox, .tracer = o->tracer, .symbols = s->symbols, .info = s->info,
    };
    s->link = link_start(&l, why, sizeof why);
    if (!s->link) {
        if (why[0])
            host_say("%s", why);
        return false;
    }
    store_set_symbols(link_store(s->link), s->symbols);
    struct gdb_options g = { .link = s->link,
                             .interrupted = is_interrupted,
                             .arg = s,
                             .symbols = s->symbols,
                             .info = s->info,
                             .guest_path = s->path ? s->path : o->guest.path,
                             .fixed_arch = o->gdb_arch,
                             .cs_ip = o->gdb_cs_ip,
                             .last_client = o->gdb_ready,
                             .serves_file = strncmp(o->gdb, "tcp:", 4) == 0 };
    while (o->gdb_arch && strcmp(gdb_arch_names[g.arch], o->gdb_arch) != 0)
        g.arch++;
    s->stub = gdb_stub_new(&g);
    s->server = s->stub ? gdb_server_open(o->gdb, s->stub, why, sizeof why) : NULL;
    if (!s->server)
        host_say("%s", s->stub ? why : "out of memory");
    return s->server;
}

/* vitrine gdb waits for this file: it holds the monitor's process id. */
static bool tell_ready(const struct session *s)
{
    FILE *f = fopen(s->o->gdb_ready, "w");
    if (f && fprintf(f, "%d\n", (int)link_pid(s->link)) > 0 && fclose(f) == 0)
        return true;
    host_say("cannot write %s: %s", s->o->gdb_ready, strerror(errno));
    return false;
}

/* Signals are blocked only after the machine's process was forked, so that it does not
 * inherit that. */
int session_run_gdb(const struct run_options *o)
{
    struct session s = { .o = o };
    int status = EXIT_CANNOT;
    signalled = 0;
    s.terminal = terminal_open();
    if (s.terminal && start(&s)) {
        catch_signals();
        terminal_attach_link(s.terminal, s.link, o->keyboard);
        if (!o->gdb_ready)
            host_say("the guest waits for: gdb -ex 'target remote %s'",
                     gdb_server_address(s.server));
        if (!o->gdb_ready || tell_ready(&s))
            loop(&s);
        status = last_words(&s);
        if (o->screen_dump && !dump_screen(&s) && !status)
            status = EXIT_CANNOT;
        if ((fflush(stdout) != 0 || ferror(stdout)) && !status) {
            host_say("not all of the guest's output could be written");
            status = EXIT_CANNOT;
        }
    }
    gdb_server_close(s.server);
    gdb_stub_free(s.stub);
    terminal_close(s.terminal);
    link_end(s.link);
    debuginfo_close(s.info);
    symbols_close(s.symbols);
    free(s.path);
    return status;
}
