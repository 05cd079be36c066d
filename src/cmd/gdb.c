/*
 * cmd/gdb.c -- vitrine gdb: a guest, its monitor, and gdb with everything loaded.
 *
 *     vitrine gdb ---- forks or, with --tmux, has tmux start ---- vitrine run --gdb, nearly:
 *          |                                                      the machine, a socket
 *          `-- gdb with vitrine.py (debugger/gdb) ----------------' in a directory of ours
 *
 *     /tmp/vitrine-gdb-XXXXXX/gdb          the socket
 *                             monitor      the process id of the VMM, once it is ready
 *                             vitrine.py   the script that gdb is started with
 *
 * The server lives as long as gdb's connection: when that ends, for whatever reason, the server
 * ends the guest and removes the directory.  So nothing is left behind even if this process is
 * killed.  Begin reading with debug_guest().
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cmd/session.h"

#define EXIT_USAGE  2
#define EXIT_CANNOT 125
#define READY_MS    15000               /* until the guest is loaded   */
#define END_MS      3000                /* until the server has ended  */
#define MAX_ARGS    256                 /* words of a command line */

extern const char gdb_script[];         /* printers.py and vitrine.py of debugger/gdb */

/* The two programs that are started: the server with the guest, and gdb. */
struct pair {
    /* The command line. */
    int    argc;                        /* ours, without what is gdb's */
    char **argv;
    int    n_gdb;                       /* what is behind "--"         */
    char **gdb_args;
    bool   tmux;                        /* --tmux                      */

    /* Paths: the directory and the files in it; our own program. */
    char   dir[64], socket[80], ready[80], script[80], self[4096];

    pid_t  server;                      /* its process; 0: none, -1: it is tmux's child */
};

/* For pass_on(), a signal handler; 0: there is no gdb. */
static volatile sig_atomic_t gdb_pid;

/* ---- the directory ---- */

/* The files in the directory that server and gdb share. */
static bool make_paths(struct pair *p, const char *dir)
{
    snprintf(p->dir, sizeof p->dir, "%s", dir);
    snprintf(p->socket, sizeof p->socket, "%s/gdb", p->dir);
    snprintf(p->ready, sizeof p->ready, "%s/monitor", p->dir);
    snprintf(p->script, sizeof p->script, "%s/vitrine.py", p->dir);
    ssize_t n = readlink("/proc/self/exe", p->self, sizeof p->self - 1);
    return n > 0;
}

/* For this user only (mkdtemp makes it with mode 0700): whoever can connect to the socket
 * controls the guest.  In /tmp, whatever TMPDIR says, because the path of a socket has room
 * for 107 characters.  [unix(7)] */
static bool make_dir(struct pair *p)
{
    char name[] = "/tmp/vitrine-gdb-XXXXXX";
    FILE *f = NULL;
    if (!mkdtemp(name) || !make_paths(p, name) || !(f = fopen(p->script, "w"))) {
        host_say("no directory for the socket: %s", strerror(errno));
        return false;
    }
    bool ok = fputs(gdb_script, f) >= 0;
    if (fclose(f) == 0 && ok)
        return true;
    host_say("cannot write %s: %s", p->script, strerror(errno));
    return false;
}

/* Everything that was made; what is not there does not matter. */
static void remove_dir(const struct pair *p)
{
    unlink(p->socket);
    unlink(p->ready);
    unlink(p->script);
    rmdir(p->dir);
}

/* ---- the server ---- */

/* The server: vitrine run --gdb, with gdb's process allowed to trace the monitor.  It runs
 * until gdb hangs up, then removes the directory.  The exit status. */
static int serve(struct pair *p, pid_t tracer)
{
    struct run_options o;
    bool done;
    char where[100];
    int err = options_parse(FOR_GDB, p->argc, p->argv, &o, &done);
    if (err || done)
        return err;
    snprintf(where, sizeof where, "unix:%s", p->socket);
    o.gdb = where;
    o.gdb_ready = p->ready;
    o.tracer = tracer;
    int status = session_run_gdb(&o);
    remove_dir(p);
    return status;
}

/* In the background of this terminal: a process group of its own, so that Ctrl-C does not
 * reach it, and no standard input, since the keys are gdb's.  If we are killed the kernel
 * sends it a SIGTERM. [PR_SET_PDEATHSIG(2const)] */
static _Noreturn void be_server(struct pair *p, pid_t tracer)
{
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    close(null);
    int status = serve(p, tracer);
    fflush(NULL);
    _exit(status);
}

/* ---- tmux: the server on the right, where the guest's terminal is ---- */

