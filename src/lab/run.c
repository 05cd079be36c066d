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
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "lab/crash_note.h"
#include "lab/wire.h"

#define MAX_ARGS    40
#define MAX_OUTPUT  (1u << 20)      /* of what a guest or a submission prints            */
#define MAX_AT_ONCE 64
#define GUEST_MEMORY "16M"          /* unless the lab says more: all of it is filled with noise */
#define PATIENCE    8               /* so much later than that a busy machine may be    */
#define STACK_FULL  (UINT64_C(7) << 20)     /* of the 8 MiB that a process has */
#define GRACE_MS    500             /* for a submission to end by itself                 */
#define ASK_MS      500             /* and to say where it is, before it is killed       */

static const struct jail_limits jail_limits = { .memory = UINT64_C(256) << 20, .seconds = 60,
                                                .output = MAX_OUTPUT };

/* A run that is under way. */
struct active {
    struct lab_job *job;
    struct jail     jail;
    pid_t           monitor;
    int             watch;          /* a pidfd: readable when the monitor has ended     */
    int             output, said;   /* memory files: what the guest prints, and the monitor */
    uint64_t        cpu_ns, deadline_ns;    /* it has used up so much, or it is so late */
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

/* All of a memory file as a string that the caller frees, and how long it is; at most MAX_OUTPUT.
 * NULL: no memory. */
static char *contents(int fd, size_t *bytes)
{
    char *text = malloc(MAX_OUTPUT + 1);
    ssize_t n = text ? pread(fd, text, MAX_OUTPUT, 0) : 0;
    *bytes = n > 0 ? (size_t)n : 0;
    if (text)
        text[*bytes] = 0;
    return text;
}

/* ---- starting ---- */

static void put_number(char *text, size_t n, uint64_t value)
{
    snprintf(text, n, "%" PRIu64, value);
}

/* The image as the trace is to name it: a trace that is handed out names no folder of this machine.
 * In the child, which goes to that folder. */
static const char *image_name(const struct lab_job *j)
{
    size_t n = j->folder ? strlen(j->folder) : 0;
    if (!n || strncmp(j->image, j->folder, n) || j->image[n] != '/' || chdir(j->folder))
        return j->image;
    return j->image + n + 1;
}

/* In the child, between fork() and execve(). */
static void become_monitor(const struct active *a, int input)
{
    const struct lab_job *j = a->job;
    char exits[24], insns[24], seed[24], append[300], wire[12];
    char *argv[MAX_ARGS];
    unsigned n = 0;
    put_number(exits, sizeof exits, j->limit_exits ? j->limit_exits : UINT64_MAX >> 1);
    put_number(insns, sizeof insns, j->limit_insns);
    put_number(seed, sizeof seed, j->seed);
    snprintf(append, sizeof append, "seed=%s %s", seed, j->guest->with ? j->guest->with : "");
    snprintf(wire, sizeof wire, "%d", a->jail.wire);
    const char *fixed[] = { j->monitor, "run", "--cpu", "soft", "--quiet", "--trace", j->trace,
                            "--mem", GUEST_MEMORY, "--limit-exits", exits, "--limit-insns", insns,
                            "--seed", seed, "--append", append };
    for (size_t i = 0; i < NELEM(fixed); i++)
        argv[n++] = (char *)(uintptr_t)fixed[i];
    for (unsigned i = 0; i < j->guest->n_options; i++)
        argv[n++] = (char *)(uintptr_t)j->guest->option[i];
    argv[n++] = (char *)(uintptr_t)image_name(j);
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
    dup2(a->said, 2);
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
    int fds[] = { input, a->output, a->said, a->watch };
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
    a->said = memfd_create("lab-said", MFD_CLOEXEC);
    if (input < 0 || a->output < 0 || a->said < 0) {
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
    a->cpu_ns = j->wall_s * UINT64_C(1000000000);
    a->deadline_ns = host_monotonic_ns() + PATIENCE * a->cpu_ns;
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
    /* cppcheck-suppress wrongPrintfScanfArgNum ; a sentence without a number takes none */
    snprintf(j->ended, sizeof j->ended, text, number);
    j->run.ended = j->ended;
}

/* How a process is ended by a signal, as a student who has not met it before needs it told. */
static const struct { int number; const char *name, *about; } signals[] = {
    { SIGSEGV, "SIGSEGV", "it used an address where it has no memory" },
    { SIGBUS,  "SIGBUS",  "it used memory that has nothing behind it" },
    { SIGFPE,  "SIGFPE",  "it divided by zero, or the quotient has no room" },
    { SIGILL,  "SIGILL",  "it came to bytes that are no instruction" },
    { SIGTRAP, "SIGTRAP", "it came to a breakpoint" },
    { SIGABRT, "SIGABRT", "it called abort(), or the C library did because its data were damaged" },
    { SIGSYS,  "SIGSYS",  "it made a system call that it may not" },
    { SIGXCPU, "SIGXCPU", "it used up its processor time" },
    { SIGXFSZ, "SIGXFSZ", "it printed more than it may" },
    { SIGKILL, "SIGKILL", "it was stopped from outside" },
};

static void name_signal(struct lab_job *j, int number)
{
    say_end(j, "the submission was ended by signal %d", number);
    for (size_t i = 0; i < NELEM(signals); i++)
        if (signals[i].number == number)
            snprintf(j->ended, sizeof j->ended, "the submission was ended by signal %d, %s: %s",
                     number, signals[i].name, signals[i].about);
}

/* Why the submission's process ended, if not because its wire was closed. */
static void judge_jail(struct lab_job *j, int status, bool early)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !early)
        say_end(j, "the run was over, and a function of the submission did not return "
                   "(after %d ms)", GRACE_MS);
    else if (WIFSIGNALED(status))
        name_signal(j, WTERMSIG(status));
    else if (WEXITSTATUS(status) || early)
        say_end(j, "the submission ended by itself, with status %d", WEXITSTATUS(status));
}

