/*
 * tests/unit/test_rtc.c -- the MC146818 against its data sheet.
 *
 *   run   build/tests/test_rtc
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board.h"

#define SECOND UINT64_C(1000000000)

static struct board *b;

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    start_pics(b);
    out(b, 0x43, 0x30);     /* the BIOS's tick stops: only the clock's own events are counted */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static uint8_t get(uint8_t reg)
{
    out(b, 0x70, reg);
    return in(b, 0x71);
}

static void put(uint8_t reg, uint8_t value)
{
    out(b, 0x70, reg);
    out(b, 0x71, value);
}

static bool irq8(void)
{
    out(b, 0xa0, 0x0a);
    return in(b, 0xa0) & 0x01;
}

static void assert_date(unsigned yy, unsigned mm, unsigned dd, unsigned h, unsigned m, unsigned s)
{
    assert_int_equal(get(9), yy);
    assert_int_equal(get(8), mm);
    assert_int_equal(get(7), dd);
    assert_int_equal(get(4), h);
    assert_int_equal(get(2), m);
    assert_int_equal(get(0), s);
}

static void set_date(uint8_t yy, uint8_t mm, uint8_t dd, uint8_t h, uint8_t m, uint8_t s)
{
    put(0x0b, get(0x0b) | 0x80);
    put(9, yy), put(8, mm), put(7, dd), put(4, h), put(2, m), put(0, s);
    put(0x0b, get(0x0b) & 0x7f);
}

static void starts_at_the_given_time_and_goes_on(void **state)
{
    (void)state;
    assert_date(0x00, 0x02, 0x28, 0x23, 0x59, 0x59);
    assert_int_equal(get(6), 2);                    /* Monday; Sunday is 1 */
    assert_int_equal(get(0x32), 0x20);
    pass(b, SECOND);
    assert_date(0x00, 0x02, 0x29, 0x00, 0x00, 0x00);
    assert_int_equal(get(6), 3);
    pass(b, 86400 * SECOND);
    assert_date(0x00, 0x03, 0x01, 0x00, 0x00, 0x00);
}

static void other_starts(void **state)
{
    (void)state;
    static const struct { int64_t s; uint8_t yy, mm, dd, day, century; } t[] = {
        { 0, 0x70, 0x01, 0x01, 5, 0x19 },
        { 946684799, 0x99, 0x12, 0x31, 6, 0x19 },
        { 1700000000, 0x23, 0x11, 0x14, 3, 0x20 },
        { INT64_C(4107542400), 0x00, 0x03, 0x01, 2, 0x21 },     /* 2100 has no 29 February */
        { INT64_C(-5), 0x70, 0x01, 0x01, 5, 0x19 },
    };
    for (size_t i = 0; i < NELEM(t); i++) {
        void *r = rtc_ops.create(&(struct slot){ .clock = b->clock, .trace = b->trace,
                                                 .rtc_start_s = t[i].s });
        const uint8_t reg[] = { 9, 8, 7, 6 };
        const uint8_t want[] = { t[i].yy, t[i].mm, t[i].dd, t[i].day };
        for (size_t k = 0; k < NELEM(reg); k++) {
            rtc_ops.write(r, (struct bus_access){ .size = 1 }, reg[k]);
            assert_int_equal(rtc_ops.read(r, (struct bus_access){ .off = 1, .size = 1 }), want[k]);
        }
        assert_int_equal(rtc_nvram(r, 0x32), t[i].century);
        rtc_ops.free(r);
    }
}

static void a_year_in_one_leap(void **state)
{
    (void)state;
    vclock_set_ns(b->clock, (365 * UINT64_C(86400) + 1) * SECOND);
    assert_date(0x01, 0x02, 0x28, 0x00, 0x00, 0x00);
}

