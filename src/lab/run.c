/*
 * lab/run.c -- processes, deadlines, and what is left when they have ended.
 */
#include "lab/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

#define MAX_ARGS    40
#define MAX_OUTPUT  (1u << 20)      /* of what a guest or a submission prints            */
#define MAX_AT_ONCE 64
#define GRACE_MS    500             /* for a submission to end by itself                 */

static const struct jail_limits jail_limits = { .memory = UINT64_C(256) << 20, .seconds = 60,
                                                .output = MAX_OUTPUT };

/* A run that is under way. */
struct active {
    struct lab_job *job;
    struct jail     jail;
    pid_t           monitor;
    int             watch;          /* a pidfd: readable when the monitor has ended     */
    int             output;         /* a memory file                                    */
    uint64_t        deadline_ns;
    unsigned        cpu, seat;
};

/* ---- files in memory ---- */

/* \n in the lab's file is a newline. */
static int input_file(const char *text)
{
    int fd = memfd_create("lab-input", MFD_CLOEXEC);
    for (const char *p = text ? text : ""; fd >= 0 && *p; p++) {
        bool newline = p[0] == '\\' && p[1] == 'n';
        if (write(fd, newline ? "\n" : p, 1) != 1)
            break;
        p += newline;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* All of a memory file as a string that the caller frees; at most MAX_OUTPUT.  NULL: no memory. */
static char *contents(int fd)
{
    char *text = malloc(MAX_OUTPUT + 1);
    ssize_t n = text ? pread(fd, text, MAX_OUTPUT, 0) : 0;
    if (text)
        text[n > 0 ? n : 0] = 0;
    return text;
}

/* ---- starting ---- */

static void put_number(char *text, size_t n, uint64_t value)
{
    snprintf(text, n, "%" PRIu64, value);
}

/* In the child, between fork() and execve(). */
static void become_monitor(const struct active *a, int input)
{
    const struct lab_job *j = a->job;
    char exits[24], seed[24], append[300], wire[12];
    char *argv[MAX_ARGS];
    unsigned n = 0;
    put_number(exits, sizeof exits, j->limit_exits ? j->limit_exits : UINT64_MAX >> 1);
    put_number(seed, sizeof seed, j->seed);
    snprintf(append, sizeof append, "seed=%s %s", seed, j->guest->with ? j->guest->with : "");
    snprintf(wire, sizeof wire, "%d", a->jail.wire);
    const char *fixed[] = { j->monitor, "run", "--cpu", "soft", "--quiet", "--trace", j->trace,
                            "--limit-exits", exits, "--seed", seed, "--append", append };
    for (size_t i = 0; i < NELEM(fixed); i++)
        argv[n++] = (char *)(uintptr_t)fixed[i];
    for (unsigned i = 0; i < j->guest->n_options; i++)
        argv[n++] = (char *)(uintptr_t)j->guest->option[i];
    argv[n++] = (char *)(uintptr_t)j->image;
    argv[n] = NULL;
    if (j->submission) {
        fcntl(a->jail.wire, F_SETFD, 0);
        setenv("VITRINE_SUBMISSION", wire, 1);
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(a->cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    dup2(input, 0);
    dup2(a->output, 1);
    dup2(a->output, 2);
    execv(argv[0], argv);
    _exit(127);
}

/* Take back what start() had done when something failed. */
static void unstart(struct active *a, int input)
{
    if (a->monitor > 0) {
        kill(a->monitor, SIGKILL);
        waitpid(a->monitor, NULL, 0);
    }
    if (a->jail.pid > 0) {
        jail_end(&a->jail, 0);
        close(a->jail.output);
    }
    int fds[] = { input, a->output, a->watch };
    for (size_t i = 0; i < NELEM(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int start(struct active *a, struct lab_job *j, unsigned cpu, char *why, size_t bytes)
{
    int input = input_file(j->guest->input), err = 0;
    *a = (struct active){ .job = j, .jail = { .pid = -1, .wire = -1, .output = -1 }, .cpu = cpu,
                          .monitor = -1, .watch = -1 };
    a->output = memfd_create("lab-output", MFD_CLOEXEC);
    if (input < 0 || a->output < 0) {
        err = -errno;
        snprintf(why, bytes, "no memory file for a run: %s", strerror(errno));
    } else if (j->submission)
        err = jail_start(&a->jail, j->submission, &jail_limits, why, bytes);
    if (err) {
        unstart(a, input);
        return err;
    }
    if (j->submission) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(a->jail.pid, sizeof one, &one);
    }
    a->monitor = fork();
    if (a->monitor == 0)
        become_monitor(a, input);
    a->watch = a->monitor < 0 ? -1 : (int)syscall(__NR_pidfd_open, a->monitor, 0);
    a->deadline_ns = host_monotonic_ns() + j->wall_s * UINT64_C(1000000000);
    if (a->monitor >= 0 && a->watch >= 0) {
        close(input);
        return 0;
    }
    err = -errno;
    snprintf(why, bytes, "cannot start %s: %s", j->monitor, strerror(errno));
    unstart(a, input);
    return err;
}

/* ---- ending ---- */

static void say_end(struct lab_job *j, const char *text, int number)
{
    snprintf(j->ended, sizeof j->ended, text, number);
    j->run.ended = j->ended;
}

/* Why the submission's process ended, if not because its wire was closed. */
static void judge_jail(struct lab_job *j, int status, bool early)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        say_end(j, "the submission made a system call that it may not (signal %d)",
                WTERMSIG(status));
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        say_end(j, "the submission used up its processor time (signal %d)", WTERMSIG(status));
    else if (WIFSIGNALED(status))
        say_end(j, "the submission was ended by signal %d (11: a bad address, 6: abort)",
                WTERMSIG(status));
    else if (WEXITSTATUS(status) || early)
        say_end(j, "the submission ended by itself, with status %d", WEXITSTATUS(status));
}

static uint64_t count_kind(struct store *s, const char *kind)
{
    struct filter_error err;
    struct filter *f = filter_compile(kind, NULL, &err);
    uint64_t n = f ? store_count(s, f, 0, store_n_events(s)) : 0;
    filter_free(f);
    return n;
}

void lab_job_open(struct lab_job *j)
{
    char why[200];
    j->run.trace = store_open(j->trace, why, sizeof why);
    if (!j->run.trace)
        return;
    /* none: then without names */
    j->symbols = symbols_open(j->names ? j->names : j->image, why, sizeof why);
    store_set_symbols(j->run.trace, j->symbols);
    j->run.n_exits = count_kind(j->run.trace, "EXIT");
    j->run.n_marks = count_kind(j->run.trace, "MARK");
}

/* The run is over, by itself or by its deadline. */
static void finish(struct active *a, bool late)
{
    struct lab_job *j = a->job;
    int status = 0;
    if (late)
        kill(a->monitor, SIGKILL);
    while (waitpid(a->monitor, &status, 0) < 0 && errno == EINTR)
        ;
    j->run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (j->submission) {
        int end = jail_end(&a->jail, late ? 0 : GRACE_MS);
        judge_jail(j, end, a->jail.early);
        j->printed = contents(a->jail.output);
        close(a->jail.output);
    }
    if (!late && WIFSIGNALED(status))
        say_end(j, "the monitor itself was ended by signal %d: please report that",
                WTERMSIG(status));
    if (late)
        say_end(j, "it was still running after %d seconds", (int)j->wall_s);
    j->run.output = contents(a->output);
    lab_job_open(j);
    close(a->output);
    close(a->watch);
}

/* ---- many at once ---- */

/* Wait until one of them ends or is late, and finish it; its place is free then.  A submission
 * that hangs once will hang again, so after that no other is started: *was_late. */
static unsigned finish_one(struct active *active, unsigned n, bool *was_late)
{
    for (;;) {
        uint64_t now = host_monotonic_ns();
        for (unsigned i = 0; i < n; i++) {
            struct pollfd p = { .fd = active[i].watch, .events = POLLIN };
            bool late = now >= active[i].deadline_ns;
            if (poll(&p, 1, 0) > 0 || late) {
                finish(&active[i], late);
                *was_late |= late;
                return i;
            }
        }
        struct pollfd all[MAX_AT_ONCE];
        for (unsigned i = 0; i < n; i++)
            all[i] = (struct pollfd){ .fd = active[i].watch, .events = POLLIN };
        poll(all, n, 100);
    }
}

int lab_run_all(struct lab_job *jobs, unsigned n, struct lab_seats seats, char *why,
                size_t bytes)
{
    struct active active[MAX_AT_ONCE];
    unsigned running = 0, next = 0;
    int err = 0;
    unsigned most = seats.at_a_time < MAX_AT_ONCE ? seats.at_a_time : MAX_AT_ONCE;
    bool busy[MAX_AT_ONCE] = { false };
    bool late = false;
    while ((next < n && !err) || running) {
        while (next < n && jobs[next].run.ended)
            next++;
        for (; late && next < n; next++)
            say_end(&jobs[next], "not run: another guest had to be stopped after %d seconds",
                    (int)jobs[next].wall_s);
        if (next < n && running < most && !err) {
            unsigned seat = 0;
            while (busy[seat])
                seat++;
            err = start(&active[running], &jobs[next++], seats.first + seat, why, bytes);
            active[running].seat = seat;
            busy[seat] = !err;
            running += !err;
        } else if (running) {
            unsigned i = finish_one(active, running, &late);
            busy[active[i].seat] = false;
            active[i] = active[--running];
        }
    }
    return err;
}

void lab_job_free(struct lab_job *j)
{
    if (j->run.trace)
        store_close(j->run.trace);
    symbols_close(j->symbols);
    free((char *)(uintptr_t)j->run.output);
    free(j->printed);
    j->run.trace = NULL;
    j->symbols = NULL;
    j->run.output = j->printed = NULL;
}
