/*
 * The web page: well-formed whatever is in the trace, and with nothing in it
 * that a browser would run or fetch.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/exit.h"
#include "debugger/report/palette.h"
#include "debugger/report/report.h"
#include "debugger/trace/store.h"
#include "vm/vm.h"

static const char *port_name(uint16_t port)
{
    return port == 0x3f8 ? "COM1 <&\"'>" : NULL;
}

/* The page of a trace of n events from a guest of that name, n_runs times; to be freed. */
static char *page_of_runs(const char *guest, uint64_t n, size_t n_runs)
{
    char why[200], info[300], *page = NULL;
    size_t size;
    snprintf(info, sizeof info, "guest=%s\nengine=soft\nmem=1;rm -rf\n", guest);
    struct store *s = store_record(NULL, NULL, info, why, sizeof why);
    assert_non_null(s);
    for (uint64_t i = 1; i <= n; i++) {
        struct trace_event e = { .seq = i, .vtime_ns = i * i, .kind = (uint8_t)(i % 64), .place = i % 7,
                                 .arg = { i % 5 ? EXIT_IO : i * 977, i * 0x123456789, i } };
        store_sink(s, &e, 1);
    }
    FILE *out = open_memstream(&page, &size);
    struct report_run runs[] = { { s, guest }, { s, "the other" } };
    assert_int_equal(report_html(runs, n_runs, port_name, out), 0);
    fclose(out);
    store_close(s);
    return page;
}

static char *page_of(const char *guest, uint64_t n) { return page_of_runs(guest, n, 1); }

/* Elements are closed in the order they were opened, text has no stray markup. */
static void check_well_formed(const char *p)
{
    char open[40][20];
    size_t depth = 0;
    assert_int_equal(strncmp(p, "<!DOCTYPE html>", 15), 0);
    for (p += 15; *p; ) {
        if (*p == '&') {
            assert_true(strcspn(p, ";") < 8);
            p++;
        } else if (*p != '<') {
            assert_int_not_equal(*p, '>');
            p++;
        } else {
            const char *end = strchr(p, '>');
            char name[20];
            assert_non_null(end);
            assert_null(memchr(p + 1, '<', (size_t)(end - p - 1)));
            assert_int_equal(sscanf(p + 1 + (p[1] == '/'), "%19[a-z0-9]", name), 1);
            if (p[1] == '/') {
                assert_true(depth > 0);
                assert_string_equal(open[--depth], name);
            } else if (end[-1] != '/') {
                assert_true(depth < 40);
                strcpy(open[depth++], name);
            }
            p = end + 1;
        }
    }
    assert_int_equal(depth, 0);
}

static void any_trace_gives_a_page(void **state)
{
    (void)state;
    static const uint64_t counts[] = { 0, 1, 2, 300, 10000 };
    for (size_t i = 0; i < NELEM(counts); i++) {
        char *page = page_of("hello.elf", counts[i]);
        check_well_formed(page);
        assert_non_null(strstr(page, "vitrine run --cpu soft"));
        free(page);
    }
}

static void hostile_names_are_shown_not_run(void **state)
{
    (void)state;
    char *page = page_of("<script>alert('x')</script>\x1b[2J\"&'", 500);
    check_well_formed(page);
    assert_null(strstr(page, "<script"));
    assert_null(strchr(page, '\x1b'));
    assert_non_null(strstr(page, "&lt;script&gt;"));
    assert_non_null(strstr(page, "--mem &#39;1;rm -rf&#39;"));
    free(page);
}

static void a_page_needs_nothing_else(void **state)
{
    (void)state;
    char *page = page_of("hello.elf", 1000);
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    assert_null(strstr(page, "src="));
    for (const char *link = page; (link = strstr(link, "href=")) != NULL; link++)
        assert_int_equal(link[6], '#');         /* within the page */
    free(page);
}

static void two_runs_are_compared(void **state)
{
    (void)state;
    char *page = page_of_runs("hello.elf", 1000, 2);
    check_well_formed(page);
    assert_non_null(strstr(page, "Side by side"));
    assert_non_null(strstr(page, "<h3>the other</h3>"));
    free(page);
}

/* A reason has one colour, and no two have the same. */
static void each_reason_has_its_colour(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_EXITS; i++) {
        assert_int_equal(strlen(palette_of_exit(i)), 7);
        for (unsigned k = i + 1; k <= N_EXITS; k++)
            assert_string_not_equal(palette_of_exit(i), palette_of_exit(k));
    }
}

/* Whatever trace it is, the reader learns how the run ended, or that nobody knows. */
static void the_end_comes_first(void **state)
{
    (void)state;
    char why[200], *page = NULL;
    size_t size;
    struct store *s = store_record(NULL, NULL, "guest=x.elf\nmem=67108864\n", why, sizeof why);
    struct trace_event e[] = {
        { .seq = 1, .kind = TRACE_EXIT, .arg = { EXIT_IO } },
        { .seq = 2, .kind = TRACE_IO_WRITE, .arg = { 0x3f8, 1, 65 }, .cause_back = 1, .vtime_ns = 5 },
        { .seq = 3, .kind = TRACE_STOP, .arg = { 3, VM_EXIT_PORT, 1 }, .vtime_ns = 9 },
    };
    store_sink(s, e, 3);
    FILE *out = open_memstream(&page, &size);
    assert_int_equal(report_html(&(struct report_run){ s, "t" }, 1, port_name, out), 0);
    fclose(out);
    assert_non_null(strstr(page, vm_stops[VM_EXIT_PORT].about));
    assert_true(strstr(page, "status 3, after 9 ns") < strstr(page, "Exits over time</h2>"));
    assert_non_null(strstr(page, "<td>IO</td><td class=\"say\">IO_WRITE</td><td>1</td><td>2</td>"));
    assert_non_null(strstr(page, "--mem 64M"));
    check_well_formed(page);
    free(page);
    store_close(s);
    page = page_of("x", 0);
    assert_non_null(strstr(page, "without the end of its run"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_trace_gives_a_page),
        cmocka_unit_test(hostile_names_are_shown_not_run),
        cmocka_unit_test(a_page_needs_nothing_else),
        cmocka_unit_test(two_runs_are_compared),
        cmocka_unit_test(each_reason_has_its_colour),
        cmocka_unit_test(the_end_comes_first),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
