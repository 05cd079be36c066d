/*
 * Rounds of events that come again are counted, and nothing that is new gets lost between them.
 *   run    make unit
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "debugger/trace/repeats.h"

/* What is printed of events whose n-th is made by `make`: the numbers of those that have a line of
 * their own, and the lines that count, in brackets. */
static char *printed(void (*make)(unsigned, struct trace_event *), unsigned n)
{
    static char summary[4000];
    struct trace_repeats r = { .n_seen = 0 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (unsigned i = 1; i <= n; i++) {
        struct trace_event e = { .seq = i, .vtime_ns = 1000 * i, .icount = 3 * i };
        make(i, &e);
        trace_repeats_line(&r, NULL, &e, out);
    }
    trace_repeats_end(&r, NULL, out);
    fclose(out);
    summary[0] = '\0';
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t used = strlen(summary);
        const char *dots = strstr(line, "... ");
        if (dots)
            snprintf(summary + used, sizeof summary - used, "[%s] ", dots + 4);
        else
            snprintf(summary + used, sizeof summary - used, "%lu ", strtoul(line, NULL, 10));
    }
    free(text);
    return summary;
}

static void set(struct trace_event *e, enum trace_kind kind, uint64_t place, uint64_t a,
                uint64_t b, uint64_t c)
{
    e->kind = (uint8_t)kind;
    e->place = place;
    e->arg[0] = a;
    e->arg[1] = b;
    e->arg[2] = c;
}

/* Three events for each time that port 3FDh is read; it has `value`. */
static void poll_of(unsigned i, uint64_t value, struct trace_event *e)
{
    if (i % 3 == 1)
        set(e, TRACE_EXIT, 0x1000, 30, 0x3fd0008, 0);
    else if (i % 3 == 2)
        set(e, TRACE_IO_READ, 0x1000, 0x3fd, 1, value);
    else
        set(e, TRACE_RESUME, 0x1000, 0, 0x1001, 100 + i);
}

static void polling(unsigned i, struct trace_event *e)
{
    poll_of(i, 0x60, e);
}

static void a_polling_guest_is_counted(void **state)
{
    (void)state;
    assert_string_equal(printed(polling, 9), "1 2 3 4 5 6 7 8 9 ");
    assert_string_equal(printed(polling, 12),
                        "1 2 3 4 5 6 7 8 9 [these 3 again, 1 time (to event 12)] ");
    assert_string_equal(printed(polling, 3000003),
                        "1 2 3 4 5 6 7 8 9 [these 3 again, 999,998 times (to event 3000003)] ");
}

static void what_is_left_of_a_round_is_printed(void **state)
{
    (void)state;
    assert_string_equal(printed(polling, 32),
                        "1 2 3 4 5 6 7 8 9 [these 3 again, 7 times (to event 30)] 31 32 ");
}

/* The 100th round reads something else. */
static void polling_until(unsigned i, struct trace_event *e)
{
    poll_of(i, (i + 2) / 3 == 100 ? 0x61 : 0x60, e);
}

static void the_value_that_was_waited_for_is_shown(void **state)
{
    (void)state;
    assert_string_equal(printed(polling_until, 303),
                        "1 2 3 4 5 6 7 8 9 [these 3 again, 96 times (to event 297)] 298 299 "
                        "300 301 302 303 ");
}

/* A counter that is read is another number each time. */
static void counter(unsigned i, struct trace_event *e)
{
    poll_of(i, i, e);
}

/* A bit that changes each seventh time, as bit 4 of port 61h does. */
static void toggles(unsigned i, struct trace_event *e)
{
    poll_of(i, i / 21 % 2 << 4, e);
}

static void values_that_change_all_the_time_are_counted_too(void **state)
{
    (void)state;
    const char *s = printed(counter, 3000);
    assert_non_null(strstr(s, " 46 47 [these 3 again, 984 times, with other values (to event "));
    assert_non_null(strstr(printed(toggles, 30000), "times, with other values (to event "));
    assert_true(strlen(printed(toggles, 30000)) < 1200);
}

/* Each event differs in what counts: nothing is left out. */
static void writes(unsigned i, struct trace_event *e)
{
    set(e, TRACE_IO_WRITE, 0x1000, 0x3f8, 1, i);
}

static void places(unsigned i, struct trace_event *e)
{
    set(e, TRACE_MMIO_READ, 0x1000 + i, 0xb8000, 1, 0);
}

static void other_events_each_have_a_line(void **state)
{
    (void)state;
    assert_string_equal(printed(writes, 8), "1 2 3 4 5 6 7 8 ");
    assert_null(strstr(printed(writes, 500), "["));
    assert_null(strstr(printed(places, 500), "["));
}

static void same(unsigned i, struct trace_event *e)
{
    (void)i;
    set(e, TRACE_UNCLAIMED, 0x1000, 0x80, 1, 1);
}

static void one_event_is_a_round_too(void **state)
{
    (void)state;
    assert_string_equal(printed(same, 12348), "1 2 3 [12,345 more like it (to event 12348)] ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_polling_guest_is_counted),
        cmocka_unit_test(what_is_left_of_a_round_is_printed),
        cmocka_unit_test(the_value_that_was_waited_for_is_shown),
        cmocka_unit_test(values_that_change_all_the_time_are_counted_too),
        cmocka_unit_test(other_events_each_have_a_line),
        cmocka_unit_test(one_event_is_a_round_too),
    };
    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
