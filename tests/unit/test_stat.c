/*
 * The table of exits: sums are right, times are what they are called, and no
 * guest can make it grow without end.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/trace.h"
#include "cpu/exit.h"
#include "debugger/report/stat.h"
#include "debugger/symbols/symbols.h"

static uint64_t seq, now_ns;

static void add(struct exit_stat *s, enum trace_kind kind, uint64_t rip,
                uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct trace_event e = { .seq = ++seq, .vtime_ns = now_ns, .place = rip, .arg = { a0, a1, a2 },
                             .kind = (uint8_t)kind };
    stat_add(s, &e);
}

static void one_exit(struct exit_stat *s, struct vmexit x, uint64_t rip, uint64_t virtual_ns,
                     uint64_t host_ns)
{
    add(s, TRACE_EXIT, rip, x.reason, exit_qualification(&x), exit_extra(&x));
    now_ns += virtual_ns;
    add(s, TRACE_RESUME, rip, RETIRE, rip, host_ns);
}

static const struct vmexit out_3f8 = { .reason = EXIT_IO, .io = { .port = 0x3f8, .size = 1 } };
static const struct vmexit in_60 = { .reason = EXIT_IO, .io = { .port = 0x60, .size = 1, .in = true } };
static const struct vmexit hlt = { .reason = EXIT_HLT };
static const struct vmexit mmio = { .reason = EXIT_MMIO,
                                    .mmio = { .gpa = 0xfee000b0, .size = 4, .write = true } };

/* What stat prints, to be freed. */
static char *printed(const struct exit_stat *s, int by)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    if (by < 0)
        stat_print(f, s, NULL);
    else
        stat_print_by(f, s, (enum stat_by)by, 0, NULL);
    fclose(f);
    return text;
}

/* The line beginning with `name` must go on with these columns. */
static void expect_row(const struct exit_stat *s, enum stat_by by, const char *name,
                       const char *columns)
{
    char *text = printed(s, by), *row = strstr(text, name), squeezed[300] = "";
    size_t n = 0;
    if (!row)
        fail_msg("no row \"%s\" in\n%s", name, text);
    for (const char *p = row + strlen(name); *p && *p != '\n' && n < sizeof squeezed - 1; p++)
        if (*p != ' ' || (n && squeezed[n - 1] != ' '))
            squeezed[n++] = *p;
    if (strncmp(squeezed, columns, strlen(columns)) != 0)
        fail_msg("%s: have \"%s\", want \"%s\"", name, squeezed, columns);
    free(text);
}

static void host_times_by_reason_port_mmio_and_rip(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    one_exit(s, out_3f8, 0x1000, 0, 2000);
    one_exit(s, out_3f8, 0x1000, 0, 4000);
    one_exit(s, in_60, 0x1004, 0, 3000);
    one_exit(s, hlt, 0x1008, 500, 10000);
    one_exit(s, mmio, 0x100c, 0, 1000);
    assert_int_equal(stat_exits(s), 5);
    /*                                     count  count%  time%   min  avg   max   */
    expect_row(s, STAT_BY_REASON, "IO", "3 60.00% 45.00% 2.00 3.00 4.00");
    expect_row(s, STAT_BY_REASON, "HLT", "1 20.00% 50.00% 10.00 10.00 10.00");
    expect_row(s, STAT_BY_PORT, "out 0x3f8", "2 40.00% 30.00% 2.00 3.00 4.00");
    expect_row(s, STAT_BY_PORT, "in  0x60", "1 20.00% 15.00% 3.00 3.00 3.00");
    expect_row(s, STAT_BY_MMIO, "write 0xfee00000-fee00fff", "1 20.00% 5.00% 1.00 1.00 1.00");
    expect_row(s, STAT_BY_RIP, "0x1000", "2 40.00% 30.00%");
    char *all = printed(s, -1);
    assert_non_null(strstr(all, "5 exits"));
    assert_non_null(strstr(all, "HOST"));
    assert_true(strstr(all, "\nHLT") < strstr(all, "\nIO"));    /* most time first */
    free(all);
    stat_free(s);
}

/* Virtual time stands still while the monitor works: a share of it would say that only port
 * accesses cost anything.  What it does tell is how long the guest slept. */
static void without_timing_there_are_no_times(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    one_exit(s, hlt, 0x1000, 1500, 0);
    one_exit(s, hlt, 0x1000, 500, 0);
    add(s, TRACE_EXIT, 0x1000, EXIT_HLT, 0, 0);
    add(s, TRACE_RESUME, 0x1000, RETIRE, 0x1001, 0);
    now_ns += 400;              /* waiting, after the handler said it may; a timer wakes nobody */
    add(s, TRACE_TIMER, 0x1000, now_ns, 1, 0);
    now_ns += 600;
    add(s, TRACE_INJECT, 0x1000, 0x20, 0, 0);
    now_ns += 5000;             /* the guest runs: this is no part of the sleep */
    one_exit(s, out_3f8, 0x1004, 1000, 0);
    expect_row(s, STAT_BY_REASON, "HLT", "3 75.00% nothing to do");
    expect_row(s, STAT_BY_REASON, "IO", "1 25.00% IN or OUT");
    char *all = printed(s, -1);
    assert_null(strstr(all, "time %"));
    assert_null(strstr(all, "avg us"));
    assert_null(strstr(all, "HOST"));
    assert_non_null(strstr(all, "0.000003 s of it asleep (HLT)"));
    free(all);
    stat_free(s);
}

