/*
 * The trace ring: what is lost is counted exactly, what is not lost comes out
 * once and in order, and causes point where they should.
 *   run    make unit
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/trace.h"
#include "debugger/trace/drain.h"

static struct trace *ring_of(size_t n)
{
    struct trace *t = trace_new(n);
    assert_non_null(t);
    t->mask = ~UINT64_C(0);
    return t;
}

static void only_powers_of_two_from_four(void **state)
{
    (void)state;
    static const size_t bad[] = { 0, 1, 2, 3, 5, 6, 1000 };
    for (size_t i = 0; i < NELEM(bad); i++)
        assert_null(trace_new(bad[i]));
    trace_free(trace_new(4));
    trace_free(NULL);
}

static void kinds_that_are_off_cost_no_number(void **state)
{
    (void)state;
    struct trace *t = ring_of(8);
    t->mask = BIT(TRACE_EXIT);
    assert_int_equal(trace_emit(t, TRACE_MARK, 1, 0, 0), 0);
    assert_int_equal(trace_emit(t, TRACE_EXIT, 1, 0, 0), 1);
    assert_int_equal(trace_emit(NULL, TRACE_EXIT, 1, 0, 0), 0);
    assert_int_equal(t->ring->head, 1);
    assert_int_equal(t->ring->lost, 0);
    trace_free(t);
}

static void events_are_stamped(void **state)
{
    (void)state;
    struct trace *t = ring_of(4);
    t->ctx = (struct trace_context){ .vtime_ns = 10, .icount = 11, .place = 12,
                                     .cs = 8, .who = { .engine = 1, .vcpu = 2 } };
    trace_emit(t, TRACE_SHADOW_FILL, 13, 14, 15);
    const struct trace_event *e = &t->ring->event[1];
    assert_int_equal(e->seq, 1);
    assert_int_equal(e->vtime_ns, 10);
    assert_int_equal(e->icount, 11);
    assert_int_equal(e->place, 12);
    assert_int_equal(e->arg[0], 13);
    assert_int_equal(e->arg[2], 15);
    assert_int_equal(e->kind, TRACE_SHADOW_FILL);
    assert_int_equal(trace_layer(e->kind), LAYER_MEM);
    assert_int_equal(e->who.engine, 1);
    assert_int_equal(e->who.vcpu, 2);
    assert_int_equal(e->cs, 8);
    assert_int_equal(e->cause_back, 0);
    trace_free(t);
}

/* No reader: the first `size` stay, all later ones are counted. */
static void lost_is_exact(void **state)
{
    (void)state;
    struct trace *t = ring_of(4);
    for (unsigned i = 1; i <= 11; i++)
        assert_int_equal(trace_emit(t, TRACE_MARK, i, 0, 0), i <= 4 ? i : 0);
    assert_int_equal(t->ring->head, 4);
    assert_int_equal(t->ring->lost, 7);
    t->ring->tail = 2;                  /* a reader elsewhere took two */
    assert_int_equal(trace_emit(t, TRACE_MARK, 12, 0, 0), 5);
    assert_int_equal(trace_emit(t, TRACE_MARK, 13, 0, 0), 6);
    assert_int_equal(trace_emit(t, TRACE_MARK, 14, 0, 0), 0);
    assert_int_equal(t->ring->lost, 8);
    assert_int_equal(t->ring->event[6 & 3].arg[0], 13);
    assert_int_equal(t->ring->event[3].arg[0], 3);      /* unread: not overwritten */
    trace_free(t);
}

struct seen { uint64_t next; unsigned calls; };

static void take_in_order(void *arg, const struct trace_event *events, size_t n)
{
    struct seen *s = arg;
    s->calls++;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(events[i].seq, s->next);
        assert_int_equal(events[i].arg[0], 1000 + s->next);
        s->next++;
    }
}

static void a_drain_loses_nothing(void **state)
{
    (void)state;
    for (size_t size = 4; size <= 64; size *= 4) {
        struct trace *t = ring_of(size);
        struct trace_drain d;
        struct seen a = { .next = 1 }, b = { .next = 1 };
        trace_drain_attach(&d, t);
        trace_drain_add(&d, take_in_order, &a);
        trace_drain_add(&d, take_in_order, &b);
        for (uint64_t i = 1; i <= 1000; i++) {
            assert_int_equal(trace_emit(t, TRACE_MARK, 1000 + i, 0, 0), i);
            if (i % 37 == 0)
                trace_drain_run(&d);    /* by hand, anywhere in the ring */
        }
        trace_drain_detach(&d);
        assert_int_equal(a.next, 1001);
        assert_int_equal(b.next, 1001);
        assert_int_equal(t->ring->lost, 0);
        assert_null(t->drain);
        trace_free(t);
    }
}

/* However slow the sinks are, and whoever works: all events, once, in order. */
static void take_slowly(void *arg, const struct trace_event *events, size_t n)
{
    take_in_order(arg, events, n);
    if (((struct seen *)arg)->calls % 8 == 0)
        sched_yield();
}

static void a_drain_with_a_thread_loses_nothing(void **state)
{
    (void)state;
    for (size_t size = 4; size <= 1024; size *= 4) {
        for (uint64_t early = 0; early <= 5; early++) {
            struct trace *t = ring_of(size);
            struct trace_drain d;
            struct seen a = { .next = 1 };
            trace_drain_attach(&d, t);
            trace_drain_add(&d, take_slowly, &a);
            uint64_t i = 1, last = early + 3 * size + early * 1000;
            for (; i <= early; i++)
                assert_int_equal(trace_emit(t, TRACE_MARK, 1000 + i, 0, 0), i);
            trace_drain_start(&d);
            for (; i <= last; i++) {
                assert_int_equal(trace_emit(t, TRACE_MARK, 1000 + i, 0, 0), i);
                if (i % 997 == 0) {
                    trace_drain_run(&d);    /* by hand, between the thread's batches */
                    assert_int_equal(a.next, i + 1);
                }
            }
            trace_drain_detach(&d);
            assert_int_equal(a.next, last + 1);
            assert_int_equal(t->ring->lost, 0);
            assert_int_equal(t->batch, 0);
            trace_free(t);
        }
    }
}

