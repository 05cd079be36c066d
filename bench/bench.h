/*
 * bench/bench.h -- measuring: several runs, the median, and the spread.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/types.h"

#define BENCH_RUNS 9

struct bench_result { double median, min, max; };

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline struct bench_result bench_settle(double *v, size_t n)
{
    qsort(v, n, sizeof *v, bench_compare);
    return (struct bench_result){ v[n / 2], v[0], v[n - 1] };
}

/* ns per operation of fn(arg), which does n of them. */
static inline struct bench_result bench_ns(void (*fn)(void *arg, uint64_t n), void *arg, uint64_t n)
{
    double v[BENCH_RUNS];
    fn(arg, n / 4);             /* warm up */
    for (unsigned i = 0; i < BENCH_RUNS; i++) {
        uint64_t start = host_monotonic_ns();
        fn(arg, n);
        v[i] = (double)(host_monotonic_ns() - start) / (double)n;
    }
    return bench_settle(v, BENCH_RUNS);
}

/* One line: what, the median, the range, and the target (0: none).  False if it is missed. */
static inline bool bench_report(const char *what, struct bench_result r, const char *unit,
                                double target)
{
    bool met = target <= 0 || r.median <= target;
    printf("%-52s %9.2f %-4s (%.2f to %.2f)", what, r.median, unit, r.min, r.max);
    if (target > 0)
        printf("  target %.0f: %s", target, met ? "met" : "MISSED");
    putchar('\n');
    return met;
}

/* The same of a rate, which the target is the least of. */
static inline bool bench_report_rate(const char *what, struct bench_result r, const char *unit,
                                     double target)
{
    bool met = r.median >= target;
    printf("  %-52s %12.0f %-5s (%.0f to %.0f)", what, r.median, unit, r.min, r.max);
    if (target > 0)
        printf("  target %.0f: %s", target, met ? "met" : "MISSED");
    putchar('\n');
    fflush(stdout);
    return met;
}

#endif
