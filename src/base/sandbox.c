/*
 * base/sandbox.c -- the list of allowed system calls, and the filter made of it.
 *   [Linux "Seccomp BPF (SECure COMPuting with filters)", "Landlock: unprivileged access control"]
 *
 * The filter is a program of the kernel's packet-filter machine.  It runs at every system
 * call, on a struct seccomp_data: the call's number and its six arguments.  Whether a number
 * is always allowed the kernel finds out once and keeps in a bitmap, so calls of the list
 * cost nothing; the few whose arguments are looked at (ioctl, mmap, mprotect, tgkill) run
 * the program, and ioctl comes first, for KVM_RUN is called at every exit.
 *
 * The list is what strace shows of runs on both engines, behind a debugger and without one;
 * and what only happens in trouble: abort(), Ctrl-Z, a full trace ring, a stop by SIGSTOP.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANY 0                       /* whatever rights were asked for */

/*    call              for whom           one line */
#define SYSCALL_LIST(X)                                                                    \
    X(read,             ANY,               "keys; userfaultfd's events; a snapshot")       \
    X(write,            ANY,               "output, the trace, a recording")               \
    X(pread64,          ANY,               "guest memory through its memfd")               \
    X(close,            ANY,               "files that are complete")                      \
    X(brk,              ANY,               "memory")                                       \
    X(munmap,           ANY,               "memory")                                       \
    X(mremap,           ANY,               "memory: realloc() of much")                    \
    X(madvise,          ANY,               "memory: a thread's stack when it ends")        \
    X(futex,            ANY,               "locks")                                        \
    X(clock_gettime,    ANY,               "processor time, and where the vDSO cannot")    \
    X(timer_settime,    ANY,               "the alarm clock")                              \
    X(rt_sigprocmask,   ANY,               "abort()")                                      \
    X(rt_sigreturn,     ANY,               "the end of every signal handler")              \
    X(restart_syscall,  ANY,               "a wait that SIGSTOP interrupted")              \
    X(sysinfo,          ANY,               "qsort() of much: how much memory is there?")   \
    X(getpid,           ANY,               "abort(); a kick of the vCPU's thread")         \
    X(gettid,           ANY,               "abort()")                                      \
    X(exit,             ANY,               "the end of a thread")                          \
    X(exit_group,       ANY,               "the end")                                      \
    X(poll,             SANDBOX_SOCKET | SANDBOX_KVM, "requests; userfaultfd's events")    \
    X(recvmsg,          SANDBOX_SOCKET,    "requests")                                     \
    X(sendmsg,          SANDBOX_SOCKET,    "replies")                                      \
    X(sched_yield,      SANDBOX_SOCKET,    "waiting for a request that is about to come")  \
    X(clock_nanosleep,  SANDBOX_SOCKET,    "waiting for room in the trace ring")           \
    X(pwrite64,         SANDBOX_DISK,      "a sector into its image")                      \
    X(fdatasync,        SANDBOX_DISK,      "FLUSH CACHE of such a disk")                   \
    X(ppoll,            SANDBOX_TERMINAL,  "is there a key?")                              \
    X(newfstatat,       SANDBOX_TERMINAL,  "stdio, at the first output")                   \
    X(rt_sigaction,     SANDBOX_TERMINAL,  "Ctrl-Z: stop as if there were no handler")

/* Sanitizers look at the process when they report.  These come before all others. */
#if defined(__SANITIZE_ADDRESS__)
#define MORE_SYSCALLS(X) \
    X(openat) X(readlink) X(readlinkat) X(stat) \
    X(newfstatat) X(prctl) X(getrlimit) X(prlimit64) \
    X(rt_sigaction) X(getrandom) X(sched_getaffinity) \
    X(clone) X(clone3) X(wait4) X(pipe) \
    X(pipe2) X(ioctl) X(dup2) X(process_vm_readv) \
    X(ptrace) X(lseek) X(fcntl) X(ppoll) \
    X(poll) X(sigaltstack) X(sched_yield) X(writev) \
    X(rseq) X(set_robust_list) X(gettimeofday) \
    X(clock_nanosleep)
#else
#define MORE_SYSCALLS(X)
#endif

/* The machine has an accumulator.  LOAD puts a word of seccomp_data into it, IF_EQUAL skips
 * so many instructions if it is, or is not, equal to k, and the rest end the program with a
 * verdict.  Arguments are 64 bits; LOAD_ARG takes the low half, which is all that the
 * kernel looks at here. */
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOW(i)       (offsetof(struct seccomp_data, args) + 8 * (i))
#define LOAD_ARG(i)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(i))
#define ALLOW        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define DIE          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define IF_EQUAL(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), yes, no)
#define X32 0x40000000u             /* the other ABI's numbers */

/* The number of the call that on_sigsys() is about. */
static long refused_call;

/* Say which call it was, with what a signal handler may use, and end. */
static void on_sigsys(int signo, siginfo_t *info, void *context)
{
    static const char text[] = "vitrine: the sandbox refused the monitor system call ";
    char number[12];
    size_t n = sizeof number;
    (void)signo, (void)context;
    refused_call = info->si_syscall;
    number[--n] = '\n';
    do
        number[--n] = (char)('0' + refused_call % 10);
    while ((refused_call /= 10) && n);
    if (write(STDERR_FILENO, text, sizeof text - 1) >= 0 &&
        write(STDERR_FILENO, number + n, sizeof number - n) >= 0)
        _exit(SANDBOX_EXIT);
    _exit(SANDBOX_EXIT);
}