/* Started and stopped without an event in between, and again. */
static void a_thread_ends_when_told(void **state)
{
    (void)state;
    struct trace *t = ring_of(4);
    for (unsigned i = 0; i < 100; i++) {
        struct trace_drain d;
        trace_drain_attach(&d, t);
        trace_drain_start(&d);
        if (i % 2)
            assert_true(trace_emit(t, TRACE_MARK, i, 0, 0));
        trace_drain_detach(&d);
    }
    trace_free(t);
}

/* Without sinks the ring keeps the last events, and none counts as lost. */
static void a_drain_without_sinks_is_a_flight_recorder(void **state)
{
    (void)state;
    struct trace *t = ring_of(4);
    struct trace_drain d;
    trace_drain_attach(&d, t);
    for (uint64_t i = 1; i <= 10; i++)
        trace_emit(t, TRACE_MARK, i, 0, 0);
    assert_int_equal(t->ring->lost, 0);
    assert_int_equal(t->ring->event[10 & 3].arg[0], 10);
    trace_drain_detach(&d);
    trace_free(t);
}

static const struct trace_event *at(const struct trace *t, uint64_t seq)
{
    return &t->ring->event[seq & (t->ring->size - 1)];
}

static void causes_nest(void **state)
{
    (void)state;
    struct trace *t = ring_of(16);
    uint64_t exit = trace_emit(t, TRACE_EXIT, 0, 0, 0);
    uint64_t old = trace_enter(t, exit);
    uint64_t io = trace_emit(t, TRACE_IO_WRITE, 0, 0, 0);
    uint64_t old2 = trace_enter(t, io);
    uint64_t irq = trace_emit(t, TRACE_IRQ_LINE, 0, 0, 0);
    trace_leave(t, old2);
    uint64_t resume = trace_emit(t, TRACE_RESUME, 0, 0, 0);
    trace_leave(t, old);
    uint64_t next = trace_emit(t, TRACE_EXIT, 0, 0, 0);

    assert_int_equal(at(t, exit)->cause_back, 0);
    assert_int_equal(io - at(t, io)->cause_back, exit);
    assert_int_equal(irq - at(t, irq)->cause_back, io);
    assert_int_equal(resume - at(t, resume)->cause_back, exit);
    assert_int_equal(at(t, next)->cause_back, 0);
    trace_free(t);
}

/* A cause that was lost, or whose kind is off, leaves the one before it in force. */
static void a_missing_cause_is_skipped(void **state)
{
    (void)state;
    struct trace *t = ring_of(8);
    t->mask = BIT(TRACE_EXIT) | BIT(TRACE_IRQ_LINE);
    uint64_t exit = trace_emit(t, TRACE_EXIT, 0, 0, 0);
    uint64_t old = trace_enter(t, exit);
    uint64_t old2 = trace_enter(t, trace_emit(t, TRACE_IO_WRITE, 0, 0, 0));
    uint64_t irq = trace_emit(t, TRACE_IRQ_LINE, 0, 0, 0);
    assert_int_equal(irq - at(t, irq)->cause_back, exit);
    trace_leave(t, old2);
    trace_leave(t, old);
    assert_int_equal(trace_enter(NULL, 5), 0);
    trace_leave(NULL, 5);
    trace_free(t);
}

/* 4 Gi events later a cause cannot be told any more: better none than a wrong one. */
static void a_cause_too_far_back_is_none(void **state)
{
    (void)state;
    struct trace *t = ring_of(4);
    struct trace_drain d;
    trace_drain_attach(&d, t);
    t->ring->head = t->ring->tail = UINT64_C(0x200000000);
    trace_enter(t, 5);
    uint64_t seq = trace_emit(t, TRACE_MARK, 0, 0, 0);
    assert_int_equal(seq, UINT64_C(0x200000001));
    assert_int_equal(at(t, seq)->cause_back, 0);
    trace_drain_detach(&d);
    trace_free(t);
}

static void every_kind_has_its_words(void **state)
{
    (void)state;
    assert_true(N_TRACE_KINDS <= 64);       /* they have bits in a mask */
    for (unsigned k = 0; k < N_TRACE_KINDS; k++) {
        assert_true(strlen(trace_kinds[k].name) > 0);
        assert_true(strlen(trace_kinds[k].about) > 0);
        assert_true(trace_kinds[k].layer < N_LAYERS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_powers_of_two_from_four),
        cmocka_unit_test(kinds_that_are_off_cost_no_number),
        cmocka_unit_test(events_are_stamped),
        cmocka_unit_test(lost_is_exact),
        cmocka_unit_test(a_drain_loses_nothing),
        cmocka_unit_test(a_drain_with_a_thread_loses_nothing),
        cmocka_unit_test(a_thread_ends_when_told),
        cmocka_unit_test(a_drain_without_sinks_is_a_flight_recorder),
        cmocka_unit_test(causes_nest),
        cmocka_unit_test(a_missing_cause_is_skipped),
        cmocka_unit_test(a_cause_too_far_back_is_none),
        cmocka_unit_test(every_kind_has_its_words),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
