/*
 * debugger/tui/guard.c -- gives the terminal back when the TUI no longer can.
 *
 * No process can do anything about its own SIGKILL.  So the TUI is a child of a
 * process that does nothing but wait for it: what the terminal was like is known
 * before the fork, and whatever ends the child, the parent can restore it.
 *
 *     shell -- vitrine (this parent, waits) -- vitrine (the child: the TUI)
 *
 * To the shell the two are one job [glibc manual, "Job Control"].  The parent stops when
 * the child has stopped (by then the child has given the terminal back), passes on signals
 * that are sent to it, and ends with the child's status.
 */
#include "debugger/tui/guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "debugger/tui/term.h"

static pid_t guarded;           /* the child; at file scope for pass_to_child(), a signal handler */

static void pass_to_child(int signo) { kill(guarded, signo); }

/* In the parent.  What the keyboard sends (Ctrl-C, Ctrl-Z) goes to the whole job, so the
 * child has it already and the parent must not act on it.  What is sent with kill goes to
 * the parent alone, which passes it on. */
static void settle_signals(void)
{
    static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, SIGTTIN, SIGPIPE };
    static const int passed[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
    for (size_t i = 0; i < NELEM(ignored); i++)
        signal(ignored[i], SIG_IGN);
    for (size_t i = 0; i < NELEM(passed); i++)
        sigaction(passed[i],
                  &(struct sigaction){ .sa_handler = pass_to_child, .sa_flags = SA_RESTART }, NULL);
}

/* Wait until the child has ended; returns how, as waitpid() tells.  If it only stops, stop
 * too, so that the shell sees its job stopped; when the shell continues the job, let the
 * child go on. */
static int wait_for(pid_t child)
{
    int how = 0;
    for (;;) {
        pid_t got = waitpid(child, &how, WUNTRACED);
        if (got < 0 && errno != EINTR)
            return 0;
        if (got != child)
            continue;
        if (!WIFSTOPPED(how))
            return how;
        raise(SIGSTOP);         /* comes back when the shell continues us */
        kill(child, SIGCONT);
    }
}

/* PR_SET_PDEATHSIG: if somebody kills the parent, the child gets a SIGTERM, gives the
 * terminal back and ends.  The parent may have died before that call; then the child has
 * another parent by now. */
bool tui_guard(int *status)
{
    if (!tui_term_prepare())
        return true;            /* nothing to guard */
    pid_t parent = getpid();
    guarded = fork();
    if (guarded < 0)
        return true;            /* it works without */
    if (guarded == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            raise(SIGTERM);
        return true;
    }
    settle_signals();
    int how = wait_for(guarded);
    *status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    if (WIFSIGNALED(how)) {
        tui_term_give_back();
        host_say("the TUI was ended by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    }
    return false;
}
