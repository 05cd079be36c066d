/*
 * base/host.h -- everything the lower layers want of the operating system.
 *
 * A bare-metal monitor would replace host.c and nothing else of base/.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <poll.h>
#include <stdarg.h>

#include "base/types.h"

/* Anonymous shared memory of `bytes` (a multiple of 4096), mapped read-write.
 * *fd is its memfd.  NULL and errno if the host refuses. */
void *host_shared_alloc(const char *name, uint64_t bytes, int *fd);
/* The same in a file that is open; its room is taken now, so that a disk that gets full
 * does no harm.  NULL and errno; fd stays the caller's. */
void *host_shared_file(int fd, uint64_t bytes);
void  host_shared_free(void *hva, uint64_t bytes, int fd);

/* Copy bytes out of a file that is open, from offset `off`; the place of its next read() stays.  Of
 * a memfd no mapping is touched, so no page is populated by looking.  0; -EIO if the file ends
 * before; or -errno. */
int   host_read_at(int fd, uint64_t off, void *buf, uint64_t bytes);

/* The other way: n bytes into a file that is open, at `off`; and what was written so far onto the
 * medium.  0 or -errno. */
int   host_write_at(int fd, uint64_t off, const void *buf, uint64_t bytes);
int   host_flush(int fd);

/* A regular file's contents, at most `max` bytes, in memory to be freed by
 * free().  0; or -errno, *bytes NULL and one sentence in why. */
int   host_read_file(const char *path, uint64_t max, void **bytes, uint64_t *size,
                     char *why, size_t n);

/* An open file: all n bytes out, 0 or -errno; some bytes in, 0 at its end, or -errno. */
int     host_write_all(int fd, const void *data, uint64_t n);
int64_t host_read_some(int fd, void *data, uint64_t n);

/* Zeroed, page-aligned private memory; NULL and errno. */
void *host_page_alloc(uint64_t bytes);
void  host_page_free(void *hva, uint64_t bytes);

/* Is one of these descriptors ready, or soon?  Looks for some 50 us without sleeping: between
 * two processes that answer each other, being woken costs more than the answer. */
bool host_ready_soon(struct pollfd *fds, unsigned n);

uint64_t host_monotonic_ns(void);
uint64_t host_cpu_ns(void);             /* that this thread has used */
uint64_t host_realtime_s(void);

/* An alarm clock: fn(arg) is called in a signal handler of the thread that set
 * it up, once, at host_ns of host_monotonic_ns() (0: never).  One per process. */
int  host_alarm_init(void (*fn)(void *arg), void *arg);    /* 0, -errno */
void host_alarm_at(uint64_t host_ns);

/* One line for the user on stderr: "vitrine: ...".  Our voice, so no newline in fmt. */
void host_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Our own mistake: say where, show the last trace events, abort. */
_Noreturn void host_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define bug(...)        host_bug(__FILE__, __LINE__, __VA_ARGS__)
#define bug_if(c, ...)  do { if (c) bug(__VA_ARGS__); } while (0)

/* Called by host_bug() before abort(), to show what led here. */
extern void (*host_bug_hook)(void);

#endif
