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
#include "cpu/exit.h"
#include "debugger/trace/drain.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "path.h"

/* Event number i of every trace here. */
static struct trace_event event(uint64_t i)
{
    return (struct trace_event){ .seq = i, .vtime_ns = 10 * i, .icount = 3 * i, .place = 0x1000 + i % 64,
        .arg = { i % 3, i, ~i }, .kind = (uint8_t)(i % N_TRACE_KINDS) };
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

/* A file that ends with a whole block is not therefore at its end. */
static void a_growing_file_is_complete_when_closed(void **state)
{
    (void)state;
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    struct store *s = open_store();
    assert_false(store_is_complete(s));
    for (uint64_t i = 0; i < 3; i++) {
        emit(w, i * TRACE_BLOCK_EVENTS + 1, (i + 1) * TRACE_BLOCK_EVENTS);
        assert_int_equal(store_refresh(s), TRACE_BLOCK_EVENTS);
        assert_false(store_is_complete(s));
        struct store *anew = open_store();
        assert_int_equal(store_n_events(anew), (i + 1) * TRACE_BLOCK_EVENTS);
        assert_false(store_is_complete(anew));
        store_close(anew);
    }
    trace_writer_close(w);
    assert_int_equal(store_refresh(s), 0);
    assert_true(store_is_complete(s));
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

/*
 * Searching
 */

static uint64_t seed = 1;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* An event like those of a guest: in phases, so that blocks differ. */
static struct trace_event likely_event(uint64_t i)
{
    static const uint32_t reasons[] = { EXIT_IO, EXIT_HLT, EXIT_EPT_VIOLATION, EXIT_CR_ACCESS, EXIT_MMIO,
                                        EXIT_EXCEPTION, 0x7777 };
    uint64_t phase = i / 500;
    struct trace_event e = { .seq = i, .vtime_ns = 10 * i, .icount = 3 * i,
        .place = 0x100000 + phase * 0x1000 + any(40) * 4, .cause_back = (uint32_t)any(i < 4 ? 1 : 4),
        .kind = (uint8_t)any(N_TRACE_KINDS), .who.engine = phase & 1,
        .arg = { any(4), any(3) ? any(100) : phase << 12, any(2) ? any(1000) : UINT64_MAX } };
    if (any(3) == 0) {
        e.kind = TRACE_EXIT;
        e.arg[0] = reasons[any(NELEM(reasons))];
        e.arg[1] = any(2) ? (0x3f8 + phase) << 16 : any(UINT32_MAX);
    }
    e.cs = 8;
    if (phase % 4 == 1 && i % 3) {      /* in real mode, or in a segment far up */
        uint32_t base = i % 8 ? 0x7c00 : 0xfffe0000;
        e.place = (uint64_t)base << 32 | (base + i % 40);
        e.cs = i % 8 ? 0x7c0 : 0x10;
        e.who.segmented = 1;
    }
    return e;
}

#define N_SEARCHED 9000
static struct trace_event searched[N_SEARCHED];

/* Half of them in blocks of the file, of different sizes, the rest in the tail. */
static struct store *open_searched(void)
{
    char why[200];
    struct store *s = store_record(NULL, NULL, NULL, why, sizeof why);
    assert_non_null(s);
    for (uint64_t i = 0; i < N_SEARCHED; i++) {
        searched[i] = likely_event(i + 1);
        store_sink(s, &searched[i], 1);
    }
    return s;
}

static const char *const filters[] = {
    "", "exit==io", "exit==io && port==0x3fa", "port in 0x3fc..0x3fd", "port==0x9999", "MARK", "MARK && n==2",
    "rip in 0x104000..0x10403f", "rip == 0x103010", "rip < 0x101000", "gpa in 0x4000..0x4fff", "gpa==0x5000",
    "time in 20us..21us", "seq in (1, 64, 65, 4096, 4097, 9000)", "cause", "cause==500", "engine==1 && MARK",
    "value == 0xffffffffffffffff", "!(kind in (EXIT, MARK)) && !port", "vector==2 || line==3", "not exit",
    "exit==0x7777", "error & 2", "layer==io && size!=1", "icount > 26990", "msr", "n < 0", "address==0",
    "place==07c0:0009", "place != 7c0:9", "cs==0x7c0 && ip<8", "rip in 0x7c00..0x7c07", "ip==0x103010", "cs==8",
    "rip==0010:00000008", "rip>0xfffe0000", "ip in 8..10 && MARK",
};

static void searches_find_what_looking_finds(void **state)
{
    (void)state;
    struct store *s = open_searched();
    for (size_t k = 0; k < NELEM(filters); k++) {
        struct filter_error err;
        struct filter *f = filter_compile(filters[k], NULL, &err);
        if (!f)
            fail_msg("%s: %s", filters[k], err.text);
        uint64_t at = 0, n = 0, last = 0;
        for (uint64_t i = 0; i < N_SEARCHED; i++) {
            if (!filter_match(f, &searched[i]))
                continue;
            if (store_next(s, f, &at, 0) != STORE_FOUND || at != i)
                fail_msg("%s: next is %d, not %d", filters[k], (int)at, (int)i);
            last = i;
            at++;
            n++;
        }
        assert_int_equal(store_next(s, f, &at, 0), STORE_NONE);
        assert_int_equal(at, N_SEARCHED);
        assert_int_equal(store_count(s, f, 0, UINT64_MAX), n);
        for (uint64_t i = N_SEARCHED; i-- > 0; )
            if (filter_match(f, &searched[i])) {
                if (store_prev(s, f, &at, 0) != STORE_FOUND || at != i)
                    fail_msg("%s: previous is %d, not %d", filters[k], (int)at, (int)i);
                if (at-- == 0)
                    break;
            }
        if (n && last && at != UINT64_MAX)
            assert_int_equal(store_prev(s, f, &at, 0), STORE_NONE);
        filter_free(f);
    }
    store_close(s);
}

static bool check_each(void *arg, uint64_t index, const struct trace_event *e)
{
    uint64_t *next = arg;
    assert_memory_equal(e, &searched[index], sizeof *e);
    assert_true(index >= *next);
    *next = index + 1;
    return index != 7000;
}

static void parts_are_searched(void **state)
{
    (void)state;
    struct filter_error err;
    struct store *s = open_searched();
    struct filter *f = filter_compile("exit || mark", NULL, &err), *all = filter_compile("", NULL, &err);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t from = any(N_SEARCHED), to = from + any(N_SEARCHED), n = 0;
        for (uint64_t k = from; k < to && k < N_SEARCHED; k++)
            n += filter_match(f, &searched[k]);
        assert_int_equal(store_count(s, f, from, to), n);
    }
    uint64_t next = 100;
    assert_int_equal(store_each(s, all, 100, 5000, check_each, &next), 0);
    assert_int_equal(next, 5000);
    assert_int_equal(store_each(s, all, 5000, UINT64_MAX, check_each, &next), 0);
    assert_int_equal(next, 7001);
    filter_free(f);
    filter_free(all);
    store_close(s);
}

/* With a budget of nothing, a search goes on where it stopped. */
static void a_search_can_be_interrupted(void **state)
{
    (void)state;
    struct filter_error err;
    struct store *s = open_searched();
    struct filter *f = filter_compile("seq==9000", NULL, &err), *g = filter_compile("seq==1", NULL, &err);
    struct filter *slow = filter_compile("value==0x123456", NULL, &err);
    uint64_t at = 0;
    unsigned more = 0;
    while (store_next(s, slow, &at, 1) == STORE_MORE)
        more++;
    assert_true(more >= 2);
    for (at = 0; store_next(s, f, &at, 1) == STORE_MORE; )
        ;
    assert_int_equal(at, 8999);
    while (store_prev(s, g, &at, 1) == STORE_MORE)
        ;
    assert_int_equal(at, 0);
    filter_free(f), filter_free(g), filter_free(slow);
    store_close(s);
}

/* Blocks that cannot hold a match are not unpacked: they could as well be damaged. */
static void the_index_saves_looking(void **state)
{
    (void)state;
    struct filter_error err;
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    for (uint64_t i = 0; i < 100 * TRACE_BLOCK_EVENTS; i++) {
        uint64_t block = i / TRACE_BLOCK_EVENTS;
        struct trace_event e = { .seq = i + 1, .kind = TRACE_IO_READ, .place = 0x1000 * (block ^ 37),
                                 .arg = { 0x100 + (block * 7919 % 256), 1, i } };
        trace_writer_sink(w, &e, 1);
    }
    assert_int_equal(trace_writer_close(w), 0);
    struct store *s = open_store();
    const char *const exprs[] = { "port==0x100", "rip in 0x5000..0x500f", "port==0x60", "port==5 || port==6" };
    for (size_t k = 0; k < NELEM(exprs); k++) {
        unsigned looked = 0;
        struct filter *f = filter_compile(exprs[k], NULL, &err);
        for (size_t i = 0; i < 100; i++)
            looked += filter_may_match(f, store_file(s), i);
        assert_in_range(looked, k < 2, 4);
        filter_free(f);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_places),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(a_growing_file_is_followed),
        cmocka_unit_test(a_growing_file_is_complete_when_closed),
        cmocka_unit_test(a_recording_is_read_at_once),
        cmocka_unit_test(searches_find_what_looking_finds),
        cmocka_unit_test(parts_are_searched),
        cmocka_unit_test(a_search_can_be_interrupted),
        cmocka_unit_test(the_index_saves_looking),
        cmocka_unit_test(a_ring_is_taken_and_not_believed),
    };
    return cmocka_run_group_tests_name("store", tests, make_path, remove_path);
}
