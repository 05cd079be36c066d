/*
 * cmd/doctor.c -- `vitrine doctor`: is everything here, and what to type if not.
 *
 * A table of checks (CHECK_LIST).  Each says in a sentence what it found and, if that is not
 * good, one line that mends it:
 *
 *     ok    guest memory  guest memory can be shared (memfd)
 *     --    ptrace        forbidden: Operation not permitted
 *                         (for gdb on the monitor) sudo sysctl kernel.yama.ptrace_scope=1; ...
 *
 * Nothing is needed but what is marked so ("BAD" if it is missing); the rest only makes more of
 * Vitrine work.  A check tries the thing itself where it can, instead of asking for a version.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/sandbox.h"
#include "cmd/cmd.h"
#include "cpu/engine.h"

/* Older ones have a Python without what debugger/gdb/vitrine.py calls. */
#define GDB_OLDEST 12

/* What a check found, and what to type to mend it ("": nothing). */
struct finding { bool good; char found[920]; char mend[200]; };

/* Fill in one of the texts of the finding f. */
#define SAY(field, ...) snprintf(f->field, sizeof(f->field), __VA_ARGS__)

/* ---- the checks ---- */

/* Guest memory is shared between processes, so it must come from memfd_create(). */
static void check_memory(struct finding *f, const char *arg)
{
    int fd;
    (void)arg;
    void *hva = host_shared_alloc("doctor", 1 << 20, &fd);
    f->good = hva != NULL;
    if (hva) {
        SAY(found, "guest memory can be shared (memfd)");
        host_shared_free(hva, 1 << 20, fd);
    } else {
        SAY(found, "no shared memory: %s", strerror(errno));
        SAY(mend, "ulimit -v unlimited, or a kernel with memfd_create");
    }
}

/* The engine's own probe runs tiny guests and says what works. */
static void check_engine(struct finding *f, const char *arg)
{
    const struct engine *e = engine_find(arg);
    struct engine_caps caps = { 0 };
    if (!e) {
        SAY(found, "not built in");
        return;
    }
    e->probe(&caps);
    f->good = caps.ok;
    SAY(found, "%s", caps.why);
    SAY(mend, "--cpu soft runs every guest without it; `vitrine engines` tells more");
}

/* The TUI wants a terminal that is large enough and can move the cursor. */
static void check_terminal(struct finding *f, const char *arg)
{
    struct winsize w;
    const char *term = getenv("TERM");
    (void)arg;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        f->good = true;
        SAY(found, "not a terminal: guests read from a file or pipe, fine for scripts");
        return;
    }
    bool sized = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0;
    f->good = term && *term && strcmp(term, "dumb") && sized && w.ws_col >= 80 && w.ws_row >= 24;
    SAY(found, "TERM=%s, %u columns, %u rows", term ? term : "(unset)", sized ? w.ws_col : 0,
        sized ? w.ws_row : 0);
    SAY(mend, "make the window at least 80x24; export TERM=xterm-256color");
}

/* Is the program in a directory of PATH? `where` gets its path, if that has room. */
static bool on_path(const char *name, char *where, size_t n)
{
    const char *p = getenv("PATH");
    while (p && *p) {
        size_t len = strcspn(p, ":");
        int made = snprintf(where, n, "%.*s/%s", (int)len, p, name);
        if (made > 0 && (size_t)made < n && access(where, X_OK) == 0)
            return true;
        p += len + (p[len] == ':');
    }
    return false;
}

/* A program that is needed for building or for tests.  Debian's package has the program's
 * name, but for two. */
static void check_program(struct finding *f, const char *arg)
{
    f->good = on_path(arg, f->found, sizeof(f->found));
    if (f->good)
        return;
    SAY(found, "not found");
    SAY(mend, "make deps, or: sudo apt-get install %s",
        !strncmp(arg, "qemu", 4) ? "qemu-system-x86" : !strcmp(arg, "ld") ? "binutils" : arg);
}

/* Does it run, is it young enough, and has it the Python that `vitrine gdb` needs?  gdb
 * itself is asked, since distributions build it with and without. */
static void check_gdb(struct finding *f, const char *arg)
{
    char where[600], version[40] = "";
    if (!on_path(arg, where, sizeof where)) {
        check_program(f, arg);
        return;
    }
    FILE *p = popen("gdb -nx -batch -ex 'python print(gdb.VERSION)' 2>/dev/null", "r");
    bool python = p && fgets(version, sizeof version, p);
    if (p)
        pclose(p);
    version[strcspn(version, "\n")] = 0;
    f->good = python && atoi(version) >= GDB_OLDEST;
    if (!python)
        SAY(found, "%.500s has no Python: it debugs guests, but not for `vitrine gdb`", where);
    else
        SAY(found, "%.500s, version %s", where, version);
    SAY(mend, "a gdb of version %d or younger, with Python: sudo apt-get install gdb", GDB_OLDEST);
}

