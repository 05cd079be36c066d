/*
 * bench/bench_start.c -- from exec to the guest, and the memory it takes.
 *   run    make bench
 *
 * A boot sector whose first instruction ends the run is run whole: exec,
 * building the machine, our BIOS, that instruction, taking the machine down
 * again.  That is more than "start to first guest instruction", so what meets
 * the target here meets it there.  Memory is the largest resident set, with
 * the few pages of guest RAM that the run touched in it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/abi.h"
#include "bench/bench.h"

struct sample { double ms, mib; int status; };

static struct sample run_once(char *const argv[])
{
    struct rusage use;
    int status = -1;
    uint64_t start = host_monotonic_ns();
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    bug_if(pid < 0 || wait4(pid, &status, 0, &use) != pid, "cannot run %s", argv[0]);
    return (struct sample){ (double)(host_monotonic_ns() - start) / 1e6,
                            (double)use.ru_maxrss / 1024,
                            WIFEXITED(status) ? WEXITSTATUS(status) : 128 };
}

static bool bench_engine(const char *vitrine, const char *engine, const char *guest)
{
    char *const argv[] = { (char *)(uintptr_t)vitrine, "run", "--cpu", (char *)(uintptr_t)engine,
                           "--quiet", "--mem", "64M", (char *)(uintptr_t)guest, NULL };
    double ms[2 * BENCH_RUNS], mib[2 * BENCH_RUNS];
    char what[80];
    for (unsigned i = 0; i < 2 * BENCH_RUNS; i++) {
        struct sample s = run_once(argv);
        if (s.status != 7) {
            printf("%-4s cannot run it (status %d)\n", engine, s.status);
            return strcmp(engine, "soft") != 0;     /* it is the one that needs nothing */
        }
        ms[i] = s.ms;
        mib[i] = s.mib;
    }
    snprintf(what, sizeof what, "%s: exec to the guest and out again", engine);
    bool met = bench_report(what, bench_settle(ms, 2 * BENCH_RUNS), "ms", 20);
    snprintf(what, sizeof what, "%s: resident, with touched guest RAM", engine);
    return bench_report(what, bench_settle(mib, 2 * BENCH_RUNS), "MiB", 16) && met;
}

int main(int argc, char **argv)
{
    static const uint8_t code[] = { 0xb0, 7, 0xe6, PORT_EXIT };     /* MOV AL,7; OUT f4h,AL */
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
