/*
 * bench/bench_start.c -- from exec to the guest, from there to the end, and the memory it takes.
 *   run    make bench
 *
 * A boot sector begins by printing a newline, which comes to us through a pipe
 * at once, and then ends the run.  So the first time has fork, exec, building
 * the machine, our BIOS, the first two instructions and a write in it; the
 * second is what taking the machine down costs (with kvm, the kernel's share of
 * it).  Memory is the largest resident set, with the few pages of guest RAM
 * that the run touched in it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/abi.h"
#include "bench/bench.h"

#define RUNS (2 * BENCH_RUNS)

struct sample { double start_ms, end_ms, mib; int status; };

static struct sample run_once(char *const argv[])
{
    struct rusage use;
    int status = -1;
    char byte;
    int say[2];
    bug_if(pipe(say), "no pipe");
    uint64_t start = host_monotonic_ns();
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(say[1], 1);
        dup2(null, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    close(say[1]);
    bool said = read(say[0], &byte, 1) == 1;
    uint64_t there = host_monotonic_ns();
    bug_if(pid < 0 || wait4(pid, &status, 0, &use) != pid, "cannot run %s", argv[0]);
    uint64_t end = host_monotonic_ns();
    close(say[0]);
    return (struct sample){ (double)(there - start) / 1e6, (double)(end - there) / 1e6,
                            (double)use.ru_maxrss / 1024,
                            said && WIFEXITED(status) ? WEXITSTATUS(status) : 128 };
}

static bool bench_engine(const char *vitrine, const char *engine, const char *guest)
{
    char *const argv[] = { (char *)(uintptr_t)vitrine, "run", "--cpu", (char *)(uintptr_t)engine,
                           "--quiet", "--mem", "64M", (char *)(uintptr_t)guest, NULL };
    double start_ms[RUNS], end_ms[RUNS], mib[RUNS];
    char what[80];
    for (unsigned i = 0; i < RUNS; i++) {
        struct sample s = run_once(argv);
        if (s.status != 7) {
            printf("%-4s cannot run it (status %d)\n", engine, s.status);
            return strcmp(engine, "soft") != 0;     /* it is the one that needs nothing */
        }
        start_ms[i] = s.start_ms;
        end_ms[i] = s.end_ms;
        mib[i] = s.mib;
    }
    snprintf(what, sizeof what, "%s: start to the first guest instruction", engine);
    bool met = bench_report(what, bench_settle(start_ms, RUNS), "ms", 20);
    snprintf(what, sizeof what, "%s: from there to the end of the process", engine);
    bench_report(what, bench_settle(end_ms, RUNS), "ms", 0);
    snprintf(what, sizeof what, "%s: resident, with touched guest RAM", engine);
    return bench_report(what, bench_settle(mib, RUNS), "MiB", 16) && met;
}

int main(int argc, char **argv)
{
    /* MOV AL,'\n'; OUT e9h,AL; MOV AL,7; OUT f4h,AL */
    static const uint8_t code[] = { 0xb0, '\n', 0xe6, PORT_DEBUGCON, 0xb0, 7, 0xe6, PORT_EXIT };
    uint8_t sector[512] = { [510] = 0x55, [511] = 0xaa };
    char guest[] = "/tmp/vitrine-bench-XXXXXX";
    const char *vitrine = argc > 1 ? argv[1] : "build/vitrine";
    int fd = mkstemp(guest);
    memcpy(sector, code, sizeof code);
    bug_if(fd < 0 || write(fd, sector, sizeof sector) != sizeof sector, "cannot write %s", guest);
    close(fd);
    bool met = bench_engine(vitrine, "soft", guest);
    met &= bench_engine(vitrine, "kvm", guest);
    unlink(guest);
    return met ? 0 : 1;
}
