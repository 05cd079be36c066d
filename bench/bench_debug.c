/*
 * What does a debugger cost the guest, and how fast is it?  Through the link,
 * as console, TUI and gdb stub see it; a guest that loops in 32-bit code:
 *
 *   speed     instructions a second: with nothing set, with 10,000 breakpoints that
 *             are never met, with watchpoints on data it does not touch, stepping
 *             through a range that it does not leave
 *   conditions   a breakpoint in the loop whose condition is false: evaluations a second;
 *                and one over two local variables of a C program
 *   watching     a watchpoint in the loop whose condition is false
 *   steps     LINK_STEP 1 and its answer, on every engine that can
 *
 *   run: make bench, or build/bench/bench_debug
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "debugger/link/link.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/line_table.h"
#include "debugger/symbols/symbols.h"

#define ROUNDS 5
#define ROUND_MS 200

/* 32-bit code at 100000h:
 *   100000  inc eax              100001  mov [200000h],eax   100006  mov ecx,[200004h]
 *   10000c  lea edx,[eax+ecx]    10000f  call 100016h        100014  jmp 100000h
 *   100016  xor ebx,edx          100018  add esi,ebx         10001a  ret */
static const uint8_t code[] = {
    0x40, 0xa3, 0x00, 0x00, 0x20, 0x00, 0x8b, 0x0d, 0x04, 0x00, 0x20, 0x00, 0x8d, 0x14, 0x08,
    0xe8, 0x02, 0x00, 0x00, 0x00, 0xeb, 0xea, 0x31, 0xd3, 0x01, 0xde, 0xc3,
};
#define CODE 0x100000u
#define DATA 0x200000u

static char path[] = "/tmp/vitrine-bench-debug-XXXXXX";

static struct link *start(const struct engine *e)
{
    char why[300];
    struct link_options o = {
        .machine = { .engine = e, .mmu = MMU_NESTED, .ram_bytes = 8 << 20 },
        .guest = { .path = path, .format = "flat@0x100000:32" },
    };
    struct link *l = link_start(&o, why, sizeof why);
    if (!l) {
        printf("%s: %s\n", e->name, why);
        exit(2);
    }
    return l;
}

static void must(int err, const char *what)
{
    if (!err)
        return;
    printf("%s: %d\n", what, err);
    exit(2);
}

static void add(struct link *l, unsigned kind, uint64_t at, unsigned access, const char *condition)
{
    char why[300] = "";
    struct link_break b = { .kind = kind, .at = at, .len = 4, .access = access, .enabled = true };
    snprintf(b.condition, sizeof b.condition, "%s", condition);
    must(link_break_add(l, &b, why, sizeof why), why);
}

static void drop_all(struct link *l)
{
    struct link_break b;
    while (!link_break_at(l, 0, &b))
        must(link_break_delete(l, b.nr), "delete");
}

static uint64_t insns(const struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return st.icount;
}

/* Instructions a second, in one round. */
static double round_of(struct link *l, bool in_range)
{
    uint64_t before = insns(l), t0 = host_monotonic_ns();
    must(in_range ? link_run_range(l, CODE, CODE + sizeof code) : link_run(l, LINK_FREE, 0), "run");
    if (link_wait(l, ROUND_MS) != -ETIMEDOUT)
        must(-1, link_stopped(l)->text);
    must(link_pause(l), "pause");
    must(link_wait(l, 5000), "wait");
    return (double)(insns(l) - before) * 1e9 / (double)(host_monotonic_ns() - t0);
}

static struct bench_result speed(struct link *l, bool in_range)
{
    double v[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++)
        v[i] = round_of(l, in_range);
    return bench_settle(v, ROUNDS);
}

/* As a share of that of another guest, with which it takes turns: other load falls on both. */
static struct bench_result share(struct link *l, struct link *plain)
{
    double v[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        double base = round_of(plain, false);
        v[i] = 100 * round_of(l, false) / base;
    }
    return bench_settle(v, ROUNDS);
}

/* Times round the loop a second: what is in it is met so often. */
static struct bench_result loops(struct link *l)
{
    struct bench_result r = speed(l, false);
    return (struct bench_result){ r.median / 9, r.min / 9, r.max / 9 };
}