/* Take the crash note off what the submission has printed, and say what it says. */
static void read_note(struct lab_job *j, size_t printed)
{
    static struct crash_place place;
    char where[200], address[100] = "";
    if (!j->printed || !j->run.ended || !crash_note_take(j->printed, printed, &place))
        return;
    crash_note_where(&place, j->submission, j->source, where, sizeof where);
    const struct crash_note *n = &place.note;
    if (n->signal == SIGSEGV && n->stack_bytes >= STACK_FULL)
        snprintf(address, sizeof address, " (its stack is full: does a function call itself "
                 "without an end?)");
    else if (n->signal == SIGSEGV || n->signal == SIGBUS)
        snprintf(address, sizeof address, ", 0x%" PRIx64, n->address);
    size_t used = strlen(j->ended);
    snprintf(j->ended + used, sizeof j->ended - used, "%s%s%s", address,
             !where[0] ? "" : n->signal == CRASH_NOTE_ASKED ? "; your part was " : ", ", where);
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
    if (!j->run.trace) {
        lab_ending_find(NULL, NULL, &j->ending);
        return;
    }
    /* none: then without names */
    j->symbols = symbols_open(j->names ? j->names : j->image, why, sizeof why);
    store_set_symbols(j->run.trace, j->symbols);
    j->run.n_exits = count_kind(j->run.trace, "EXIT");
    j->run.n_marks = count_kind(j->run.trace, "MARK");
    const struct trace_event *last = store_at(j->run.trace, store_n_events(j->run.trace) - 1);
    j->run.n_insns = last ? last->icount : 0;
    lab_ending_find(j->run.trace, j->symbols, &j->ending);
}

/* The run is over, by itself or by its deadline. */
static void finish(struct active *a, bool late)
{
    struct lab_job *j = a->job;
    int status = 0;
    size_t bytes, printed = 0;
    if (late && j->submission)
        jail_ask_where(&a->jail, ASK_MS);
    if (late)
        kill(a->monitor, SIGKILL);
    while (waitpid(a->monitor, &status, 0) < 0 && errno == EINTR)
        ;
    j->run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (j->submission) {
        int end = jail_end(&a->jail, late ? 0 : GRACE_MS);
        judge_jail(j, end, a->jail.early);
        j->printed = contents(a->jail.output, &printed);
        close(a->jail.output);
    }
    if (j->submission && !j->run.ended && j->run.status == LAB_STATUS_LOST)
        say_end(j, "the submission has sent a message that makes no sense, and was not asked "
                   "any more", 0);
    if (!late && WIFSIGNALED(status))
        say_end(j, "the monitor itself was ended by signal %d: please report that",
                WTERMSIG(status));
    if (late)
        say_end(j, j->wall_s == 1 ? "it was still running after 1 second"
                                  : "it was still running after %d seconds", (int)j->wall_s);
    read_note(j, printed);
    j->run.output = contents(a->output, &bytes);
    j->said = contents(a->said, &bytes);
    lab_job_open(j);
    close(a->output);
    close(a->said);
    close(a->watch);
}

/* ---- many at once ---- */

/* A guest that is left out because another one hung. */
static void not_run(struct lab_job *j, const struct lab_job *late)
{
    snprintf(j->ended, sizeof j->ended, "not run, because of guest %.40s: %.220s",
             late->guest->name, late->ended);
    j->run.ended = j->ended;
}

/* What a process has had of the processor; 0: it is gone. */
static uint64_t used_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* How long a process could have run and had no processor; 0: that is not known. */
static uint64_t queued_ns(pid_t pid)
{
    char path[40];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "re") : NULL;
    if (f && fscanf(f, "%*u %llu", &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return ns;
}

/* Time is what the two have used, not what has passed: on a machine with much to do they get
 * little.  But one that waits for ever uses none, so what has passed counts, too, without the time
 * that they have stood in the queue for a processor. */
static bool is_late(const struct active *a)
{
    uint64_t now = host_monotonic_ns();
    return used_ns(a->monitor) + used_ns(a->jail.pid) >= a->cpu_ns ||
           (now >= a->deadline_ns &&
            now >= a->deadline_ns + queued_ns(a->monitor) + queued_ns(a->jail.pid));
}

/* Wait until one of them ends or is late, and finish it; its place is free then.  A submission
 * that hangs once will hang again, so after that no other is started: *late_one is the first. */
static unsigned finish_one(struct active *active, unsigned n, const struct lab_job **late_one)
{
    for (;;) {
        for (unsigned i = 0; i < n; i++) {
            struct pollfd p = { .fd = active[i].watch, .events = POLLIN };
            bool late = is_late(&active[i]);
            if (poll(&p, 1, 0) > 0 || late) {
                finish(&active[i], late);
                if (late && !*late_one)
                    *late_one = active[i].job;
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
    const struct lab_job *late = NULL;
    while ((next < n && !err) || running) {
        while (next < n && jobs[next].run.ended)
            next++;
        for (; late && next < n; next++)
            not_run(&jobs[next], late);
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
    free(j->said);
    free(j->printed);
    j->run.trace = NULL;
    j->symbols = NULL;
    j->run.output = j->said = j->printed = NULL;
}
