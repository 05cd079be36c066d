/*
 * bench/bench_store.c -- a trace of ten million events: writing, opening, searching.
 *   run    make bench        STORE_EVENTS=100000000 for a longer one
 *
 * The events are like those of a guest that works: exits for ports and page
 * faults, device accesses, interrupts, from functions all over a kernel.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/trace.h"
#include "bench/bench.h"
#include "cpu/exit.h"
#include "debugger/report/export.h"
#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "debugger/trace/text.h"

static char path[] = "/tmp/vitrine-bench-XXXXXX";
static uint64_t seed = 1;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

struct world { struct trace_writer *w; struct trace_event e; uint64_t n, n_max, phase; };

static void emit(struct world *o, enum trace_kind kind, uint32_t back, uint64_t a0, uint64_t a1, uint64_t a2)
{
    if (o->n == o->n_max)
        return;
    o->e.seq = ++o->n;
    o->e.kind = (uint8_t)kind;
    o->e.cause_back = back;
    o->e.arg[0] = a0, o->e.arg[1] = a1, o->e.arg[2] = a2;
    trace_writer_sink(o->w, &o->e, 1);
}

static void port_access(struct world *o)
{
    static const uint16_t ports[] = { 0x3f8, 0x3fd, 0x20, 0x21, 0x40, 0x43, 0x70, 0x71, 0x60, 0x64 };
    uint64_t port = ports[any(4) ? o->phase % NELEM(ports) : any(NELEM(ports))], value = any(256);
    emit(o, TRACE_EXIT, 0, EXIT_IO, port << 16, value);
    bool is_needle = o->n > o->n_max - 60;      /* what no index and no range knows of, at the very end */
    emit(o, TRACE_IO_WRITE, 1, port, 1, is_needle ? 0x1234 : value);
    emit(o, TRACE_RESUME, 2, RETIRE, o->e.place, any(8000) + 1500);
}

static void page_fault(struct world *o)
{
    uint64_t gla = 0x8000000 + o->phase * 0x100000 + any(200) * 4096 + any(512) * 8;
    emit(o, TRACE_EXIT, 0, EXIT_EPT_VIOLATION, (gla & PAGE_MASK) | 0x182, gla - 0x7000000);
    emit(o, TRACE_NESTED_FILL, 1, (gla - 0x7000000) & PAGE_MASK, 4096, 7);
    emit(o, TRACE_RESUME, 2, RETRY, o->e.place, any(8000) + 2500);
}

static void interrupt(struct world *o)
{
    emit(o, TRACE_TIMER, 0, o->e.vtime_ns, any(1000), 0);
    emit(o, TRACE_IRQ_LINE, 1, 0, 1, 0);
    emit(o, TRACE_IRQ_ACK, 1, 0x20, 0, 0);
    emit(o, TRACE_INJECT, 1, 0x20, 0, 1);
    emit(o, TRACE_DELIVER, 1, 0x20, 0x100200, 0);
}

static void write_trace(uint64_t n)
{
    struct world o = { .n_max = n, .w = trace_writer_open(path, NULL, "guest=bench\n") };
    bug_if(!o.w, "no file");
    while (o.n < n) {
        o.phase = o.n * 97 / n;
        o.e.icount += any(3000) + 20;
        o.e.vtime_ns = o.e.icount + o.n;
        o.e.place = 0x100000 + o.phase * 0x2000 + any(60) * 37;
        if (o.n % 100003 < 3)
            emit(&o, TRACE_MARK, 0, o.phase, 0, 0);
        uint64_t dice = any(20);
        if (dice < 13)
            port_access(&o);
        else if (dice < 18)
            page_fault(&o);
        else
            interrupt(&o);
    }
    bug_if(trace_writer_close(o.w), "cannot write it");
}

static double ms_since(uint64_t start)
{
    return (double)(host_monotonic_ns() - start) / 1e6;
}

static bool say(const char *what, double *v, size_t n, const char *unit, double target)
{
    return bench_report(what, bench_settle(v, n), unit, target);
}

#define TRIES 5

/* What `vitrine trace FILE | head` and the TUI do first: open, the last 60 lines. */
static bool bench_open(void)
{
    double v[TRIES];
    char why[200];
    FILE *null = fopen("/dev/null", "w");
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t start = host_monotonic_ns();
        struct store *s = store_open(path, why, sizeof why);
        bug_if(!s || !null, "%s", why);
        for (uint64_t at = store_n_events(s) - 60; at < store_n_events(s); at++)
            trace_text_line(store_text(s), store_at(s, at), null);
        v[i] = ms_since(start);
        store_close(s);
    }
    fclose(null);
    return say("open and show the last screen", v, TRIES, "ms", 200);
}

