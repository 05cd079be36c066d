/*
 * The store: a file, a growing file and a recording look the same to a reader.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "debugger/store.h"
#include "debugger/trace_drain.h"
#include "debugger/trace_file.h"

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/vitrine-store-%d.trace", (int)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

/* Event number i of every trace here. */
static struct trace_event event(uint64_t i)
{
    return (struct trace_event){ .seq = i, .vtime_ns = 10 * i, .icount = 3 * i, .rip = 0x1000 + i % 64,
        .arg = { i % 3, i, ~i }, .kind = (uint8_t)(i % N_TRACE_KINDS), .layer = LAYER_VM };
}

static void emit(struct trace_writer *w, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        struct trace_event e = event(i);
        trace_writer_sink(w, &e, 1);
    }
}

static void write_file(uint64_t n)
{
    struct trace_writer *w = trace_writer_open(path, NULL, "guest=none\n");
    assert_non_null(w);
    emit(w, 1, n);
    assert_int_equal(trace_writer_close(w), 0);
}

static struct store *open_store(void)
{
    char why[200] = "";
    struct store *s = store_open(path, why, sizeof why);
    if (!s)
        fail_msg("%s", why);
    return s;
}

static void check(struct store *s, uint64_t index)
{
    const struct trace_event *e = store_at(s, index);
    struct trace_event should = event(index + 1);
    assert_non_null(e);
    assert_memory_equal(e, &should, sizeof should);
}

static void events_have_places(void **state)
{
    (void)state;
    write_file(50000);
    struct store *s = open_store();
    assert_int_equal(store_n_events(s), 50000);
    for (uint64_t i = 0; i < 50000; i++)
        check(s, i);
    for (uint64_t i = 50000; i-- > 0; )
        check(s, i);
    for (uint64_t i = 0; i < 2000; i++)
        check(s, i * 7919 % 50000);
    assert_null(store_at(s, 50000));
    assert_null(store_at(s, UINT64_MAX));
    assert_string_equal(store_info(s, "guest"), "none");
    assert_true(store_is_complete(s));
    assert_int_equal(store_close(s), 0);
}

static void places_are_found(void **state)
{
    (void)state;
    write_file(10000);
    struct store *s = open_store();
    struct trace_event e;
    assert_int_equal(store_seek_seq(s, 0), 0);
    assert_int_equal(store_seek_seq(s, 1), 0);
    assert_int_equal(store_seek_seq(s, 5000), 4999);
    assert_int_equal(store_seek_seq(s, 10001), 10000);
    assert_int_equal(store_seek_time(s, 41000), 4099);
    assert_int_equal(store_seek_time(s, 41001), 4100);
    assert_int_equal(store_seek_icount(s, 3 * 9999), 9998);
    assert_int_equal(store_seek_icount(s, UINT64_MAX), 10000);
    assert_int_equal(store_find_seq(s, 77, &e), 0);
    assert_int_equal(e.seq, 77);
    assert_int_not_equal(store_find_seq(s, 10001, &e), 0);
    store_close(s);
}

/* Somebody else writes while we look. */
static void a_growing_file_is_followed(void **state)
{
    (void)state;
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    assert_non_null(w);
    struct store *s = open_store();
    assert_int_equal(store_n_events(s), 0);
    for (uint64_t i = 0; i < 20; i++) {
        emit(w, 1000 * i + 1, 1000 * i + 1000);
        assert_int_equal(trace_writer_flush(w), 0);
        assert_int_equal(store_refresh(s), 1000);
        check(s, 1000 * i);
        check(s, 1000 * i + 999);
    }
    assert_int_equal(store_refresh(s), 0);
    trace_writer_close(w);
    assert_string_equal(store_warning(s), "");
    store_close(s);
}

static void a_recording_is_read_at_once(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        char why[200] = "";
        struct store *s = store_record(named ? path : NULL, NULL, "guest=none\n", why, sizeof why);
        if (!s)
            fail_msg("%s", why);
        for (uint64_t i = 1; i <= 20000; i++) {
            struct trace_event e = event(i);
            store_sink(s, &e, 1);
            assert_int_equal(store_n_events(s), i);
            if (i % 97 == 0) {
                check(s, i - 1);
                check(s, i / 2);
            }
        }
        assert_int_equal(store_seek_seq(s, 19999), 19998);
        assert_int_equal(store_close(s), 0);
    }
    struct store *s = open_store();
    assert_int_equal(store_n_events(s), 20000);
    store_close(s);
}

/* A ring in memory of somebody we do not trust. */
static void a_ring_is_taken_and_not_believed(void **state)
{
    (void)state;
    char why[200] = "";
    struct trace *t = trace_new(64);
    struct store *s = store_record(NULL, NULL, NULL, why, sizeof why);
    assert_non_null(t);
    assert_non_null(s);
    t->mask = ~UINT64_C(0);
    for (uint64_t i = 0; i < 1000; i++) {
        trace_emit(t, TRACE_MARK, i, 0, 0);
        if (i % 50 == 0)
            store_take(s, t->ring, 64);
    }
    store_take(s, t->ring, 64);
    assert_int_equal(store_n_events(s) + t->ring->lost, 1000);
    assert_int_equal(store_lost(s), t->ring->lost);

    uint64_t before = store_n_events(s);
    for (uint64_t i = 0; i < 64; i++)
        t->ring->event[i].seq = i % 2 ? UINT64_MAX : 0;
    t->ring->head += 1000000;
    store_take(s, t->ring, 64);
    assert_in_range(store_n_events(s), before, before + 64);
    store_close(s);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_places),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(a_growing_file_is_followed),
        cmocka_unit_test(a_recording_is_read_at_once),
        cmocka_unit_test(a_ring_is_taken_and_not_believed),
    };
    return cmocka_run_group_tests_name("store", tests, make_path, remove_path);
}
