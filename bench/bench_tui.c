/*
 * bench/bench_tui.c -- from a key to the paint, with ten million events loaded.
 *
 *     bench_tui build/vitrine
 *
 * A guest that does nothing but OUT makes the trace. Then `vitrine tui` runs on
 * a terminal of ours (120 by 40); a key is typed, and the time taken until the
 * last byte of its answer has come.
 */
#include "bench/bench.h"
#include "tests/robot/pty.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define KEYS     1000
#define EXITS    "3340000"      /* three events each, and some */
#define NOTHING_MS 60
#define QUIET_MS 3              /* so long nothing more: it has painted */

/* A boot sector that writes to a port for ever: OUT 80h, AL; JMP back. */
static bool make_guest(const char *path)
{
    static const unsigned char code[] = { 0xe6, 0x80, 0xeb, 0xfc };
    unsigned char sector[512] = { 0 };
    memcpy(sector, code, sizeof code);
    sector[510] = 0x55;
    sector[511] = 0xaa;
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(sector, sizeof sector, 1, f) == 1;
    return f && fclose(f) == 0 && ok;
}

/* When the last byte of what it writes now came; start if nothing comes: there
 * was nothing to paint. */
static uint64_t painted(struct pty *p, uint64_t start)
{
    uint64_t last = start;
    for (int wait = NOTHING_MS; pty_drain(p, wait); wait = QUIET_MS)
        last = host_monotonic_ns();
    return last;
}

/* The TUI is the child of the process that was started. */
static int child_of(pid_t guard)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)guard, (int)guard);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* How long it has waited for a processor, ready to run; 0: the kernel does not say. */
static uint64_t waited_ns(int pid)
{
    char path[64];
    uint64_t ran, waited = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
        waited = 0;
    if (f)
        fclose(f);
    return waited;
}

static long resident_kb(int pid)
{
    char path[64], line[200];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kb;
}

static bool report(const char *what, double v, const char *unit, double target)
{
    return bench_report(what, (struct bench_result){ v, v, v }, unit, target);
}

static bool measure(struct pty *p, const char *vitrine, char *trace)
{
    static const char *const keys[] = { "j", "j", "j", "k", "\033[6~", "\033[5~", "e", "E", "G", "g", "\004", "\025" };
    static double ms[KEYS], own_ms[KEYS];
    char *argv[] = { (char *)(uintptr_t)vitrine, "tui", "--layout", "lab", trace, NULL };
    uint64_t start = host_monotonic_ns();
    if (!pty_start(p, argv, 40, 120) || !pty_drain(p, 5000))
        return false;
    double first_ms = (double)(painted(p, start) - start) / 1e6;
    unsigned n = 0;
    int pid = child_of(p->pid);
    for (unsigned i = 0; i < KEYS; i++) {
        const char *key = keys[i % (sizeof keys / sizeof keys[0])];
        uint64_t before = waited_ns(pid);
        start = host_monotonic_ns();
        if (write(p->fd, key, strlen(key)) < 0)
            return false;
        uint64_t end = painted(p, start), waited = waited_ns(pid) - before;
        if (end <= start)
            continue;
        ms[n] = (double)(end - start) / 1e6;
        own_ms[n++] = end - start > waited ? (double)(end - start - waited) / 1e6 : 0;
    }
    if (!n)
        return false;
    struct bench_result r = bench_settle(ms, n);
    bench_settle(own_ms, n);
    bool ok = report("tui, 10 M events: exec to the first screen", first_ms, "ms", 200);
    ok = bench_report("tui, 10 M events: key to paint", r, "ms", 16) && ok;
    ok = report("tui, 10 M events: key to paint, p99", ms[n * 99 / 100], "ms", 16) && ok;
    report("tui, 10 M events: ... without its waits for a processor", own_ms[n * 99 / 100], "ms", 16);
    return report("tui, 10 M events: resident", (double)resident_kb(pid) / 1024, "MB", 200) && ok;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/bench-tui-XXXXXX", guest[64], trace[64], command[400];
    struct pty p = { .pid = -1 };
    if (argc < 2 || !mkdtemp(dir))
        return 2;
    snprintf(guest, sizeof guest, "%s/guest", dir);
    snprintf(trace, sizeof trace, "%s/trace", dir);
    snprintf(command, sizeof command, "%s run --quiet --limit-exits " EXITS " --trace %s %s </dev/null >/dev/null",
             argv[1], trace, guest);
    bool ok = make_guest(guest);
    int ended = ok ? system(command) : -1;
    ok = ended != -1 && measure(&p, argv[1], trace);
    if (p.pid > 0) {
        kill(p.pid, SIGTERM);
        waitpid(p.pid, NULL, 0);
    }
    unlink(guest);
    unlink(trace);
    rmdir(dir);
    return !ok;
}
