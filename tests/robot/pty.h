/*
 * tests/robot/pty.h -- a program on a terminal of ours: for the robot and bench_tui.
 */
#ifndef TESTS_ROBOT_PTY_H
#define TESTS_ROBOT_PTY_H

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct pty { int fd; pid_t pid; };

/* argv[0] is found as the shell would; rows and columns are the terminal's. */
static inline bool pty_start(struct pty *p, char **argv, unsigned short rows, unsigned short columns)
{
    struct winsize size = { .ws_row = rows, .ws_col = columns };
    p->pid = forkpty(&p->fd, NULL, NULL, &size);
    if (p->pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (p->pid > 0)
        fcntl(p->fd, F_SETFL, O_NONBLOCK);
    return p->pid > 0;
}

static inline void pty_resize(struct pty *p, unsigned short rows, unsigned short columns)
{
    struct winsize size = { .ws_row = rows, .ws_col = columns };
    ioctl(p->fd, TIOCSWINSZ, &size);
}

/* What it has written, thrown away: how many bytes; waits at most timeout_ms for the first. */
static inline size_t pty_drain(struct pty *p, int timeout_ms)
{
    char buf[65536];
    size_t n = 0;
    struct pollfd fd = { .fd = p->fd, .events = POLLIN };
    if (poll(&fd, 1, timeout_ms) <= 0)
        return 0;
    for (ssize_t got; (got = read(p->fd, buf, sizeof buf)) > 0; )
        n += (size_t)got;
    return n;
}

#endif