/* For a shell, between single quotes.  A single quote inside cannot be escaped there, so
 * the quotes are closed, one is added, and they are opened again: it's becomes 'it'\''s'. */
static void quote(FILE *out, const char *text)
{
    fputs(" '", out);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){ *text, 0 }, out);
    fputc('\'', out);
}

/* Run a program to its end; true if its status was 0. */
static bool run_and_wait(char *const argv[])
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0;
}

/* The server in a new pane of tmux.  tmux hands the line to a shell, so every word is
 * quoted.  False after the user was told, if the window has no room for a pane. */
static bool split_window(struct pair *p)
{
    char *line = NULL, pid[16];
    size_t n;
    FILE *out = open_memstream(&line, &n);
    if (!out)
        return false;
    fputs("exec", out);
    quote(out, p->self);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    fprintf(out, " gdb --serve '%s' %s", p->dir, pid);
    for (int i = 1; i < p->argc; i++)
        quote(out, p->argv[i]);
    fclose(out);
    bool ok = run_and_wait((char *[]){ "tmux", "split-window", "-h", "-d", line, NULL });
    free(line);
    if (!ok)
        host_say("tmux cannot split its window: is it large enough?");
    return ok;
}

/* Not in tmux yet: start it, with this same command line to run inside.  Returns only if
 * that has failed. */
static int inside_tmux(const struct pair *p, int argc, char **argv)
{
    char *args[MAX_ARGS + 8] = { "tmux", "new-session", (char *)(uintptr_t)p->self };
    int n = 3;
    for (int i = 0; i < argc && n < MAX_ARGS; i++)
        args[n++] = argv[i];
    execvp("tmux", args);
    host_say("tmux does not start: %s", strerror(errno));
    return EXIT_CANNOT;
}

/* ---- being ready ---- */

/* The monitor's process id, which the server writes when the guest waits; 0: not yet. */
static pid_t read_ready(const struct pair *p)
{
    int pid = 0;
    FILE *f = fopen(p->ready, "r");
    if (f && fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* Wait until the server is ready: the VMM's process id.  0: there will be none, the server
 * has said why, and *status is its exit status. */
static pid_t await_server(struct pair *p, int *status)
{
    const struct timespec nap = { 0, 5000000 };
    pid_t vmm = 0;
    for (int ms = 0; !vmm && ms < READY_MS; ms += 5) {
        if (p->server > 0 && waitpid(p->server, status, WNOHANG) == p->server) {
            p->server = 0;
            *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : EXIT_CANNOT;
            return 0;
        }
        nanosleep(&nap, NULL);
        vmm = read_ready(p);
    }
    if (!vmm)
        host_say("the guest could not be started");
    return vmm;
}

/* The server ends when its first connection ends.  If gdb has never connected, this does so
 * and hangs up. */
static void dismiss(const struct pair *p)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, p->socket, strlen(p->socket) + 1);
    (void)!connect(fd, (struct sockaddr *)&a, sizeof a);
    close(fd);
}

/* Ask it to end, wait END_MS for that, then kill it.  A server in a pane of tmux is not our
 * child: that it has ended shows in its directory, which it removes. */
static void end_server(struct pair *p)
{
    const struct timespec nap = { 0, 5000000 };
    if (p->server == 0)
        return;
    dismiss(p);
    for (int ms = 0; ms < END_MS; ms += 5) {
        if (p->server > 0 ? waitpid(p->server, NULL, WNOHANG) == p->server
                          : access(p->dir, F_OK) != 0)
            return;
        nanosleep(&nap, NULL);
    }
    if (p->server > 0) {
        kill(p->server, SIGKILL);
        waitpid(p->server, NULL, 0);
    }
}

/* ---- gdb ---- */

/* SIGTERM or a hang-up for us is one for gdb; when it has ended we clean up. */
static void pass_on(int signo)
{
    (void)signo;
    if (gdb_pid > 0)
        kill(gdb_pid, SIGTERM);
}

/* The child becomes gdb.  Our Python finds socket, monitor and guest in the environment. */
static _Noreturn void be_gdb(const struct pair *p, pid_t vmm, const char *guest)
{
    char pid[16], *args[MAX_ARGS + 8] = { "gdb", "-q", "-x", (char *)(uintptr_t)p->script };
    int n = 4;
    snprintf(pid, sizeof pid, "%d", (int)vmm);
    setenv("VITRINE_SOCKET", p->socket, 1);
    setenv("VITRINE_MONITOR", pid, 1);
    setenv("VITRINE_GUEST", guest, 1);
    setenv("VITRINE_SELF", p->self, 1);
    for (int i = 0; i < p->n_gdb && n < MAX_ARGS; i++)
        args[n++] = p->gdb_args[i];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    execvp("gdb", args);
    host_say("gdb does not start: %s; sudo apt-get install gdb", strerror(errno));
    _exit(127);
}

