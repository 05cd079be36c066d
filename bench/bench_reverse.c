/*
 * bench/bench_reverse.c -- how long it takes to go back.
 *
 *   run    bench_reverse [--short] [VITRINE]
 *
 * A guest runs 10^9 instructions (--short: 10^8) under the debugger.  Then it is
 * sent back: by one instruction from wherever it is, by random numbers of them,
 * to places anywhere in its past, and after each of these by one again.  Every
 * request must be answered; what is told is the time until the answer.
 */
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "debugger/link/link.h"

/* Flat 32-bit code that computes, writes all over 1 MiB, and MARKs every half million instructions:
 *   1: inc ebx; imul eax,ebx,9e3779b1h; and eax,0ffffch; add [edi+eax],ebx; xor ecx,eax; rol ecx,3
 *      test ebx,0ffffh; jnz 1b; mov dx,0e0h; mov eax,ebx; out dx,eax; jmp 1b */
static const uint8_t worker[] = {
    0xbf, 0x00, 0x00, 0x20, 0x00, 0x31, 0xdb, 0x43, 0x69, 0xc3, 0xb1, 0x79, 0x37, 0x9e, 0x25, 0xfc,
    0xff, 0x0f, 0x00, 0x01, 0x1c, 0x07, 0x31, 0xc1, 0xc1, 0xc1, 0x03, 0xf7, 0xc3, 0xff, 0xff, 0x00,
    0x00, 0x75, 0xe4, 0x66, 0xba, 0xe0, 0x00, 0x89, 0xd8, 0xef, 0xeb, 0xdb,
};

static double v[20000], cpu[20000];
static size_t n_v, n_asked;

/* What the VMM has used of a processor, which a busy machine does not make longer. */
static double cpu_ms(struct link *l)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)link_pid(l));
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%llu", &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return (double)ns / 1e6;
}

static uint64_t seed = 99;
static uint64_t next(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return below ? (seed >> 20) % below : 0;
}

static uint64_t icount(struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return st.icount;
}

static void ask(struct link *l, enum link_run how, uint64_t n)
{
    double used = cpu_ms(l);
    uint64_t before = host_monotonic_ns();
    n_asked++;
    if (link_run(l, how, n) || link_wait(l, 30000))
        return;
    v[n_v] = (double)(host_monotonic_ns() - before) / 1e6;
    cpu[n_v++] = cpu_ms(l) - used;
}

static bool tell(const char *what, double p95_target, double max_target)
{
    static int (*const compare)(const void *, const void *) = bench_compare;
    qsort(v, n_v, sizeof v[0], compare);
    qsort(cpu, n_v, sizeof cpu[0], compare);
    double p95 = n_v ? v[n_v * 95 / 100] : 1e9, max = n_v ? v[n_v - 1] : 1e9;
    bool met = n_v == n_asked && p95 <= p95_target && max <= max_target;
    printf("%-40s p50 %7.2f  p95 %7.2f  max %7.2f ms (processor time %.2f %.2f %.2f)  %zu of %zu answered: %s\n",
           what, n_v ? v[n_v / 2] : 0, p95, max, n_v ? cpu[n_v / 2] : 0, n_v ? cpu[n_v * 95 / 100] : 0,
           n_v ? cpu[n_v - 1] : 0, n_v, n_asked, met ? "met" : "MISSED");
    n_v = n_asked = 0;
    return met;
}

static bool measure(const char *name, const char *guest, const char *format, enum mmu_kind mmu,
                    uint64_t length, unsigned rounds)
{
    char why[300];
    bool met = true;
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = 64u << 20 },
        .guest = { .path = guest, .format = format },
    };
    struct link *l = link_start(&o, why, sizeof why);
    if (!l) {
        printf("%s: %s\n", guest, why);
        return false;
    }
    uint64_t before = host_monotonic_ns();
    link_run(l, LINK_STEP, length);
    link_wait(l, -1);
    double s = (double)(host_monotonic_ns() - before) / 1e9;
    struct link_status st;
    link_get_status(l, &st);
    link_run(l, LINK_STEP, 1);
    link_wait(l, -1);
    link_get_status(l, &st);
    printf("%s, --mmu %s: %.0f M instructions in %.2f s, %.0f M/s; %llu checkpoints, %.1f MB\n", name,
           mmu_names[mmu], (double)st.icount / 1e6, s, (double)st.icount / 1e6 / s,
           (unsigned long long)st.past.checkpoints, (double)st.past.bytes / 1e6);
    for (unsigned i = 0; i < rounds; i++)
        ask(l, LINK_REVERSE_STEP, 1);
    met &= tell("  one instruction back, again and again", 100, 500);
    for (unsigned i = 0; i < rounds; i++)
        ask(l, LINK_REVERSE_STEP, 1 + next(next(icount(l) / 50)));
    met &= tell("  some instructions back", 100, 500);
    for (unsigned i = 0; i < rounds / 4; i++)
        ask(l, LINK_TO_INSN, next(st.icount));
    met &= tell("  to anywhere", 500, 500);
    for (unsigned i = 0; i < rounds / 4; i++) {
        link_run(l, LINK_TO_INSN, 1 + next(st.icount - 1));
        link_wait(l, -1);
        ask(l, LINK_REVERSE_STEP, 1);
    }
    met &= tell("  one back from anywhere", 100, 500);
    ask(l, LINK_TO_NOW, 0);
    met &= tell("  to now", 100, 500);
    link_end(l);
    return met;
}

int main(int argc, char **argv)
{
    bool brief = argc > 1 && !strcmp(argv[1], "--short");
    uint64_t length = brief ? 100000000 : 1000000000;
    unsigned rounds = brief ? 40 : 400;
    const char *build = getenv("BUILD") ? getenv("BUILD") : "build";
    char tiny[200], path[] = "/tmp/vitrine-bench-reverse-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || host_write_all(fd, worker, sizeof worker))
        return 1;
    snprintf(tiny, sizeof tiny, "%s/guests/tiny32.elf", build);
    bool met = measure("a loop that writes 1 MiB", path, "flat@0x100000:32", MMU_NESTED, length, rounds);
    met &= measure("tiny, waiting: an exit every 60 instructions", tiny, NULL, MMU_SHADOW, length / 10, rounds);
    unlink(path);
    return !met;
}
