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
#include "debugger/report/report.h"
#include "debugger/trace/store.h"

static const char *port_name(uint16_t port)
{
    return port == 0x3f8 ? "COM1 <&\"'>" : NULL;
}

/* The page of a trace of n events from a guest of that name; to be freed. */
static char *page_of(const char *guest, uint64_t n)
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
    assert_int_equal(report_html(s, guest, port_name, out), 0);
    fclose(out);
    store_close(s);
    return page;
}

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
    assert_null(strstr(page, "href="));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_trace_gives_a_page),
        cmocka_unit_test(hostile_names_are_shown_not_run),
        cmocka_unit_test(a_page_needs_nothing_else),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
