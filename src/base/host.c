/*
 * base/host.c -- the operating system, as far as the lower layers need it.
 *
 * Memory that processes share, files, clocks, one alarm, and messages to the user.  Everything
 * here is Linux; what it promises is in host.h.  It knows nothing of machines or guests.
 */
#include "base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void (*host_bug_hook)(void);

/* A memfd is a file without a name that lives in memory.  Other processes map it by its
 * descriptor.  The seals promise them that it never becomes smaller: touching a page that a
 * file has lost is SIGBUS.  [memfd_create(2), fcntl(2) "File Sealing"] */
void *host_shared_alloc(const char *name, uint64_t bytes, int *fd)
{
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return NULL;
    if (ftruncate(*fd, (off_t)bytes) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        void *hva = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        if (hva != MAP_FAILED)
            return hva;
    }
    int saved = errno;
    close(*fd);
    *fd = -1;
    errno = saved;
    return NULL;
}

/* ftruncate() alone would leave holes, and the first write into one on a full disk is
 * SIGBUS. */
void *host_shared_file(int fd, uint64_t bytes)
{
    int err = posix_fallocate(fd, 0, (off_t)bytes);
    if (err) {
        errno = err;
        return NULL;
    }
    void *hva = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return hva == MAP_FAILED ? NULL : hva;
}

void host_shared_free(void *hva, uint64_t bytes, int fd)
{
    if (hva)
        munmap(hva, bytes);
    if (fd >= 0)
        close(fd);
}

/* pread() of a hole gives zeros and leaves it a hole; reading through the mapping would
 * allocate it. */
int host_read_at(int fd, uint64_t off, void *buf, uint64_t bytes)
{
    char *to = buf;

    while (bytes) {
        ssize_t n = pread(fd, to, bytes, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        to += n;
        off += (uint64_t)n;
        bytes -= (uint64_t)n;
    }
    return 0;
}

int host_write_at(int fd, uint64_t off, const void *buf, uint64_t bytes)
{
    const char *from = buf;

    while (bytes) {
        ssize_t n = pwrite(fd, from, bytes, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        from += n;
        off += (uint64_t)n;
        bytes -= (uint64_t)n;
    }
    return 0;
}

int host_flush(int fd)
{
    return fdatasync(fd) == 0 ? 0 : -errno;
}

/* Read what fstat promised; a file that shrank meanwhile is shorter, not an error. */
static int read_all(int fd, uint8_t *to, uint64_t *size)
{
    uint64_t done = 0;

    while (done < *size) {
        ssize_t n = read(fd, to + done, *size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    *size = done;
    return 0;
}

/* Is this a file we can read whole?  0, or -errno and a sentence.  Directories,
 * devices and pipes have no size that could be read to. */
static int check_file(const char *path, const struct stat *st, uint64_t max, char *why, size_t n)
{
    if (S_ISDIR(st->st_mode)) {
        snprintf(why, n, "%s: it is a directory, not a file", path);
        return -EISDIR;
    }
    if (!S_ISREG(st->st_mode)) {
        snprintf(why, n, "%s: it is not a regular file; copy its contents into one", path);
        return -EINVAL;
    }
    if ((uint64_t)st->st_size > max) {
        snprintf(why, n, "%s: it has %lld bytes, more than the %llu that are taken", path,
                 (long long)st->st_size, (unsigned long long)max);
        return -EFBIG;
    }
    return 0;
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not wait; check_file() then refuses
 * it. */
int host_read_file(const char *path, uint64_t max, void **bytes, uint64_t *size,
                   char *why, size_t n)
{
    struct stat st;
    int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *bytes = NULL;
    *size = 0;
    if (fd < 0 || fstat(fd, &st)) {
        err = -errno;
        snprintf(why, n, "%s: cannot open it: %s", path, strerror(-err));
        if (fd >= 0)
            close(fd);
        return err;
    }
    err = check_file(path, &st, max, why, n);
    if (!err) {
        *size = (uint64_t)st.st_size;
        *bytes = malloc(*size ? *size : 1);
        err = *bytes ? read_all(fd, *bytes, size) : -ENOMEM;
        if (err)
            snprintf(why, n, "%s: cannot read it: %s", path, strerror(-err));
    }
    close(fd);
    if (err) {
        free(*bytes);
        *bytes = NULL;
        *size = 0;
    }
    return err;
}

/* write() may take less than it was given, or be interrupted by a signal. */
int host_write_all(int fd, const void *data, uint64_t n)
{
    for (const char *at = data; n; ) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        at += put;
        n -= (uint64_t)put;
    }
    return 0;
}

int64_t host_read_some(int fd, void *data, uint64_t n)
{
    ssize_t got;
    do
        got = read(fd, data, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* Pages that are never touched cost nothing, so large tables may be allocated whole. */
void *host_page_alloc(uint64_t bytes)
{
    void *hva = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return hva == MAP_FAILED ? NULL : hva;
}

void host_page_free(void *hva, uint64_t bytes)
{
    if (hva)
        munmap(hva, bytes);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t host_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* sched_yield() because whoever is to answer may need this very processor. */
bool host_ready_soon(struct pollfd *fds, unsigned n)
{
    uint64_t until = host_monotonic_ns() + 50000;
    do {
        if (poll(fds, n, 0) > 0)
            return true;
        sched_yield();
    } while (host_monotonic_ns() < until);
    return false;
}

uint64_t host_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t host_realtime_s(void)
{
    return (uint64_t)time(NULL);
}

/* ---- the alarm ---- */

/* One timer for the process.  SIGALRM is sent to the thread that set it up, whose system
 * calls it interrupts. */
static timer_t alarm_timer;
static void  (*alarm_fn)(void *arg);
static void   *alarm_arg;

static void on_alarm(int signo)
{
    (void)signo;
    if (alarm_fn)
        alarm_fn(alarm_arg);
}

/* The second call, for another machine, only changes whom to call. */
int host_alarm_init(void (*fn)(void *arg), void *arg)
{
    if (!alarm_fn) {
        struct sigaction a = { .sa_handler = on_alarm };
        struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
        ev._sigev_un._tid = gettid();
        if (sigaction(SIGALRM, &a, NULL) || timer_create(CLOCK_MONOTONIC, &ev, &alarm_timer))
            return -errno;
    }
    alarm_arg = arg;
    alarm_fn = fn;
    return 0;
}

/* An absolute time: one that is past already rings at once, so no race with a deadline is
 * lost. */
void host_alarm_at(uint64_t host_ns)
{
    struct itimerspec when = {
        .it_value = { (time_t)(host_ns / 1000000000u), (long)(host_ns % 1000000000u) },
    };
    if (alarm_fn)
        timer_settime(alarm_timer, TIMER_ABSTIME, &when, NULL);
}

/* stderr, for stdout is the guest's serial line. */
void host_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("vitrine: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

void host_bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "vitrine: bug in the monitor at %s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    if (host_bug_hook)
        host_bug_hook();
    abort();
}