/* The sentence for the user, with what errno says; returns -errno. */
static int explain_failure(char *why, size_t n, const char *what)
{
    int err = -errno;
    snprintf(why, n, "the monitor cannot be locked in: %s: %s", what, strerror(errno));
    return err;
}

/* Landlock: no file can be opened, made or removed any more, and no rule says otherwise.
 * It counts for this thread and those it makes; for others the filter must do.  A kernel
 * without Landlock is no error. */
static void forbid_files(void)
{
    struct landlock_ruleset_attr all = {
        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    };
    int fd = (int)syscall(__NR_landlock_create_ruleset, &all, sizeof all, 0);
    if (fd < 0)
        return;
    syscall(__NR_landlock_restrict_self, fd, 0);
    close(fd);
}

/* ---- the filter, written piece by piece ---- */

/* The program so far. */
struct filter { struct sock_filter code[256]; unsigned short n; };

static void append_code(struct filter *f, const struct sock_filter *part, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f->code[f->n++] = part[i];
}

#define ADD(f, ...) do {                                                     \
        const struct sock_filter part[] = { __VA_ARGS__ };                   \
        append_code(f, part, NELEM(part));                                   \
    } while (0)

/* First the architecture: a 32-bit system call has other numbers, and so have those of the
 * x32 ABI.  Either ends the process. */
static void add_head(struct filter *f)
{
    ADD(f, LOAD(arch), IF_EQUAL(AUDIT_ARCH_X86_64, 1, 0), DIE,
        LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), DIE);
}

/* By the request's number.  KVM's and userfaultfd's are known by their second byte; of a
 * terminal's only two: TIOCSTI, which types for the user, is not one of them. */
static void add_ioctl(struct filter *f, unsigned rights)
{
    const uint32_t none = ~0u;
    ADD(f, IF_EQUAL(__NR_ioctl, 0, 8), LOAD_ARG(1),
        IF_EQUAL(rights & SANDBOX_TERMINAL ? TCGETS : none, 5, 0),
        IF_EQUAL(rights & SANDBOX_TERMINAL ? TCSETS : none, 4, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rights & SANDBOX_KVM ? 0xff00 : 0),
        IF_EQUAL(KVMIO << 8, 2, 0), IF_EQUAL(UFFDIO << 8, 1, 0),
        REFUSE, ALLOW);
}

/* What sanitizers need, if the program was built with one. */
static void add_more(struct filter *f)
{
    (void)f;
#define X(name) ADD(f, IF_EQUAL(__NR_##name, 0, 1), ALLOW);
    MORE_SYSCALLS(X)
#undef X
}

/* Two instructions for each call of the list that these rights include. */
static void add_list(struct filter *f, unsigned rights)
{
#define X(name, whom, about)                                                 \
    if (!(whom) || (whom) & rights)                                          \
        ADD(f, IF_EQUAL(__NR_##name, 0, 1), ALLOW);
    SYSCALL_LIST(X)
#undef X
}

/* Memory may be mapped and its protection changed, but nothing becomes executable: code that
 * somebody smuggles in stays data. */
static void add_data_only(struct filter *f, unsigned call)
{
    ADD(f, IF_EQUAL(call, 0, 4), LOAD_ARG(2),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), REFUSE, ALLOW);
}

/* A signal, to this process only: abort(), Ctrl-Z, and a kick of its own vCPU. */
static void add_tgkill(struct filter *f)
{
    ADD(f, IF_EQUAL(__NR_tgkill, 0, 4), LOAD_ARG(0), IF_EQUAL(getpid(), 1, 0), REFUSE, ALLOW);
}

/* Without SPEC_ALLOW some kernels slow a filtered process down by a half, to guard secrets in
 * it against itself; ours has none.  Kernels before 4.17 do not know the word. */
static int install_filter(const struct filter *f)
{
    struct sock_fprog program = { f->n, (struct sock_filter *)(uintptr_t)f->code };
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;         /* all threads */
    if (!syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                 &program))
        return 0;
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* The order counts: the handler of SIGSYS first, then the promise never to gain privileges
 * (without which an ordinary user may install no filter), then Landlock, whose calls the
 * filter would refuse. */
/* LeakSanitizer looks for leaks when a process ends, by a thread that traces the others.  The
 * filter forbids that, and it would wait for ever: so it is told not to, once the filter is on.
 * [sanitizer/lsan_interface.h] */
static bool is_locked_in;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_locked_in;
}

int sandbox_enter(unsigned rights, char *why, size_t n)
{
    struct sigaction a = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };
    struct filter f = { .n = 0 };
    add_head(&f);
    add_more(&f);
    add_ioctl(&f, rights);
    add_list(&f, rights);
    add_data_only(&f, __NR_mmap);
    add_data_only(&f, __NR_mprotect);
    add_tgkill(&f);
    ADD(&f, REFUSE);
    if (sigaction(SIGSYS, &a, NULL))
        return explain_failure(why, n, "SIGSYS");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return explain_failure(why, n, "no_new_privs");
    forbid_files();
    if (install_filter(&f))
        return explain_failure(why, n, "seccomp");
    is_locked_in = true;
    return 0;
}
