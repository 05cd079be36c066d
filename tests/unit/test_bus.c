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
struct counter {
    uint8_t next;
    unsigned reads, writes, last_size, last_off;
    uint64_t last;
    struct requester last_from;
};

static uint64_t counter_peek(const void *dev, struct bus_access a)
{
    const struct counter *c = dev;
    return low_bytes(c->next * UINT64_C(0x0101010101010101), a.size);
}

static uint64_t counter_read(void *dev, struct bus_access a)
{
    struct counter *c = dev;
    uint64_t value = counter_peek(dev, a);
    c->last_from = a.from;
    c->reads++;
    c->next++;
    return value;
}

static void counter_write(void *dev, struct bus_access a, uint64_t value)
{
    struct counter *c = dev;
    c->writes++;
    c->last_off = a.off;
    c->last_from = a.from;
    c->last_size = a.size;
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
        { 0x300, 8, &word_ops, &c16, "words", 0x10, false },
        { 0x100, 4, &byte_ops, &c8, "bytes", 0, false },
        { 0x104, 4, NULL, NULL, "a dummy", 0, false },
        { 0xffff, 1, &byte_ops, &c8, "the last port", 0, false },
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
    struct bus_range r = { 0xfe, 3, &byte_ops, &c8, "x", 0, false };
    assert_int_equal(bus_claim(bus, &r), -EEXIST);
    r.len = 2;
    assert_int_equal(bus_claim(bus, &r), 0);
    r = (struct bus_range){ 0x102, 1, &byte_ops, &c8, "x", 0, false };
    assert_int_equal(bus_claim(bus, &r), -EEXIST);
    r = (struct bus_range){ 0x200, 0, &byte_ops, &c8, "x", 0, false };
    assert_int_equal(bus_claim(bus, &r), -EINVAL);
    r = (struct bus_range){ ~UINT64_C(0), 2, &byte_ops, &c8, "x", 0, false };
    assert_int_equal(bus_claim(bus, &r), -EINVAL);
    r = (struct bus_range){ 0x100000000, UINT64_C(0x100000001), &byte_ops, &c8, "x", 0, false };
    assert_int_equal(bus_claim(bus, &r), -EINVAL);
    r.len--;
    assert_int_equal(bus_claim(bus, &r), 0);
}

static void a_wide_access_reaches_a_narrow_device_as_bytes(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_read(bus, from_cpu(0), 0x100, 4, &v));
    assert_int_equal(v, 0x04030201);
    assert_int_equal(c8.reads, 4);
    bus_write(bus, from_cpu(0), 0x102, 2, 0xbbaa);
    assert_int_equal(c8.writes, 2);
    assert_int_equal(c8.last, 0xbb);
    assert_int_equal(c8.last_off, 3);
}

static void an_access_it_decodes_is_whole(void **state)
{
    (void)state;
    uint64_t v;
    bus_write(bus, from_cpu(0), 0x304, 2, 0x12345678);
    assert_int_equal(c16.writes, 1);
    assert_int_equal(c16.last, 0x5678);
    assert_int_equal(c16.last_size, 2);
    assert_int_equal(c16.last_off, 0x14);
    bus_read(bus, from_cpu(0), 0x307, 2, &v);         /* reaches past it: bytes, and ones */
    assert_int_equal(v, 0xff01);
}

static void nobody_reads_as_ones_and_is_told(void **state)
{
    (void)state;
    uint64_t v;
    assert_false(bus_read(bus, from_cpu(0), 0x500, 4, &v));
    assert_int_equal(v, 0xffffffff);
    assert_int_equal(event(0)->kind, TRACE_UNCLAIMED);
    assert_int_equal(event(0)->arg[0], 0x500);
    assert_int_equal(event(0)->arg[2], 0);
    assert_int_equal(event(0)->cause_back, 1);
    assert_int_equal(event(1)->kind, TRACE_IO_READ);
    assert_int_equal(event(1)->arg[2], 0xffffffff);
    assert_false(bus_write(bus, from_cpu(0), 0x500, 1, 1));
    assert_int_equal(event(0)->arg[2], 1);
}

static void a_dummy_answers_ones_and_is_no_news(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_read(bus, from_cpu(0), 0x104, 2, &v));
    assert_int_equal(v, 0xffff);
    assert_true(bus_write(bus, from_cpu(0), 0x104, 1, 7));
    assert_int_equal(event(0)->kind, TRACE_IO_WRITE);
}

static void one_event_for_one_access(void **state)
{
    (void)state;
    uint64_t v;
    bus_read(bus, from_cpu(0), 0x100, 1, &v);
    assert_int_equal(t->ring->head, 1);
    assert_int_equal(event(0)->arg[2], 1);
    bus_write(bus, from_cpu(0), 0x100, 4, 5);
    assert_int_equal(t->ring->head, 2);
}

static void peek_moves_nothing_and_is_not_logged(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_peek(bus, from_debugger(0), 0x100, 1, &v));
    assert_int_equal(v, 1);
    assert_true(bus_peek(bus, from_debugger(0), 0x100, 1, &v));
    assert_int_equal(v, 1);
    assert_false(bus_peek(bus, from_debugger(0), 0x600, 1, &v));
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

/* ---- claimed, moved and released while the guest runs ---- */

static struct bus_range movable(uint64_t base, uint64_t len)
{
    return (struct bus_range){ base, len, &byte_ops, &c8, "a BAR", 0, true };
}

static uint64_t peeked(uint64_t addr)
{
    uint64_t v;
    return bus_peek(bus, from_debugger(0), addr, 1, &v) ? v : UINT64_MAX;
}

