/* the submission was ended by signal 31, SIGSYS: it made a system call that it may not */
#include <sys/ptrace.h>
#include <unistd.h>
__attribute__((constructor)) static void forge(void)
{
    ptrace(PTRACE_ATTACH, getpid(), NULL, NULL);
}
