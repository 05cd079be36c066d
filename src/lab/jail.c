/*
 * lab/jail.c -- from fork() to a locked-in execve().
 */
#include "lab/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/crash_note.h"
#include "lab/wire.h"

#define NOBODY      65534
#define PROGRAM_FD  4               /* where the child keeps its program until it is executed */
#define FAILED      127             /* status of a child that could not be locked in          */

/* What a static C program needs to start, compute, talk over its wire and end. */
#define JAIL_CALLS(X)                                                        \
    X(read) X(write) X(writev) X(close) X(brk) X(mmap) X(munmap) X(mremap)   \
    X(mprotect) X(madvise) X(futex) X(lseek) X(newfstatat) X(fstat)          \
    X(exit) X(exit_group) X(execveat) X(arch_prctl) X(set_tid_address)       \
    X(set_robust_list) X(rseq) X(prlimit64) X(readlink) X(readlinkat)        \
    X(getrandom) X(rt_sigprocmask) X(rt_sigaction) X(rt_sigreturn)           \
    X(sigaltstack) X(clock_gettime) X(gettid) X(getpid) X(sysinfo)

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IF_EQUAL(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), yes, no)
#define RETURN(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)
#define X32 0x40000000u

/* abort() sends a signal with tgkill(): to itself it may.  Any other call is not made.  SIGSYS
 * comes in its place, which ends the process; the handler of lab/common/last_note.c says before
 * from where.  (A submission that handles SIGSYS itself lives on, and has got nothing by its
 * call.) */
static int lock_calls(void)
{
    struct sock_filter code[] = {
        LOAD(arch), IF_EQUAL(AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
#define X(name) IF_EQUAL(__NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW),
        JAIL_CALLS(X)
#undef X
        IF_EQUAL(__NR_tgkill, 0, 3), LOAD(args[0]), IF_EQUAL(getpid(), 0, 1),
        RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = { NELEM(code), code };
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                        &program);
}

/* Only the program itself may be read and executed.  A kernel without Landlock leaves it to the
 * filter, which lets nothing be opened. */
static int lock_files(void)
{
    struct landlock_ruleset_attr all = {
        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    };
    struct landlock_path_beneath_attr itself = {
        .allowed_access = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = PROGRAM_FD,
    };
    int rules = (int)syscall(__NR_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
    if (syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &itself, 0) ||
        syscall(__NR_landlock_restrict_self, rules, 0))
        return -1;
    return close(rules);
}

static int limit(int what, rlim_t most)
{
    return setrlimit(what, &(struct rlimit){ most, most });
}

static int lock_resources(const struct jail_limits *l)
{
    return limit(RLIMIT_AS, l->memory) || limit(RLIMIT_CPU, l->seconds) ||
           limit(RLIMIT_FSIZE, l->output) || limit(RLIMIT_CORE, 0) || limit(RLIMIT_NPROC, 0) ||
           limit(RLIMIT_NOFILE, PROGRAM_FD + 2) ? -1 : 0;
}

/* A grader that runs as root must not lend that to the submission. */
static int become_nobody(void)
{
    if (geteuid())
        return 0;
    return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
           setresuid(NOBODY, NOBODY, NOBODY) ? -1 : 0;
}

/* The child's descriptors: nothing to read, its output, its wire, its program.  High numbers
 * first, so that none is overwritten before it was moved. */
static int place_descriptors(int output, int wire, int program)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high[] = { fcntl(nothing, F_DUPFD, 64), fcntl(output, F_DUPFD, 64),
                   fcntl(wire, F_DUPFD, 64), fcntl(program, F_DUPFD, 64) };
    if (dup2(high[0], 0) < 0 || dup2(high[1], 1) < 0 || dup2(high[1], 2) < 0 ||
        dup2(high[2], LAB_WIRE_FD) < 0 || dup3(high[3], PROGRAM_FD, O_CLOEXEC) < 0)
        return -1;
    return (int)syscall(__NR_close_range, PROGRAM_FD + 1, ~0u, 0);
}

static void child(int output, int wire, int program, const struct jail_limits *limits)
{
    char *argv[] = { "submission", NULL }, *envp[] = { NULL };
    signal(SIGPIPE, SIG_DFL);
    /* Becoming another user takes the wish to die with the grader back, so it comes behind that.
     * [prctl(2), PR_SET_PDEATHSIG] */
    if (!place_descriptors(output, wire, program) && !become_nobody() &&
        !prctl(PR_SET_PDEATHSIG, SIGKILL) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
        !lock_files() && !lock_resources(limits) && !lock_calls())
        syscall(__NR_execveat, PROGRAM_FD, "", argv, envp, AT_EMPTY_PATH);
    dprintf(2, "cannot be locked in: %s\n", strerror(errno));
    _exit(FAILED);
}

int jail_start(struct jail *j, const char *program, const struct jail_limits *limits,
               char *why, size_t n)
{
    int ends[2] = { -1, -1 }, err;
    int fd = open(program, O_PATH | O_CLOEXEC);
    j->output = memfd_create("submission-output", MFD_CLOEXEC);
    if (fd < 0 || j->output < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) || (j->pid = fork()) < 0) {
        err = -errno;
        snprintf(why, n, "cannot start %s: %s", program, strerror(errno));
        close(fd), close(j->output), close(ends[0]), close(ends[1]);
        j->pid = j->output = -1;
        return err;
    }
    if (j->pid == 0)
        child(j->output, ends[1], fd, limits);
    close(fd);
    close(ends[1]);
    j->wire = ends[0];
    return 0;
}

void jail_ask_where(struct jail *j, unsigned ms)
{
    siginfo_t info = { .si_pid = 0 };
    kill(j->pid, CRASH_NOTE_ASKED);
    while (ms-- && !waitid(P_PID, (id_t)j->pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
           !info.si_pid)
        usleep(1000);
}

int jail_end(struct jail *j, unsigned grace_ms)
{
    int status = 0;
    j->early = waitpid(j->pid, &status, WNOHANG) == j->pid;
    close(j->wire);
    if (j->early)
        return status;
    for (unsigned ms = 0; waitpid(j->pid, &status, WNOHANG) == 0; ms++) {
        if (ms == grace_ms)
            kill(j->pid, SIGKILL);
        usleep(1000);
    }
    return status;
}