static bool bench_decode(void)
{
    double v[TRIES];
    char why[200];
    struct trace_event *events = malloc(TRACE_BLOCK_MAX * sizeof *events);
    struct trace_file *f = trace_file_open(path, why, sizeof why);
    struct trace_columns *c = trace_columns_new();
    bug_if(!events || !f || !c, "%s", why);
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t start = host_monotonic_ns();
        for (size_t b = 0; b < trace_file_blocks(f); b++)
            bug_if(trace_columns_open(c, f, b, why, sizeof why) < 0 ||
                   trace_columns_events(c, events, why, sizeof why) < 0, "%s", why);
        v[i] = ms_since(start) * 1e6 / (double)trace_file_events(f);
    }
    trace_columns_free(c);
    trace_file_close(f);
    free(events);
    return say("decode, per event", v, TRIES, "ns", 100);
}

/* The filters of somebody looking for something, easy ones and hopeless ones. */
static bool bench_search(void)
{
    static const char *const exprs[] = {
        "exit==io && port==0x3f8 && rip in 0x1be000..0x1be7ff", "MARK && n==96", "port==0x1f0", "value==0x123456789", "value==0x1234",
        "gpa in 0x7012000..0x7012fff", "host_ns > 9490 && verdict==retry", "seq==9999999", "kind==INJECT && !cause",
    };
    char why[200], what[100];
    struct filter_error err;
    bool met = true;
    struct store *s = store_open(path, why, sizeof why);
    bug_if(!s, "%s", why);
    for (size_t k = 0; k < NELEM(exprs); k++) {
        struct filter *f = filter_compile(exprs[k], NULL, &err);
        double first[TRIES], all[TRIES];
        uint64_t n = 0;
        bug_if(!f, "%s", err.text);
        for (unsigned i = 0; i < TRIES; i++) {
            uint64_t at = 0, start = host_monotonic_ns();
            store_next(s, f, &at, 0);
            first[i] = ms_since(start);
            start = host_monotonic_ns();
            n = store_count(s, f, 0, UINT64_MAX);
            all[i] = ms_since(start);
        }
        snprintf(what, sizeof what, "%.42s: first", exprs[k]);
        met &= say(what, first, TRIES, "ms", 100);
        snprintf(what, sizeof what, "   all %llu", (unsigned long long)n);
        met &= say(what, all, TRIES, "ms", 1000);
        filter_free(f);
    }
    store_close(s);
    return met;
}

/*
 * A million events as text: by us, the same by babeltrace2, and as many of the
 * kernel's (system calls entered) by perf script; all in one run.
 */

#define TEXT_EVENTS 1000000

static void tell_text(const char *who, double n, double ms, double bytes)
{
    printf("events to text: %-36s %9.2f M/s, from %.1f bytes each\n", who, n / ms / 1e3, bytes / n);
}