static void a_range_moves_and_answers_at_its_new_place(void **state)
{
    (void)state;
    struct bus_range r = movable(0x1000, 0x20);
    assert_int_equal(bus_claim(bus, &r), 0);
    assert_int_equal(peeked(0x101f), 1);
    assert_int_equal(bus_move(bus, 0x1000, 0x2000), 0);
    assert_null(bus_find(bus, 0x1000));
    assert_int_equal(bus_find(bus, 0x201f)->base, 0x2000);
    bus_write(bus, from_cpu(0), 0x2003, 1, 7);
    assert_int_equal(c8.last_off, 3);               /* the device sees offsets, as before */
    assert_int_equal(bus_move(bus, 0x2000, 0x2010), 0);     /* over its own old place */
    assert_null(bus_find(bus, 0x200f));
    assert_int_equal(bus_find(bus, 0x202f)->base, 0x2010);
    assert_int_equal(bus_count(bus), 5);
}

static void a_move_onto_another_range_is_refused(void **state)
{
    (void)state;
    struct bus_range r = movable(0x1000, 0x20);
    assert_int_equal(bus_claim(bus, &r), 0);
    assert_int_equal(bus_move(bus, 0x1000, 0x2f0), -EEXIST);    /* its end reaches the words */
    assert_int_equal(bus_move(bus, 0x1000, 0x103), -EEXIST);
    assert_int_equal(bus_move(bus, 0x1000, UINT64_MAX - 3), -EINVAL);
    assert_int_equal(bus_move(bus, 0x1001, 0x2000), -ENOENT);   /* no range begins there */
    assert_int_equal(bus_find(bus, 0x101f)->base, 0x1000);      /* it is where it was */
    assert_int_equal(bus_count(bus), 5);
}

static void what_is_released_can_be_claimed_again(void **state)
{
    (void)state;
    struct bus_range r = movable(0x1000, 0x20), other = movable(0x1010, 0x20);
    assert_int_equal(bus_claim(bus, &r), 0);
    assert_int_equal(bus_claim(bus, &other), -EEXIST);
    assert_int_equal(bus_release(bus, 0x1000), 0);
    assert_int_equal(bus_release(bus, 0x1000), -ENOENT);
    assert_int_equal(bus_claim(bus, &other), 0);
    assert_int_equal(bus_find(bus, 0x1010)->len, 0x20);
    assert_null(bus_find(bus, 0x100f));
}

static void wiring_of_the_board_stays(void **state)
{
    (void)state;
    assert_int_equal(bus_move(bus, 0x100, 0x1000), -EPERM);
    assert_int_equal(bus_release(bus, 0x100), -EPERM);
    struct bus_range a = movable(0x1000, 4), z = movable(0xf0, 4);
    assert_int_equal(bus_claim(bus, &a), 0);
    assert_int_equal(bus_claim(bus, &z), 0);
    bus_release_movable(bus);
    assert_int_equal(bus_count(bus), 4);
    for (size_t i = 0; i < 4; i++)
        assert_false(bus_range_at(bus, i)->movable);
}

static void there_is_no_largest_number_of_ranges(void **state)
{
    (void)state;
    for (uint64_t i = 1000; i-- > 0; ) {
        struct bus_range r = movable(0x100000 + i * 16, 8);
        assert_int_equal(bus_claim(bus, &r), 0);
    }
    assert_int_equal(bus_count(bus), 1004);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(bus_find(bus, 0x100007 + i * 16)->base, 0x100000 + i * 16);
        assert_null(bus_find(bus, 0x100008 + i * 16));
    }
}

/* A device as PCI's are: what is written at offset 0 is where it wants to be. */
static void self_moving_write(void *dev, struct bus_access a, uint64_t value)
{
    uint64_t *at = dev;
    if (a.off == 0 && bus_move(bus, *at, value) == 0)
        *at = value;
}

static void a_device_moves_itself_in_the_midst_of_a_write(void **state)
{
    (void)state;
    static const struct device_ops ops = {
        .name = "bar", .about = "", .width = 4, .write = self_moving_write, .peek = counter_peek,
    };
    uint64_t at = 0x4000;
    struct bus_range r = { at, 8, &ops, &at, "a BAR", 0, true };
    assert_int_equal(bus_claim(bus, &r), 0);
    assert_true(bus_write(bus, from_cpu(0), 0x4000, 4, 0x8));
    assert_int_equal(at, 8);
    assert_int_equal(bus_find(bus, 0xf)->base, 8);
    assert_true(bus_write(bus, from_cpu(0), 8, 8, 0x6000));     /* too wide: in bytes, 00 60 ... */
    assert_int_equal(at, 0);
    assert_int_equal(bus_find(bus, 7)->base, 0);
}

static void a_device_hears_who_asks(void **state)
{
    (void)state;
    uint64_t v;
    bus_write(bus, from_cpu(3), 0x100, 1, 0);
    assert_int_equal(c8.last_from.kind, REQUESTER_CPU);
    assert_int_equal(c8.last_from.n, 3);
    bus_read(bus, from_device(5), 0x100, 4, &v);                /* each byte of it */
    assert_int_equal(c8.last_from.kind, REQUESTER_DEVICE);
    assert_int_equal(c8.last_from.n, 5);
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
        T(a_range_moves_and_answers_at_its_new_place),
        T(a_move_onto_another_range_is_refused),
        T(what_is_released_can_be_claimed_again),
        T(wiring_of_the_board_stays),
        T(there_is_no_largest_number_of_ranges),
        T(a_device_moves_itself_in_the_midst_of_a_write),
        T(a_device_hears_who_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
