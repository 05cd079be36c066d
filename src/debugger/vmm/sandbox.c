/*
 * debugger/vmm/sandbox.c -- the allow-list, and the filter made of it.
 *   [Linux "Seccomp BPF (SECure COMPuting with filters)", "Landlock: unprivileged access control"]
 */
#include "debugger/vmm/sandbox.h"

#include <errno.h>
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
#include <sys/syscall.h>
#include <unistd.h>

/*    call              one line */
#define SYSCALL_LIST(X)                                                      \
    X(recvmsg,          "requests")                                          \
    X(recvfrom,         "requests")                                          \
    X(sendmsg,          "replies")                                           \
    X(sendto,           "replies")                                           \
    X(poll,             "is there a request?")                               \
    X(ppoll,            "the same")                                          \
    X(read,             "userfaultfd's events")                              \
    X(pread64,          "guest memory through its memfd")                    \
    X(write,            "words on stderr")                                   \
    X(writev,           "the same")                                          \
    X(brk,              "memory")                                            \
    X(munmap,           "memory")                                            \
    X(mremap,           "memory")                                            \
    X(madvise,          "memory")                                            \
    X(futex,            "locks")                                             \
    X(sched_yield,      "locks")                                             \
    X(nanosleep,        "waiting for room in the trace ring")                \
    X(clock_nanosleep,  "the same")                                          \
    X(clock_gettime,    "where the vDSO cannot")                             \
    X(gettimeofday,     "the same")                                          \
    X(time,             "the same")                                          \
    X(timer_settime,    "the alarm clock")                                   \
    X(set_robust_list,  "a thread of kvm's that has just been started")      \
    X(rseq,             "the same")                                          \
    X(rt_sigprocmask,   "signals")                                           \
    X(rt_sigreturn,     "signals")                                           \
    X(sigaltstack,      "signals")                                           \
    X(sysinfo,          "qsort() of much")                                   \
    X(getpid,           "abort()")                                           \
    X(gettid,           "abort()")                                           \
    X(restart_syscall,  "after SIGSTOP")                                     \
    X(close,            "giving up more")                                    \
    X(fstat,            "stdio")                                             \
    X(exit,             "the end")                                           \
    X(exit_group,       "the end")

/* Sanitizers look at the process when they report. */
#if defined(__SANITIZE_ADDRESS__)
#define MORE_SYSCALLS(X) X(openat, "") X(readlink, "") X(readlinkat, "") X(stat, "") X(newfstatat, "") \
    X(prctl, "") X(getrlimit, "") X(prlimit64, "") X(rt_sigaction, "") X(getrandom, "") X(sched_getaffinity, "") \
    X(clone, "") X(clone3, "") X(wait4, "") X(pipe, "") X(pipe2, "") X(ioctl, "") X(dup2, "") \
    X(process_vm_readv, "") X(ptrace, "") X(lseek, "") X(fcntl, "")
#else
#define MORE_SYSCALLS(X)
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOW(i)       (offsetof(struct seccomp_data, args) + 8 * (i))
#define LOAD_ARG(i)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(i))
#define ALLOW        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define DIE          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW_CALL(name, about) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), ALLOW,
#define X32 0x40000000u             /* the other ABI's numbers */

/* Memory may be mapped, but nothing executable. */
#define ALLOW_DATA_ONLY(name)                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4),                  \
    LOAD_ARG(2), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), REFUSE, ALLOW

static long refused;

/* Says which call, in a handler's few means, and ends. */
static void on_sigsys(int signo, siginfo_t *info, void *context)
{
    static const char text[] = "vitrine: the sandbox refused the monitor system call ";
    char number[12];
    size_t n = sizeof number;
    (void)signo, (void)context;
    refused = info->si_syscall;
    number[--n] = '\n';
    do
        number[--n] = (char)('0' + refused % 10);
    while ((refused /= 10) && n);
    if (write(STDERR_FILENO, text, sizeof text - 1) >= 0 &&
        write(STDERR_FILENO, number + n, sizeof number - n) >= 0)
        _exit(SANDBOX_EXIT);
    _exit(SANDBOX_EXIT);
}

static int complain(char *why, size_t n, const char *what)
{
    int err = -errno;
    snprintf(why, n, "the monitor cannot be locked in: %s: %s", what, strerror(errno));
    return err;
}

/* No file can be opened any more.  A kernel without Landlock is no error. */
static void forbid_files(void)
{
    struct landlock_ruleset_attr all = { .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
    int fd = (int)syscall(__NR_landlock_create_ruleset, &all, sizeof all, 0);
    if (fd < 0)
        return;
    syscall(__NR_landlock_restrict_self, fd, 0);
    close(fd);
}

static int install_filter(bool kvm)
{
    struct sock_filter code[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), DIE,
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), DIE,
        SYSCALL_LIST(ALLOW_CALL)
        MORE_SYSCALLS(ALLOW_CALL)
        ALLOW_DATA_ONLY(mmap),
        ALLOW_DATA_ONLY(mprotect),
        /* tgkill: itself only, for abort() and to kick its own vCPU */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 0, 4),
        LOAD_ARG(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1, 0), REFUSE, ALLOW,
        /* ioctl: KVM's and userfaultfd's */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kvm ? __NR_ioctl : ~0u, 0, 5),
        LOAD_ARG(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xae00, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xaa00, 0, 1), ALLOW,
        REFUSE,
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

int sandbox_enter(bool kvm, char *why, size_t n)
{
    struct sigaction a = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };
    if (sigaction(SIGSYS, &a, NULL))
        return complain(why, n, "SIGSYS");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return complain(why, n, "no_new_privs");
    forbid_files();
    if (install_filter(kvm))
        return complain(why, n, "seccomp");
    return 0;
}
