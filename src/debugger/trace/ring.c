/*
 * debugger/trace/ring.c -- making the ring beside a trace file, and copying it
 * while somebody may be writing to it.
 *
 * A copy is made without asking the writer.  An event is whole in it if it has the
 * number that belongs there and the writer, when the copying was over, had not come
 * round to its place again, or had no room there.
 */
#include "debugger/trace/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"

#define MOST_EVENTS (1u << 20)      /* in a ring that is believed */

/* The ring's name; false if that is too long. */
static bool name_of(const char *path, char *name, size_t n)
{
    int len = snprintf(name, n, "%s.ring", path);
    return len > 0 && (size_t)len < n;
}

/* May a file of this name be made or removed?  Yes if it is a plain file or not there at
 * all; a device, a pipe or a symbolic link is somebody's, and is left alone. */
static bool is_ordinary(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 ? errno == ENOENT : S_ISREG(st.st_mode);
}

struct trace *trace_ring_new(const char *path, size_t n_events)
{
    char name[4096];
    if (path && is_ordinary(path) && name_of(path, name, sizeof name) && is_ordinary(name)) {
        unlink(name);           /* whoever reads the old one keeps it */
        int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        struct trace *t = fd >= 0 ? trace_new_in(fd, n_events) : NULL;
        if (t)
            return t;
        if (fd >= 0)
            unlink(name);
    }
    return trace_new(n_events);
}

void trace_ring_remove(const char *path)
{
    char name[4096];
    if (is_ordinary(path) && name_of(path, name, sizeof name) && is_ordinary(name))
        unlink(name);
}

/* ---- who removes it, when the run itself may not ---- */

/* In the child: away from the run's terminal and descriptors, so that no signal and no reader
 * of its output takes it for the run. */
static _Noreturn void keep_ring(const char *path, int sock)
{
    char byte;
    int null = open("/dev/null", O_RDWR);
    setsid();
    dup2(sock, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
        close(fd);
    if (host_read_some(STDIN_FILENO, &byte, 1) == 1)    /* else the run was killed */
        trace_ring_remove(path);
    _exit(0);
}

int trace_ring_keeper(const char *path)
{
    int sock[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        keep_ring(path, sock[1]);
    close(sock[1]);
    if (pid > 0)
        return sock[0];
    close(sock[0]);
    return -1;
}

void trace_ring_release(int keeper)
{
    char byte = 0;
    if (host_write_all(keeper, &byte, 1) == 0)
        host_read_some(keeper, &byte, 1);               /* the end: the keeper has ended */
    close(keeper);
}

int trace_ring_open(const char *path)
{
    char name[4096];
    return name_of(path, name, sizeof name) ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
}

/* The copy is made while the writer goes on.  The head is read before the events and again
 * after them: the writer may have overwritten every event up to (new head + 1 - size) while
 * we copied, so those are declared gone by raising the copy's tail. */
struct trace_ring *trace_ring_copy(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct trace_ring)
        || (uint64_t)st.st_size > sizeof(struct trace_ring)
                                  + (uint64_t)MOST_EVENTS * sizeof(struct trace_event) + PAGE_SIZE)
        return NULL;
    size_t bytes = (size_t)st.st_size,
           most = (bytes - sizeof(struct trace_ring)) / sizeof(struct trace_event);
    struct trace_ring *copy = malloc(bytes), after;
    if (copy && host_read_at(fd, 0, copy, bytes) == 0 && copy->size && copy->size <= most
        && !(copy->size & (copy->size - 1)) && host_read_at(fd, 0, &after, sizeof after) == 0) {
        /* From here on, `tail` is the last event that may be half overwritten. */
        uint64_t reached = after.head + 1 > after.size ? after.head + 1 - after.size : 0;
        copy->tail = reached < after.tail ? reached : after.tail;
        return copy;
    }
    free(copy);
    return NULL;
}

const struct trace_event *trace_ring_event(const struct trace_ring *copy, uint64_t seq)
{
    const struct trace_event *e = &copy->event[seq & (copy->size - 1)];
    return seq > copy->tail && seq <= copy->head && e->seq == seq ? e : NULL;
}
