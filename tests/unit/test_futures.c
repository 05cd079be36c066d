/*
 * A trace in which time goes back: which events are one story, what the exports make of any
 * trace, and which names they can pass on.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "cpu/exit.h"
#include "debugger/report/export.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/futures.h"
#include "debugger/trace/store.h"

/* A trace of n events; those whose numbers are in `cut` are CUTs, back to back_to[i]. */
static struct store *trace_with_cuts(uint64_t n, const uint64_t *cut, const uint64_t *back_to)
{
    char why[200];
    struct store *s = store_record(NULL, NULL, "guest=\"z\xc3\xa4hler\"\\\xff\n", why, sizeof why);
    assert_non_null(s);
    for (uint64_t i = 1; i <= n; i++) {
        struct trace_event e = { .seq = i, .vtime_ns = i, .kind = TRACE_EXIT, .arg = { EXIT_HLT } };
        if (*cut == i) {
            e.kind = TRACE_CUT;
            e.arg[0] = *back_to++;
            cut++;
        }
        store_sink(s, &e, 1);
    }
    return s;
}

static void a_trace_without_a_cut_is_one_story(void **state)
{
    (void)state;
    struct store *s = trace_with_cuts(10, (uint64_t[]){ 0 }, NULL);
    struct futures *f = futures_find(s);
    assert_int_equal(futures_count(f), 1);
    for (uint64_t seq = 1; seq <= 10; seq++)
        assert_true(futures_in_story(f, seq) && futures_of(f, seq) == 0);
    futures_free(f);
    store_close(s);
}

/* 1..4 | 10 CUT back to 4 | 20 CUT back to 12, so 13..19 did not come to be, either */
static void what_was_cut_off_is_not_in_the_story(void **state)
{
    (void)state;
    struct store *s = trace_with_cuts(30, (uint64_t[]){ 10, 20, 0 }, (uint64_t[]){ 4, 12 });
    struct futures *f = futures_find(s);
    assert_int_equal(futures_count(f), 3);
    for (uint64_t seq = 1; seq <= 30; seq++) {
        assert_int_equal(futures_in_story(f, seq), seq <= 4 || (seq >= 10 && seq <= 12) || seq >= 20);
        assert_int_equal(futures_of(f, seq), seq < 10 ? 0 : seq < 20 ? 1 : 2);
    }
    assert_int_equal(futures_back_to(f, 1), 4);
    assert_int_equal(futures_back_to(f, 2), 12);
    futures_free(f);
    store_close(s);
}

static void a_state_that_was_loaded_begins_its_story(void **state)
{
    (void)state;
    struct store *s = trace_with_cuts(30, (uint64_t[]){ 10, 20, 0 }, (uint64_t[]){ 4, 0 });
    struct futures *f = futures_find(s);
    for (uint64_t seq = 1; seq <= 30; seq++)
        assert_int_equal(futures_in_story(f, seq), seq >= 20);
    futures_free(f);
    store_close(s);
}

/* Nobody promises that a CUT goes back. */
static void cuts_may_say_anything(void **state)
{
    (void)state;
    struct store *s = trace_with_cuts(8, (uint64_t[]){ 1, 2, 3, 5, 8, 0 },
                                      (uint64_t[]){ 1, UINT64_MAX, 3, 4, 8 });
    struct futures *f = futures_find(s);
    char *json = NULL;
    size_t n;
    assert_int_equal(futures_count(f), 6);
    for (uint64_t seq = 1; seq <= 8; seq++)
        assert_int_equal(futures_in_story(f, seq), seq == 8);
    FILE *out = open_memstream(&json, &n);
    struct filter_error err;
    struct filter *all = filter_compile("", NULL, &err);
    assert_int_equal(trace_export_chrome(s, all, out), 0);
    fclose(out);
    assert_non_null(strstr(json, "\\\"z\xc3\xa4hler\\\"\\\\? on "));  /* the guest's name */
    free(json);
    filter_free(all);
    futures_free(f);
    store_close(s);
}

static void characters_have_their_lengths(void **state)
{
    (void)state;
    static const struct { const char *text; size_t length; bool shown; } rows[] = {
        { "a", 1, true },             { "\xc3\xa4", 2, true },      { "\xe2\x82\xac", 3, true },
        { "\xf0\x9f\x90\x84", 4, true }, { "\xed\x9f\xbf", 3, true }, { "\xf4\x8f\xbf\xbf", 4, true },
        { "", 1, false },             { "\n", 1, false },           { "\x7f", 1, false },
        { "\xc2\x9b", 2, false },     /* CSI, which some terminals obey */
        { "\xc2\xa0", 2, true },
        { "\x80", 0, false },         { "\xc3", 0, false },         { "\xc3(", 0, false },
        { "\xc0\xaf", 0, false },     { "\xe0\x9f\xbf", 0, false }, { "\xe2\x82", 0, false },
        { "\xed\xa0\x80", 0, false }, { "\xf0\x8f\xbf\xbf", 0, false },
        { "\xf4\x90\x80\x80", 0, false }, { "\xff", 0, false },
    };
    for (size_t i = 0; i < NELEM(rows); i++) {
        assert_int_equal(utf8_length(rows[i].text), rows[i].length);
        assert_int_equal(utf8_is_shown(rows[i].text, rows[i].length), rows[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_without_a_cut_is_one_story),
        cmocka_unit_test(what_was_cut_off_is_not_in_the_story),
        cmocka_unit_test(a_state_that_was_loaded_begins_its_story),
        cmocka_unit_test(cuts_may_say_anything),
        cmocka_unit_test(characters_have_their_lengths),
    };
    return cmocka_run_group_tests_name("futures", tests, NULL, NULL);
}