static void an_exit_that_never_ends_counts(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    add(s, TRACE_EXIT, 1, EXIT_CPUID, 0, 0);
    one_exit(s, hlt, 2, 0, 7000);
    add(s, TRACE_EXIT, 1, EXIT_TRIPLE_FAULT, 0, 0);
    add(s, TRACE_STOP, 1, 0, 0, 0);
    add(s, TRACE_STOP, 1, 0, 0, 0);
    assert_int_equal(stat_exits(s), 3);
    expect_row(s, STAT_BY_REASON, "CPUID", "1 33.33% 0.00%");
    expect_row(s, STAT_BY_REASON, "TRIPLE_FAULT", "1 33.33% 0.00%");
    stat_free(s);
}

/* vCPUs are in their exits at the same time. */
static void vcpus_do_not_mix(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    struct trace_event e[4] = {
        { .seq = 1, .kind = TRACE_EXIT, .arg = { EXIT_HLT } },
        { .seq = 2, .kind = TRACE_EXIT, .arg = { EXIT_CPUID }, .who.vcpu = 1 },
        { .seq = 3, .kind = TRACE_RESUME, .arg = { RETIRE, 0, 5000 } },
        { .seq = 4, .kind = TRACE_RESUME, .arg = { RETIRE, 0, 1000 }, .who.vcpu = 1 },
    };
    stat_sink(s, e, 4);
    expect_row(s, STAT_BY_REASON, "HLT", "1 50.00% 83.33%");
    expect_row(s, STAT_BY_REASON, "CPUID", "1 50.00% 16.67%");
    stat_free(s);
}

static const char *name_port(uint16_t port)
{
    return port == 0x3f8 ? "COM1" : NULL;
}

static void ports_have_names_if_somebody_knows_them(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    one_exit(s, out_3f8, 0, 0, 1000);
    one_exit(s, in_60, 0, 0, 1000);
    expect_row(s, STAT_BY_PORT, "out 0x3f8", "1 50.00% 50.00% 1.00 1.00 1.00");
    stat_name_ports(s, name_port);
    expect_row(s, STAT_BY_PORT, "out 0x3f8", "1 50.00% 50.00% 1.00 1.00 1.00 COM1");
    expect_row(s, STAT_BY_PORT, "in  0x60", "1 50.00% 50.00% 1.00 1.00 1.00 no device");
    stat_free(s);
}

static void a_million_places_stay_within_bounds(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    for (uint64_t i = 0; i < 1000000; i++)
        one_exit(s, hlt, i * 4096, 0, 10);
    one_exit(s, hlt, 0, 0, 10);
    assert_int_equal(stat_exits(s), 1000001);
    char *text = printed(s, STAT_BY_RIP);
    unsigned long long rows = 0, sum = 0, count;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (sscanf(line + 24, "%llu", &count) == 1) {
            rows++;
            sum += count;
        }
    assert_int_equal(sum, 1000001);     /* nothing is forgotten */
    assert_true(rows < 70000);
    free(text);
    stat_free(s);
}

extern const char __executable_start[];

/* With symbols, addresses in one function are one row of one more table. */
static void functions_add_up_their_addresses(void **state)
{
    (void)state;
    char why[200];
    uint64_t here = (uint64_t)(uintptr_t)one_exit - (uint64_t)(uintptr_t)__executable_start;
    struct symbols *symbols = symbols_open("/proc/self/exe", why, sizeof why);
    struct exit_stat *s = stat_new();
    assert_non_null(symbols);
    one_exit(s, hlt, here, 0, 1000);
    one_exit(s, hlt, here + 4, 0, 3000);
    one_exit(s, hlt, 0xffffffffffff0000, 0, 4000);
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    stat_print(f, s, symbols);
    fclose(f);
    char *functions = strstr(text, "\nfunction ");
    unsigned count = 0;
    assert_non_null(functions);
    assert_non_null(strstr(text, "one_exit+0x4"));
    assert_int_equal(sscanf(strstr(functions, "one_exit"), "one_exit %u", &count), 1);
    assert_int_equal(count, 2);
    assert_non_null(strstr(functions, "(all others)"));
    free(text);
    stat_free(s);
    symbols_close(symbols);
}

static void an_empty_table_prints(void **state)
{
    (void)state;
    struct exit_stat *s = stat_new();
    char *all = printed(s, -1);
    assert_non_null(strstr(all, "0 exits"));
    free(all);
    stat_free(s);
    stat_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_times_by_reason_port_mmio_and_rip),
        cmocka_unit_test(without_timing_there_are_no_times),
        cmocka_unit_test(an_exit_that_never_ends_counts),
        cmocka_unit_test(vcpus_do_not_mix),
        cmocka_unit_test(ports_have_names_if_somebody_knows_them),
        cmocka_unit_test(a_million_places_stay_within_bounds),
        cmocka_unit_test(functions_add_up_their_addresses),
        cmocka_unit_test(an_empty_table_prints),
    };
    return cmocka_run_group_tests_name("stat", tests, NULL, NULL);
}