/* A command, its name and how many milliseconds it took; -1: it failed. */
__attribute__((format(printf, 2, 3)))
static double shell_ms(char *output, const char *fmt, ...)
{
    char command[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    uint64_t start = host_monotonic_ns();
    FILE *f = popen(command, "r");
    bool ok = f && (!output || fgets(output, 40, f));
    double ms = f && pclose(f) == 0 ? ms_since(start) : -1;
    return ok ? ms : -1;
}

static double size_of(const char *file)
{
    char output[40] = "";
    return shell_ms(output, "du -sb %s", file) < 0 ? 0 : strtod(output, NULL);
}

static void bench_babeltrace(struct store *s, const struct filter *f)
{
    char dir[80];
    snprintf(dir, sizeof dir, "%s.ctf", path);
    bug_if(trace_export_ctf(s, f, dir) < 0, "cannot export to %s", dir);
    double ms = shell_ms(NULL, "babeltrace2 %s 2>&1 >/dev/null", dir);
    if (ms > 0)
        tell_text("babeltrace2", TEXT_EVENTS, ms, size_of(dir));
    else
        puts("events to text: no babeltrace2 here");
    shell_ms(NULL, "rm -r %s", dir);
}

static void bench_perf(void)
{
    char data[80], output[40] = "0";
    snprintf(data, sizeof data, "%s.perf", path);
    shell_ms(NULL, "perf record -q -m 16M -o %s -e raw_syscalls:sys_enter -c 1 "
             "dd if=/dev/zero of=/dev/null bs=1 count=%d 2>&1", data, TEXT_EVENTS / 2);
    double ms = shell_ms(NULL, "perf script -i %s 2>/dev/null >/dev/null", data);
    shell_ms(output, "perf script -i %s 2>/dev/null | wc -l", data);
    double n = strtod(output, NULL);
    if (ms > 0 && n > TEXT_EVENTS / 10)
        tell_text("perf script", n, ms, size_of(data));
    else
        puts("events to text: perf cannot record system calls here");
    unlink(data);
}

static void bench_text(void)
{
    char why[200];
    struct filter_error err;
    struct stat st;
    struct store *s = store_open(path, why, sizeof why);
    struct filter *f = filter_compile("seq <= 1000000", NULL, &err);
    FILE *null = fopen("/dev/null", "w");
    bug_if(!s || !f || !null || stat(path, &st) != 0, "%s", why);
    uint64_t start = host_monotonic_ns();
    for (uint64_t i = 0; i < TEXT_EVENTS && i < store_n_events(s); i++)
        trace_text_line(store_text(s), store_at(s, i), null);
    tell_text("vitrine", TEXT_EVENTS, ms_since(start),
              (double)st.st_size / (double)store_n_events(s) * TEXT_EVENTS);
    bench_babeltrace(s, f);
    bench_perf();
    filter_free(f);
    fclose(null);
    store_close(s);
}

/*
 * What recording costs a run: wall time beside the same run without, in turn, and
 * the median of the pairs, since other load falls on both of a pair alike.  The runs are
 * long enough that starting up, some milliseconds, does not matter.
 */

#define PAIRS 7

static struct rusage children(void)
{
    struct rusage use;
    getrusage(RUSAGE_CHILDREN, &use);
    return use;
}

static double cpu_ms(const struct rusage *u)
{
    return 1e3 * (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec)
         + 1e-3 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static double run_ms(const char *vitrine, const char *args, const char *trace, double *cpu)
{
    char command[400];
    snprintf(command, sizeof command, "%s run --quiet %s %s </dev/null >/dev/null 2>&1", vitrine, trace, args);
    struct rusage before = children();
    uint64_t start = host_monotonic_ns();
    int status = system(command);
    double ms = ms_since(start);
    struct rusage after = children();
    *cpu = cpu_ms(&after) - cpu_ms(&before);
    return WIFEXITED(status) && WEXITSTATUS(status) < 125 ? ms : -1;
}

static bool bench_pairs(const char *vitrine, const char *what, const char *args, double target)
{
    char trace[100], line[100];
    double wall[PAIRS], cpu[PAIRS], cpu_without, cpu_with;
    snprintf(trace, sizeof trace, "--trace %s", path);
    for (unsigned k = 0; k < PAIRS; k++) {
        double without = run_ms(vitrine, args, "", &cpu_without);
        double with = without < 0 ? -1 : run_ms(vitrine, args, trace, &cpu_with);
        if (with < 0) {
            printf("recording %-42s cannot run here\n", what);
            return true;
        }
        wall[k] = 100 * (with - without) / without;
        cpu[k] = 100 * (cpu_with - cpu_without) / cpu_without;
    }
    snprintf(line, sizeof line, "recording %s", what);
    bool met = say(line, wall, PAIRS, "%", target);
    say("   on all processors together", cpu, PAIRS, "%", 0);
    return met;
}

/* A boot sector that writes to a port for ever: OUT 80h,AL; JMP back. */
static bool make_port_loop(char *image)
{
    uint8_t sector[512] = { 0xe6, 0x80, 0xeb, 0xfc, [510] = 0x55, [511] = 0xaa };
    int fd = mkstemp(image);
    bool ok = fd >= 0 && write(fd, sector, sizeof sector) == sizeof sector;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool bench_recording(const char *vitrine)
{
    char image[] = "/tmp/vitrine-bench-XXXXXX", loop[100];
    bool met = true;
    met &= bench_pairs(vitrine, "soft, integer code", "--append rounds=200 build/guests/intmix64.elf", 10);
    met &= bench_pairs(vitrine, "soft, a page fault every 400 instructions",
                       "--append rounds=6000 build/guests/pfstorm64.elf", 10);
    met &= bench_pairs(vitrine, "soft, page tables in motion, shadow",
                       "--mmu shadow --append rounds=20000 build/guests/ptchurn32.elf", 10);
    if (make_port_loop(image)) {
        snprintf(loop, sizeof loop, "--cpu kvm --limit-exits 50000 %s", image);
        met &= bench_pairs(vitrine, "kvm, nothing but exits", loop, 5);
    }
    unlink(image);
    return met;
}

int main(int argc, char **argv)
{
    const char *wanted = getenv("STORE_EVENTS");
    uint64_t n = wanted ? strtoull(wanted, NULL, 0) : 10000000, start = host_monotonic_ns();
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    close(fd);
    write_trace(n);
    printf("%-52s %9.1f s\n", "make and write the events", ms_since(start) / 1e3);
    struct stat st;
    struct rusage use;
    bool met = stat(path, &st) == 0;
    double bytes = (double)st.st_size / (double)n;
    met &= say("on disk, per event", &bytes, 1, "B", 16);
    met &= bench_open();
    met &= bench_decode();
    met &= bench_search();
    getrusage(RUSAGE_SELF, &use);
    double mb = (double)use.ru_maxrss / 1024;
    met &= say("resident, after all this", &mb, 1, "MB", n <= 10000000 ? 200 : 0);
    bench_text();
    if (argc > 1)
        met &= bench_recording(argv[1]);
    unlink(path);
    return met ? 0 : 1;
}