/* Stepping the monitor means tracing another process.  Yama or a container may forbid that:
 * try it on a child. */
static void check_ptrace(struct finding *f, const char *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    f->good = pid > 0 && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
    int err = errno;
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    SAY(found, f->good ? "processes may be debugged" : "forbidden: %s", strerror(err));
    SAY(mend, "sudo sysctl kernel.yama.ptrace_scope=1; a container wants --cap-add=SYS_PTRACE");
}

/* In a process of its own, since there is no way back out of a sandbox.  Its exit status is
 * the errno. */
static void check_sandbox(struct finding *f, const char *arg)
{
    char why[200];
    int status = 0;
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        _exit(-sandbox_enter(SANDBOX_TERMINAL, why, sizeof why));
    if (pid > 0)
        waitpid(pid, &status, 0);
    f->good = pid > 0 && status == 0;
    int err = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    SAY(found, f->good ? "the monitor can be locked in"
                       : "the monitor runs with all its rights: %s", strerror(err));
    SAY(mend, "a kernel with CONFIG_SECCOMP_FILTER; in a container, a profile that allows "
        "seccomp()");
}

/* The examples in the documentation name guests of build/guests. */
static void check_guests(struct finding *f, const char *arg)
{
    (void)arg;
    f->good = access("build/guests/hello.elf", R_OK) == 0;
    SAY(found, f->good ? "build/guests is there" : "no build/guests in this directory");
    SAY(mend, "make all, in Vitrine's source directory");
}

/* A check that is needed and fails makes the exit status 1.
 *
 *    what               needed  check            argument              for what */
#define CHECK_LIST(X)                                                                          \
    X("guest memory",    true,   check_memory,    NULL,                 "every guest")         \
    X("engine soft",     true,   check_engine,    "soft",               "every guest")         \
    X("engine kvm",      false,  check_engine,    "kvm",                "--cpu kvm")           \
    X("terminal",        false,  check_terminal,  NULL,                 "a guest's console")   \
    X("sandbox",         false,  check_sandbox,   NULL,                 "a guest that breaks out") \
    X("guests",          false,  check_guests,    NULL,                 "the examples")        \
    X("gcc",             false,  check_program,   "gcc",                "building")            \
    X("ld",              false,  check_program,   "ld",                 "building guests")     \
    X("make",            false,  check_program,   "make",               "building")            \
    X("gdb",             false,  check_gdb,       "gdb",                "debugging guests")    \
    X("ptrace",          false,  check_ptrace,    NULL,                 "gdb on the monitor")  \
    X("qemu",            false,  check_program,   "qemu-system-x86_64", "comparing, tests")    \
    X("bochs",           false,  check_program,   "bochs",              "comparing, tests")

/* The rows as an array.  `look` makes the check and fills in *f; it gets the row's `arg`,
 * so that one function can look for several engines or programs. */
static const struct check {
    const char *what;
    bool        needed;
    void      (*look)(struct finding *f, const char *arg);
    const char *arg, *for_what;
} checks[] = {
#define X(what, needed, look, arg, for_what) { what, needed, look, arg, for_what },
    CHECK_LIST(X)
#undef X
};

/* Make every check, print a row for each and the remedy below it. */
int cmd_doctor(int argc, char **argv)
{
    bool sick = false;

    if (argc > 1) {
        if (strcmp(argv[1], "--help") && strcmp(argv[1], "-h")) {
            host_say("doctor takes no '%s', nor anything else", argv[1]);
            return 2;
        }
        fputs("usage: vitrine doctor\n\n"
              "Looks whether this host has what Vitrine uses, and says what "
              "to type where not.\nExit status 1 if something is missing without which no guest "
              "runs.\n", stdout);
        return 0;
    }
    for (size_t i = 0; i < NELEM(checks); i++) {
        const struct check *c = &checks[i];
        struct finding f = { 0 };
        c->look(&f, c->arg);
        printf("%-5s %-13s %s\n", f.good ? "ok" : c->needed ? "BAD" : "--", c->what, f.found);
        if (!f.good && f.mend[0])
            printf("%-19s (for %s) %s\n", "", c->for_what, f.mend);
        sick |= !f.good && c->needed;
    }
    return sick;
}
