/*
 * tests/unit/test_device.c -- what every device promises, asked of every device.
 *
 *   run   build/tests/test_device
 *
 * Each is first brought into a busy state by a few thousand accesses from a
 * fixed generator, the same in every run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "board.h"

static struct board *b;
static uint32_t seed;

static uint32_t next(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static int set_up(void **state)
{
    (void)state;
    seed = 1;
    b = board_new();
    start_pics(b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

/* One access to some port of the board. */
static void poke(void)
{
    const struct bus_range *r = bus_range_at(b->bus, next() % bus_count(b->bus));
    uint16_t port = (uint16_t)(r->base + next() % r->len);
    if (next() & 1)
        out(b, port, (uint8_t)next());
    else
        in(b, port);
    if (next() % 8 == 0)
        pass(b, next() % 100000);
    if (next() % 16 == 0)
        uart_receive(b->part[B_UART].dev, (uint8_t)next());
    if (next() % 16 == 0)
        keyboard_type(b->part[B_KBD].dev, 'k');
}

static size_t save(int part, void *dev, char *buf, size_t n)
{
    struct bytes_out o = { 0 };
    device_save(b->part[part].ops, dev, &o);
    assert_false(o.bad);
    assert_true(o.n <= n);
    size_t bytes = o.n;
    memcpy(buf, o.data, bytes);
    free(o.data);
    return bytes;
}

/* From memory of exactly that size, so that AddressSanitizer sees whoever reads on. */
static int load(int part, void *dev, const char *buf, size_t n)
{
    uint8_t *exact = malloc(n + !n);
    memcpy(exact, buf, n);
    struct bytes_in in = { exact, exact + n, false };
    int err = device_load(b->part[part].ops, dev, &in);
    assert_true(err || in.at <= in.end);
    free(exact);
    return err;
}

static void peek_changes_nothing_and_foretells_the_read(void **state)
{
    (void)state;
    static uint8_t before[4096];
    for (unsigned round = 0; round < 3000; round++) {
        poke();
        for (size_t i = 0; i < bus_count(b->bus); i++) {
            const struct bus_range *r = bus_range_at(b->bus, i);
            uint64_t port = r->base + next() % r->len, peeked, value;
            assert_in_range(r->ops->state_bytes, 1, sizeof before);
            memcpy(before, r->dev, r->ops->state_bytes);
            bus_peek(b->bus, from_debugger(0), port, 1, &peeked);
            assert_memory_equal(before, r->dev, r->ops->state_bytes);
            if (next() % 16)
                continue;
            bus_read(b->bus, from_cpu(0), port, 1, &value);
            assert_int_equal(peeked, value);
        }
    }
}

static void a_saved_state_comes_back(void **state)
{
    (void)state;
    static char one[8192], two[8192];
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 50; i++)
            poke();
        for (int part = 0; part < N_BOARD_PARTS; part++) {
            void *copy = board_make(b, part);
            size_t n = save(part, b->part[part].dev, one, sizeof one);
            assert_int_equal(load(part, copy, one, n), 0);
            size_t m = save(part, copy, two, sizeof two);
            b->part[part].ops->free(copy);
            assert_int_equal(n, m);
            assert_memory_equal(one, two, n);
        }
    }
}

static void a_copy_goes_on_as_the_original(void **state)
{
    (void)state;
    static char buf[8192];
    out(b, 0x43, 0x34), out(b, 0x40, 0xe8), out(b, 0x40, 0x03);
    out(b, 0x3fa, 0x01);
    for (const char *s = "abc"; *s; s++)
        out(b, 0x3f8, (uint8_t)*s);
    pass(b, 20000);
    for (int part = 0; part < N_BOARD_PARTS; part++) {
        size_t n = save(part, b->part[part].dev, buf, sizeof buf);
        b->part[part].ops->reset(b->part[part].dev);
        assert_int_equal(load(part, b->part[part].dev, buf, n), 0);
    }
    pass(b, 400000);
    assert_string_equal(b->out, "abc");             /* the transmitter went on */
    uint64_t edge = vclock_next_ns(b->clock);
    assert_int_equal(edge, (UINT64_C(1000) * 1000000000 + PIT_HZ - 1) / PIT_HZ);
}