static struct bench_result steps(struct link *l)
{
    double v[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t t0 = host_monotonic_ns(), end = t0 + ROUND_MS * UINT64_C(1000000), now;
        unsigned n = 0;
        do {
            must(link_run(l, LINK_STEP, 1), "step");
            must(link_wait(l, 5000), "wait");
            n++;
        } while ((now = host_monotonic_ns()) < end);
        v[i] = n * 1e9 / (double)(now - t0);
    }
    return bench_settle(v, ROUNDS);
}

/* A condition over two locals in quicksort's loop; it is true each time, and all are ignored: so
 * they are counted. */
static struct bench_result locals(const char *program)
{
    char guest[300], why[300];
    double v[ROUNDS];
    int line, dir = (int)(strrchr(program, '/') ? strrchr(program, '/') - program : 0);
    struct link_break b = { .kind = BREAK_CODE, .enabled = true, .ignore = UINT64_MAX,
                            .condition = "i >= 0 && j < 100000" };
    snprintf(guest, sizeof guest, "%.*s/guests/intmix64.elf", dir, program);
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 8 << 20 },
        .guest = { .path = guest, .append = "rounds=100000" },
        .symbols = symbols_open(guest, why, sizeof why), .info = debuginfo_open(guest),
    };
    struct link *l = link_start(&o, why, sizeof why);
    bool found = l && source_address(debuginfo_source(o.info), "intmix.c", 83, &b.at, &line);
    must(found ? 0 : -ENOENT, guest);
    must(link_break_add(l, &b, why, sizeof why), why);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct link_break before = b;
        uint64_t t0 = host_monotonic_ns();
        must(link_break_at(l, 0, &before), "hits");
        round_of(l, false);
        must(link_break_at(l, 0, &b), "hits");
        v[i] = (double)(b.hits - before.hits) * 1e9 / (double)(host_monotonic_ns() - t0);
    }
    link_end(l);
    debuginfo_close(o.info);
    symbols_close((struct symbols *)(uintptr_t)o.symbols);
    return bench_settle(v, ROUNDS);
}

static bool report(const char *what, struct bench_result r, double target)
{
    return bench_report_rate(what, r, "/s", target);
}

int main(int argc, char **argv)
{
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, code, sizeof code) != sizeof code)
        return 2;
    close(fd);
    printf("bench_debug: through the link\n");
    struct link *plain = start(&engine_soft), *l = start(&engine_soft);
    bool ok = report("soft: instructions", speed(plain, false), 0);
    for (unsigned i = 0; i < 10000; i++)
        add(l, BREAK_CODE, CODE + 0x1000 + 16 * i, 0, "");
    ok &= bench_report_rate("soft: with 10,000 breakpoints elsewhere", share(l, plain), "%", 90);
    drop_all(l);
    for (unsigned i = 0; i < 100; i++)
        add(l, BREAK_DATA, DATA + 0x1000 + 64 * i, BREAK_READ | BREAK_WRITE, "");
    ok &= bench_report_rate("soft: with 100 watchpoints on other pages", share(l, plain), "%", 90);
    drop_all(l);
    add(l, BREAK_DATA, DATA + 0x80, BREAK_READ | BREAK_WRITE, "");
    bench_report_rate("soft: with a watchpoint on the page it works on", share(l, plain), "%", 0);
    drop_all(l);
    link_end(plain);
    ok &= report("soft: instructions, stepping in a range", speed(l, true), 3e6);
    add(l, BREAK_CODE, CODE + 12, 0, "eax == 0xffffffff && u32[esp] > 3");
    ok &= report("soft: conditions evaluated, false", loops(l), 100e3);
    drop_all(l);
    add(l, BREAK_DATA, DATA, BREAK_WRITE, "eax == 0");
    const char *program = argc > 1 ? argv[1] : "build/vitrine";
    ok &= report("soft: conditions over two local variables", locals(program), 100e3);
    ok &= report("soft: watchpoint met, its condition false", loops(l), 100e3);
    drop_all(l);
    ok &= report("soft: steps, one at a time", steps(l), 60e3);
    link_end(l);
    if (access("/dev/kvm", R_OK | W_OK) == 0) {
        l = start(&engine_kvm);
        report("kvm: steps, one at a time", steps(l), 0);
        link_end(l);
    }
    unlink(path);
    return !ok;
}