static void set_stops_the_clock(void **state)
{
    (void)state;
    put(0x0b, 0x82);
    pass(b, 5 * SECOND);
    assert_date(0x00, 0x02, 0x28, 0x23, 0x59, 0x59);
    put(9, 0x99), put(8, 0x12), put(7, 0x31);
    put(0x0b, 0x02);
    pass(b, SECOND);
    assert_date(0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
}

static void twelve_hours_and_binary(void **state)
{
    (void)state;
    put(0x0b, 0x04);                                /* binary, 12 hours */
    set_date(20, 12, 31, 0x80 | 11, 59, 59);
    pass(b, SECOND);
    assert_date(21, 1, 1, 12, 0, 0);                /* 12 AM */
    set_date(21, 1, 1, 11, 59, 59);
    pass(b, SECOND);
    assert_int_equal(get(4), 0x80 | 12);            /* 12 PM */
    pass(b, 3600 * SECOND);
    assert_int_equal(get(4), 0x80 | 1);
}

static void uip_warns_before_the_update(void **state)
{
    (void)state;
    pass(b, SECOND / 2);
    assert_int_equal(get(0x0a), 0x26);
    reach(b, SECOND - 300000);
    assert_int_equal(get(0x0a), 0xa6);
    assert_int_equal(get(0), 0x59);
    reach(b, SECOND + 1);
    assert_int_equal(get(0x0a), 0x26);
    assert_int_equal(get(0), 0x00);
}

static void divider_reset_gives_half_a_second(void **state)
{
    (void)state;
    pass(b, SECOND / 4);
    put(0x0a, 0x76);
    pass(b, 10 * SECOND);
    assert_int_equal(get(0), 0x59);
    put(0x0a, 0x26);
    pass(b, SECOND / 2 - 100000);
    assert_int_equal(get(0), 0x59);
    pass(b, 200000);
    assert_int_equal(get(0), 0x00);
}

static void update_interrupt_each_second(void **state)
{
    (void)state;
    put(0x0b, 0x12);
    assert_false(irq8());
    reach(b, SECOND);
    assert_true(irq8());
    assert_int_equal(get(0x0c) & 0x90, 0x90);
    assert_false(irq8());
    assert_int_equal(get(0x0c), 0x00);
    reach(b, 2 * SECOND);
    assert_true(irq8());
}

static void alarm_at_its_time_or_any(void **state)
{
    (void)state;
    put(1, 0x03), put(3, 0x00), put(5, 0xc0);       /* any hour */
    put(0x0b, 0x22);
    reach(b, 3 * SECOND + SECOND / 2);
    assert_false(irq8());
    reach(b, 4 * SECOND);
    assert_true(irq8());
    assert_int_equal(get(0x0c) & 0xa0, 0xa0);
    reach(b, 3603 * SECOND + SECOND / 2);
    assert_false(irq8());
    reach(b, 3604 * SECOND);
    assert_true(irq8());
}

static void periodic_rate(void **state)
{
    (void)state;
    unsigned n = 0;
    put(0x0a, 0x2a);                                /* 64 Hz */
    put(0x0b, 0x42);
    for (uint64_t next; (next = vclock_next_ns(b->clock)) <= SECOND;) {
        reach(b, next);
        assert_true(irq8());
        assert_int_equal(get(0x0c) & 0xc0, 0xc0);
        n++;
    }
    assert_int_equal(n, 64);
    put(0x0a, 0x20);                                /* rate 0: none */
    assert_true(vclock_next_ns(b->clock) == VCLOCK_NEVER);
}

/* Interrupts of the enabled kinds in one second. */
static unsigned interrupts_per_second(uint8_t a, uint8_t b_reg)
{
    unsigned n = 0;
    uint64_t end = vclock_now_ns(b->clock) + SECOND;
    put(0x0a, a);
    put(0x0b, b_reg);
    get(0x0c);
    for (uint64_t next; (next = vclock_next_ns(b->clock)) <= end; n++) {
        reach(b, next);
        get(0x0c);
    }
    return n;
}

static void all_rates(void **state)
{
    (void)state;
    static const unsigned hz[16] = { 0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                     256, 128, 64,  32,   16,   8,    4,    2 };
    for (uint8_t rate = 0; rate < 16; rate++)
        assert_in_range(interrupts_per_second(0x20 | rate, 0x42), hz[rate] - (rate > 0), hz[rate]);
}

static void a_slow_rate_does_not_hide_the_update(void **state)
{
    (void)state;
    pass(b, SECOND / 4);
    assert_int_equal(interrupts_per_second(0x2e, 0x52), 4);     /* 4 Hz falls on the update */
    put(0x0b, 0x12);
    get(0x0c);
    assert_int_equal(vclock_next_ns(b->clock), 2 * SECOND);
    put(0x0b, 0x52);
    assert_int_equal(vclock_next_ns(b->clock), SECOND + SECOND / 2);
}

static void flags_are_set_without_interrupts(void **state)
{
    (void)state;
    assert_true(vclock_next_ns(b->clock) == VCLOCK_NEVER);  /* an unused clock is silent */
    pass(b, 2 * SECOND);
    assert_int_equal(get(0x0c), 0x70);      /* the alarm is set to midnight, which it was */
    assert_false(irq8());
}

static void asserted_it_waits_for_the_guest(void **state)
{
    (void)state;
    put(0x0b, 0x42);
    pass(b, SECOND);
    assert_true(irq8());
    assert_true(vclock_next_ns(b->clock) == VCLOCK_NEVER);
}

static void memory_keeps_over_reset(void **state)
{
    (void)state;
    put(0x40, 0xa5);
    put(0x0b, 0x72);
    b->part[B_RTC].ops->reset(b->part[B_RTC].dev);
    assert_int_equal(get(0x40), 0xa5);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0d), 0x80);
    assert_date(0x00, 0x02, 0x28, 0x23, 0x59, 0x59);
}

static void tells_the_size_of_memory(void **state)
{
    (void)state;
    rtc_set_memory(b->part[B_RTC].dev, UINT64_C(128) << 20, 0);
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
    assert_int_equal(get(0x34) | get(0x35) << 8, 112 * 16);
    unsigned sum = 0;
    for (uint8_t i = 0x10; i < 0x2e; i++)
        sum += get(i);
    assert_int_equal(get(0x2e) << 8 | get(0x2f), sum & 0xffff);
    assert_int_not_equal(sum, 0);
}

static void nonsense_is_noticed(void **state)
{
    (void)state;
    put(0x0b, 0x82);
    put(2, 0x71);
    assert_int_equal(last_oddity(b), ODDITY_RTC_BAD_TIME);
    assert_int_equal(get(2), 0x71);
    put(0x0b, 0x02);
    pass(b, SECOND);
    assert_int_equal(get(2), 0x00);                 /* it carries all the same */
    put(0x0a, 0x06);
    assert_int_equal(last_oddity(b), ODDITY_RTC_BAD_DIVIDER);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(starts_at_the_given_time_and_goes_on),
        T(other_starts),
        T(a_year_in_one_leap),
        T(set_stops_the_clock),
        T(twelve_hours_and_binary),
        T(uip_warns_before_the_update),
        T(divider_reset_gives_half_a_second),
        T(update_interrupt_each_second),
        T(alarm_at_its_time_or_any),
        T(periodic_rate),
        T(all_rates),
        T(a_slow_rate_does_not_hide_the_update),
        T(flags_are_set_without_interrupts),
        T(asserted_it_waits_for_the_guest),
        T(memory_keeps_over_reset),
        T(tells_the_size_of_memory),
        T(nonsense_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