static void another_device_s_state_is_refused(void **state)
{
    (void)state;
    static char buf[8192], now[8192];
    for (int part = 0; part < N_BOARD_PARTS; part++) {
        int other = (part + 1) % N_BOARD_PARTS;
        void *dev = b->part[part].dev;
        size_t n = save(other, b->part[other].dev, buf, sizeof buf);
        size_t m = save(part, dev, now, sizeof now);
        assert_int_equal(load(part, dev, buf, n), -EINVAL);
        memcpy(buf, now, m);
        assert_int_equal(load(part, dev, buf, m - 1), -EINVAL);     /* truncated */
        buf[0] ^= 1;
        assert_int_equal(load(part, dev, buf, m), -EINVAL);
        size_t n_fields_at = 4 + 1 + strlen(b->part[part].ops->name);
        memcpy(buf, now, m);
        buf[n_fields_at] ^= 1;
        assert_int_equal(load(part, dev, buf, m), -EINVAL);
        memcpy(buf, now, m);
        buf[n_fields_at + 4 + 1 + strlen(b->part[part].ops->fields[0].name)] ^= 1; /* a size */
        assert_int_equal(load(part, dev, buf, m), -EINVAL);
        assert_int_equal(save(part, dev, buf, sizeof buf), m);
        assert_memory_equal(buf, now, m);           /* and nothing was touched */
    }
}

static void what_is_bad_stays_bad_and_what_stood_there_stays(void **state)
{
    (void)state;
    struct bytes_out o = { 0 };
    bytes_put_u64(&o, 0x1122);
    device_save(&uart_ops, b->part[B_UART].dev, &o);
    assert_int_equal(o.data[0], 0x22);
    assert_memory_equal(o.data + 8, "VDEV", 4);
    size_t n = o.n;
    o.bad = true;                               /* as when memory is short */
    device_save(&uart_ops, b->part[B_UART].dev, &o);
    assert_true(o.bad);
    assert_int_equal(o.n, n);
    free(o.data);
}

static void reset_is_where_it_began(void **state)
{
    (void)state;
    static uint64_t one[4096], two[4096];       /* values: a saved timer has a number besides */
    for (unsigned i = 0; i < 2000; i++)
        poke();
    for (int part = 0; part < N_BOARD_PARTS; part++) {
        if (part == B_RTC || part == B_PIC)
            continue;       /* one has a battery, the other pins that are not its own */
        void *fresh = board_make(b, part);
        b->part[part].ops->reset(fresh);
        b->part[part].ops->reset(b->part[part].dev);
        size_t n = device_values(b->part[part].ops, fresh, one, NELEM(one));
        size_t m = device_values(b->part[part].ops, b->part[part].dev, two, NELEM(two));
        b->part[part].ops->free(fresh);
        assert_int_equal(n, m);
        assert_memory_equal(one, two, n * sizeof one[0]);
    }
}

static void every_field_is_shown_with_its_meaning(void **state)
{
    (void)state;
    for (int part = 0; part < N_BOARD_PARTS; part++) {
        const struct device_ops *ops = b->part[part].ops;
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);
        device_show(ops, b->part[part].dev, f);
        fclose(f);
        assert_non_null(strstr(text, ops->about));
        for (size_t i = 0; i < ops->n_fields; i++) {
            const struct field *fd = &ops->fields[i];
            assert_true(fd->offset + (size_t)fd->size * fd->count <= ops->state_bytes);
            if (!(fd->flags & FIELD_HIDDEN))
                assert_non_null(strstr(text, fd->about));
            for (size_t k = 0; k < i; k++)
                assert_string_not_equal(fd->name, ops->fields[k].name);
        }
        free(text);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(peek_changes_nothing_and_foretells_the_read),
        T(a_saved_state_comes_back),
        T(a_copy_goes_on_as_the_original),
        T(another_device_s_state_is_refused),
        T(what_is_bad_stays_bad_and_what_stood_there_stays),
        T(reset_is_where_it_began),
        T(every_field_is_shown_with_its_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
