/*
 * cmd/paginate.c -- a child process between us and the terminal.
 *
 *     standard output --> pipe --> sh -c "$PAGER" --> terminal
 *
 * Without a terminal, or if the child cannot be started, nothing changes.
 */
#include "cmd/paginate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: the pipe is its input.  less leaves at once what fits on a screen (F), shows
 * colours (R) and leaves its text on the terminal (X), unless the user has chosen otherwise.  If
 * there is no such program, status 127 of the shell, cat shows what would be lost. */
static void become_pager(const char *pager, const int ends[2])
{
    char command[1000];
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    setenv("LESS", "FRX", 0);
    snprintf(command, sizeof command, "%s; [ $? = 127 ] && exec cat", pager);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

pid_t paginate_start(void)
{
    const char *pager = getenv("PAGER");
    int ends[2];
    if (!pager)
        pager = "less";
    if (!isatty(STDOUT_FILENO) || !*pager || strlen(pager) > 900 || strcmp(pager, "cat") == 0 ||
        pipe(ends))
        return 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        become_pager(pager, ends);
    if (child > 0) {
        dup2(ends[1], STDOUT_FILENO);
        signal(SIGPIPE, SIG_IGN);       /* the user may leave before all is printed */
        signal(SIGINT, SIG_IGN);        /* Ctrl-C is the pager's */
    }
    close(ends[0]);
    close(ends[1]);
    return child > 0 ? child : 0;
}

/* With stdout the pipe is closed, and the pager sees the end of its input. */
void paginate_wait(pid_t pager)
{
    int status;
    if (!pager)
        return;
    fclose(stdout);
    while (waitpid(pager, &status, 0) < 0 && errno == EINTR)
        ;
}