/* Ctrl-C is gdb's, which is in our process group: we ignore it.  The exit status is gdb's,
 * or as a shell would report the signal that ended it. */
static int run_gdb(const struct pair *p, pid_t vmm, const char *guest)
{
    int status = 0;
    struct sigaction a = { .sa_handler = pass_on };
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    pid_t pid = fork();
    if (pid == 0)
        be_gdb(p, vmm, guest);
    gdb_pid = pid;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    gdb_pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Server first, then gdb, then everything is removed, however it ended. */
static int debug_guest(struct pair *p, const char *guest)
{
    int status = EXIT_CANNOT;
    pid_t self = getpid();
    if (!make_dir(p)) {
        remove_dir(p);
        return EXIT_CANNOT;
    }
    if (p->tmux) {
        p->server = split_window(p) ? -1 : 0;
    } else {
        fflush(NULL);
        p->server = fork();
        if (p->server == 0)
            be_server(p, self);
    }
    pid_t vmm = p->server ? await_server(p, &status) : 0;
    if (vmm)
        status = run_gdb(p, vmm, guest);
    end_server(p);
    remove_dir(p);
    return status;
}

/* ---- the command ---- */

static void help(void)
{
    fputs("usage: vitrine gdb [options] GUEST [-- GDB-OPTION ...]\n"
          "\nStarts a guest and gdb on it: inferior 1 is the guest, before its first "
          "instruction, inferior 2 the\n"
          "monitor that answers it.  Quitting gdb ends the guest.\n", stdout);
    options_help(FOR_GDB, "", stdout);
    fputs("  --tmux               the guest's terminal in a pane beside gdb's\n"
          "\nin gdb (`help vitrine` has more):\n"
          "  vt-follow on         over an instruction that traps, go into the monitor's handler\n"
          "  vt-guest             from there back to the guest, behind the instruction\n"
          "  vt-exits, vt-walk, vt-why       the last exits; a page walk; what caused an event\n"
          "  monitor help         the console's commands, each behind `monitor`\n"
          "\nexit status: gdb's; 2 bad usage; 125 the host or the guest's file; 127 there is no "
          "gdb\n"
          "\nexamples:\n"
          "  vitrine gdb build/guests/tiny64.elf -- -ex 'break main' -ex continue\n"
          "  vitrine gdb --tmux --append 'run=primes' build/guests/tiny32.elf\n"
          "  vitrine gdb build/guests/hello.elf -- -batch -ex 'vt-follow io' -ex continue -ex "
          "'print *x'\n", stdout);
}

/* Take --tmux out of argv, and everything behind "--", which is for gdb. */
static void take_own(struct pair *p, int argc, char **argv)
{
    p->argv = argv;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            p->n_gdb = argc - i - 1;
            p->gdb_args = argv + i + 1;
            break;
        }
        if (i && !strcmp(argv[i], "--tmux"))
            p->tmux = true;
        else
            argv[p->argc++] = argv[i];
    }
}

/* `vitrine gdb --serve DIR PID ...` is for --tmux only (split_window()): it is the server,
 * in a pane.  Options are parsed twice, here to find mistakes before anything is started,
 * and by the server; getopt_long() reorders argv, so the first time it gets a copy. */
int cmd_gdb(int argc, char **argv)
{
    struct pair p = { .server = 0 };
    struct run_options o;
    bool done;
    char *all[MAX_ARGS + 1] = { NULL };
    if (argc > MAX_ARGS) {
        host_say("too many arguments");
        return EXIT_USAGE;
    }
    memcpy(all, argv, (size_t)argc * sizeof *argv);
    if (argc > 4 && !strcmp(argv[1], "--serve") && make_paths(&p, argv[2])) {     /* for --tmux */
        p.argc = argc - 3;
        p.argv = argv + 3;
        return serve(&p, atoi(argv[3]));
    }
    take_own(&p, argc, argv);
    char *copy[MAX_ARGS + 1] = { NULL };
    memcpy(copy, p.argv, (size_t)p.argc * sizeof *copy);        /* the parser reorders them */
    int err = options_parse(FOR_GDB, p.argc, copy, &o, &done);
    if (done)
        help();
    if (err || done)
        return err;
    if (p.tmux && !getenv("TMUX"))
        return make_paths(&p, "") ? inside_tmux(&p, argc, all) : EXIT_CANNOT;
    char *guest = realpath(o.guest.path, NULL);
    int status = debug_guest(&p, guest ? guest : o.guest.path);
    free(guest);
    return status;
}
