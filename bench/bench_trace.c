/*
 * bench/bench_trace.c -- what a trace event costs.
 *   run    make bench
 *
 * Off: the test that finds the kind switched off, on top of an empty loop.
 * On: the event itself, and its share of emptying the ring, for the readers
 * that a run can have: none (flight recorder), the statistics, the file.
 */
#include <string.h>
#include <unistd.h>

#include "base/trace.h"
#include "bench/bench.h"
#include "cpu/exit.h"
#include "debugger/report/stat.h"
#include "debugger/trace/drain.h"
#include "debugger/trace/file.h"

#define RING    16384
#define EVENTS  4000000

/* Loops that emit, and the same loop that does not. */
static void loop_empty(void *arg, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        __asm__ volatile("" : : "r"(arg), "r"(i) : "memory");
}

static void loop_emit(void *arg, uint64_t n)
{
    struct trace *t = arg;
    for (uint64_t i = 0; i < n; i++) {
        __asm__ volatile("" : : "r"(arg), "r"(i) : "memory");
        trace_emit(t, TRACE_IO_WRITE, 0x3f8, 1, i & 0xff);
    }
}

/* What the run loop does: an exit, a device access, a conclusion. */
static void loop_exits(void *arg, uint64_t n)
{
    static const struct code_segment flat = { .sel = 8 };
    struct trace *t = arg;
    for (uint64_t i = 0; i < n; i += 3) {
        t->ctx.vtime_ns += 100 + i % 7;
        t->ctx.icount = t->ctx.vtime_ns;
        trace_set_place(&t->ctx, 0x100000 + (i & 0xff) * 4, &flat);
        uint64_t seq = trace_emit(t, TRACE_EXIT, EXIT_IO, 0x03f80000, i & 0xff);
        uint64_t old = trace_enter(t, seq);
        trace_emit(t, TRACE_IO_WRITE, 0x3f8, 1, i & 0xff);
        trace_emit(t, TRACE_RESUME, RETIRE, t->ctx.place, 0);
        trace_leave(t, old);
    }
}

static struct bench_result with_sink(trace_sink_fn *fn, void *arg, bool has_thread)
{
    struct trace *t = trace_new(RING);
    struct trace_drain d;
    bug_if(!t, "no ring");
    t->mask = ~UINT64_C(0);
    trace_drain_attach(&d, t);
    if (fn)
        trace_drain_add(&d, fn, arg);
    if (has_thread)
        trace_drain_start(&d);
    struct bench_result r = bench_ns(loop_exits, t, EVENTS);
    trace_drain_detach(&d);
    bug_if(t->ring->lost, "events were lost");
    trace_free(t);
    return r;
}

static bool bench_off(void)
{
    struct trace *t = trace_new(RING);
    bug_if(!t, "no ring");
    struct bench_result empty = bench_ns(loop_empty, t, 20 * EVENTS);
    struct bench_result off = bench_ns(loop_emit, t, 20 * EVENTS);
    trace_free(t);
    off.median -= empty.median;
    off.min -= empty.max;
    off.max -= empty.min;
    return bench_report("trace event, off", off, "ns", 1);
}

int main(void)
{
    char path[] = "/tmp/vitrine-bench-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    close(fd);
    struct exit_stat *stat = stat_new();
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    bug_if(!stat || !w, "no memory");

    bool met = bench_off();
    met &= bench_report("trace event, on, flight recorder", with_sink(NULL, NULL, false), "ns", 25);
    met &= bench_report("trace event, on, into the statistics", with_sink(stat_sink, stat, false), "ns", 25);
    met &= bench_report("trace event, on, into a file", with_sink(trace_writer_sink, w, false), "ns", 0);
    met &= bench_report("   by a thread, as fast as that can", with_sink(trace_writer_sink, w, true), "ns", 0);
    trace_writer_close(w);
    FILE *f = fopen(path, "rb");
    if (f && fseek(f, 0, SEEK_END) == 0)
        printf("%-52s %9.2f bytes\n", "trace event in the file",
               (double)ftell(f) / (double)(2 * (EVENTS / 4 + BENCH_RUNS * (uint64_t)EVENTS)));
    if (f)
        fclose(f);
    stat_free(stat);
    unlink(path);
    return met ? 0 : 1;
}
