/*
 * tests/unit/test_bus.c -- who answers at which address, and what the log says of it.
 *
 *   run   build/tests/test_bus
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "board.h"

/* A device that counts: each byte read is one more; a write sets it. */
struct counter { uint8_t next; unsigned reads, writes, last_size, last_off; uint64_t last; };

static uint64_t counter_peek(const void *dev, unsigned off, unsigned size)
{
    const struct counter *c = dev;
    (void)off;
    return low_bytes(c->next * UINT64_C(0x0101010101010101), size);
}

static uint64_t counter_read(void *dev, unsigned off, unsigned size)
{
    struct counter *c = dev;
    uint64_t value = counter_peek(dev, off, size);
    c->reads++;
    c->next++;
    return value;
}

static void counter_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
    struct counter *c = dev;
    c->writes++;
    c->last_off = off;
    c->last_size = size;
    c->last = value;
}

static const struct device_ops byte_ops = {
    .name = "counter8", .about = "", .width = 1, .state_bytes = sizeof(struct counter),
    .read = counter_read, .write = counter_write, .peek = counter_peek,
};
static const struct device_ops word_ops = {
    .name = "counter16", .about = "", .width = 2, .state_bytes = sizeof(struct counter),
    .read = counter_read, .write = counter_write, .peek = counter_peek,
};

static struct trace *t;
static struct bus *bus;
static struct counter c8, c16;

static int set_up(void **state)
{
    (void)state;
    t = trace_new(64);
    t->mask = ~UINT64_C(0);
    bus = bus_new("port", TRACE_IO_READ, TRACE_IO_WRITE, t);
    c8 = c16 = (struct counter){ .next = 1 };
    const struct bus_range ranges[] = {
        { 0x300, 8, &word_ops, &c16, "words", 0x10 },
        { 0x100, 4, &byte_ops, &c8, "bytes", 0 },
        { 0x104, 4, NULL, NULL, "a dummy", 0 },
        { 0xffff, 1, &byte_ops, &c8, "the last port", 0 },
    };
    for (size_t i = 0; i < NELEM(ranges); i++)
        assert_int_equal(bus_claim(bus, &ranges[i]), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bus_free(bus);
    trace_free(t);
    return 0;
}

static const struct trace_event *event(unsigned back)
{
    return &t->ring->event[(t->ring->head - back) & (t->ring->size - 1)];
}

static void ranges_are_sorted_and_found(void **state)
{
    (void)state;
    assert_int_equal(bus_count(bus), 4);
    for (size_t i = 1; i < bus_count(bus); i++)
        assert_true(bus_range_at(bus, i - 1)->base < bus_range_at(bus, i)->base);
    assert_null(bus_range_at(bus, 4));
    assert_null(bus_find(bus, 0xff));
    assert_string_equal(bus_find(bus, 0x103)->why, "bytes");
    assert_string_equal(bus_find(bus, 0x104)->why, "a dummy");
    assert_null(bus_find(bus, 0x108));
    assert_string_equal(bus_find(bus, 0xffff)->why, "the last port");
}

static void overlaps_are_refused(void **state)
{
    (void)state;
    struct bus_range r = { 0xfe, 3, &byte_ops, &c8, "x", 0 };
    assert_int_equal(bus_claim(bus, &r), -EEXIST);
    r.len = 2;
    assert_int_equal(bus_claim(bus, &r), 0);
    r = (struct bus_range){ 0x102, 1, &byte_ops, &c8, "x", 0 };
    assert_int_equal(bus_claim(bus, &r), -EEXIST);
    r = (struct bus_range){ 0x200, 0, &byte_ops, &c8, "x", 0 };
    assert_int_equal(bus_claim(bus, &r), -EINVAL);
    r = (struct bus_range){ ~UINT64_C(0), 2, &byte_ops, &c8, "x", 0 };
    assert_int_equal(bus_claim(bus, &r), -EINVAL);
}

static void a_wide_access_reaches_a_narrow_device_as_bytes(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_read(bus, 0x100, 4, &v));
    assert_int_equal(v, 0x04030201);
    assert_int_equal(c8.reads, 4);
    bus_write(bus, 0x102, 2, 0xbbaa);
    assert_int_equal(c8.writes, 2);
    assert_int_equal(c8.last, 0xbb);
    assert_int_equal(c8.last_off, 3);
}

static void an_access_it_decodes_is_whole(void **state)
{
    (void)state;
    uint64_t v;
    bus_write(bus, 0x304, 2, 0x12345678);
    assert_int_equal(c16.writes, 1);
    assert_int_equal(c16.last, 0x5678);
    assert_int_equal(c16.last_size, 2);
    assert_int_equal(c16.last_off, 0x14);
    bus_read(bus, 0x307, 2, &v);                    /* reaches past it: bytes, and ones */
    assert_int_equal(v, 0xff01);
}

static void nobody_reads_as_ones_and_is_told(void **state)
{
    (void)state;
    uint64_t v;
    assert_false(bus_read(bus, 0x500, 4, &v));
    assert_int_equal(v, 0xffffffff);
    assert_int_equal(event(0)->kind, TRACE_UNCLAIMED);
    assert_int_equal(event(0)->arg[0], 0x500);
    assert_int_equal(event(0)->arg[2], 0);
    assert_int_equal(event(0)->cause_back, 1);
    assert_int_equal(event(1)->kind, TRACE_IO_READ);
    assert_int_equal(event(1)->arg[2], 0xffffffff);
    assert_false(bus_write(bus, 0x500, 1, 1));
    assert_int_equal(event(0)->arg[2], 1);
}

static void a_dummy_answers_ones_and_is_no_news(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_read(bus, 0x104, 2, &v));
    assert_int_equal(v, 0xffff);
    assert_true(bus_write(bus, 0x104, 1, 7));
    assert_int_equal(event(0)->kind, TRACE_IO_WRITE);
}

static void one_event_for_one_access(void **state)
{
    (void)state;
    uint64_t v;
    bus_read(bus, 0x100, 1, &v);
    assert_int_equal(t->ring->head, 1);
    assert_int_equal(event(0)->arg[2], 1);
    bus_write(bus, 0x100, 4, 5);
    assert_int_equal(t->ring->head, 2);
}

static void peek_moves_nothing_and_is_not_logged(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_peek(bus, 0x100, 1, &v));
    assert_int_equal(v, 1);
    assert_true(bus_peek(bus, 0x100, 1, &v));
    assert_int_equal(v, 1);
    assert_false(bus_peek(bus, 0x600, 1, &v));
    assert_int_equal(v, 0xff);
    assert_int_equal(c8.reads, 0);
    assert_int_equal(t->ring->head, 0);
}

static void what_a_device_does_is_caused_by_the_access(void **state)
{
    (void)state;
    struct board *b = board_new();
    start_pics(b);
    out(b, 0x3fc, 0x08);
    out(b, 0x3f9, 0x02);
    const struct trace_event *line = last_event(b, TRACE_IRQ_LINE);
    const struct trace_event *access = last_event(b, TRACE_IO_WRITE);
    assert_int_equal(line->arg[0], 4);
    assert_int_equal(line->arg[1], 1);
    assert_int_equal(line->seq - line->cause_back, access->seq);
    assert_int_equal(in(b, 0x3fa), 0x02);           /* the read comes first, too */
    line = last_event(b, TRACE_IRQ_LINE);
    access = last_event(b, TRACE_IO_READ);
    assert_int_equal(line->arg[1], 0);
    assert_int_equal(line->seq - line->cause_back, access->seq);
    assert_int_equal(access->arg[2], 0x02);
    assert_int_equal(b->trace->ctx.cause, 0);
    board_free(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ranges_are_sorted_and_found),
        T(overlaps_are_refused),
        T(a_wide_access_reaches_a_narrow_device_as_bytes),
        T(an_access_it_decodes_is_whole),
        T(nobody_reads_as_ones_and_is_told),
        T(a_dummy_answers_ones_and_is_no_news),
        T(one_event_for_one_access),
        T(peek_moves_nothing_and_is_not_logged),
        T(what_a_device_does_is_caused_by_the_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
