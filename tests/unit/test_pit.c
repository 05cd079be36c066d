/*
 * tests/unit/test_pit.c -- the 8254 against its data sheet.
 *
 *   run   build/tests/test_pit
 *
 * Time is told in ticks of the input; OUT of channel 2 is seen at port 61h,
 * that of channel 0 as IRQ 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board.h"

static struct board *b;

static int set_up(void **state)
{
    (void)state;
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

static uint64_t ns_of(uint64_t tick)
{
    return (tick * 1000000000 + PIT_HZ - 1) / PIT_HZ;
}

static void to_tick(uint64_t tick)
{
    reach(b, ns_of(tick));
}

static bool out2(void)
{
    return in(b, 0x61) & 0x20;
}

static void set(unsigned channel, uint8_t control, uint16_t count)
{
    out(b, 0x43, (uint8_t)(channel << 6 | 0x30 | control));
    out(b, (uint16_t)(0x40 + channel), (uint8_t)count);
    out(b, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned count(unsigned channel)
{
    unsigned low = in(b, (uint16_t)(0x40 + channel));
    return low | (unsigned)in(b, (uint16_t)(0x40 + channel)) << 8;
}

/* Rising edges of IRQ 0 up to the tick, by the trace. */
static unsigned rises_until(uint64_t tick)
{
    unsigned n = 0;
    uint64_t next;
    while ((next = vclock_next_ns(b->clock)) <= ns_of(tick)) {
        uint64_t before = b->trace->ring->head;
        reach(b, next);
        for (uint64_t s = before + 1; s <= b->trace->ring->head; s++) {
            const struct trace_event *e = &b->trace->ring->event[s & (b->trace->ring->size - 1)];
            n += e->kind == TRACE_IRQ_LINE && e->arg[0] == 0 && e->arg[1] == 1;
        }
    }
    to_tick(tick);
    return n;
}

static void mode_0_rises_once(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 0, 100);
    assert_false(out2());
    to_tick(100);
    assert_false(out2());
    to_tick(101);                           /* N + 1 after the write */
    assert_true(out2());
    to_tick(66000);
    assert_true(out2());
}

static void mode_0_waits_while_the_gate_is_closed(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 0, 100);
    to_tick(51);
    out(b, 0x61, 0);
    assert_int_equal(count(2), 50);
    to_tick(1000);
    assert_int_equal(count(2), 50);
    assert_false(out2());
    out(b, 0x61, 1);
    to_tick(1049);
    assert_false(out2());
    to_tick(1051);
    assert_true(out2());
}

static void mode_1_is_triggered_by_the_gate(void **state)
{
    (void)state;
    set(2, 2, 10);
    to_tick(50);
    assert_true(out2());
    out(b, 0x61, 1);
    to_tick(51);
    assert_false(out2());
    to_tick(55);
    out(b, 0x61, 0);                        /* closing it does nothing, opening starts again */
    out(b, 0x61, 1);
    to_tick(65);
    assert_false(out2());
    to_tick(66);
    assert_true(out2());
}

static void mode_2_is_low_for_one_tick_of_n(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 4, 10);
    to_tick(1);
    assert_int_equal(count(2), 10);
    to_tick(9);
    assert_true(out2());
    assert_int_equal(count(2), 2);
    to_tick(10);
    assert_false(out2());
    assert_int_equal(count(2), 1);
    to_tick(11);
    assert_true(out2());
    assert_int_equal(count(2), 10);
    out(b, 0x61, 0);
    to_tick(30);
    assert_true(out2());                    /* a closed gate holds OUT high */
}

static void mode_2_interrupts_at_its_rate(void **state)
{
    (void)state;
    set(0, 4, 1193);
    assert_int_equal(rises_until(PIT_HZ / 10), 100);
}

static void mode_3_is_a_square_wave_even_for_odd_counts(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 6, 5);
    static const bool expected[] = { 1, 1, 1, 0, 0, 1, 1, 1, 0, 0 };
    for (unsigned i = 0; i < NELEM(expected); i++) {
        to_tick(1 + i);
        assert_int_equal(out2(), expected[i]);
    }
    set(2, 6, 1000);
    uint64_t now = 10;
    to_tick(now + 11);
    assert_int_equal(count(2), 980);        /* two by two */
}

static void mode_3_takes_a_new_count_at_the_half_cycle(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 6, 100);
    to_tick(10);
    out(b, 0x42, 20);
    out(b, 0x42, 0);
    to_tick(50);
    assert_true(out2());                    /* the old half goes to its end */
    to_tick(51);
    assert_false(out2());
    to_tick(60);
    assert_false(out2());
    to_tick(61);                            /* the new one is ten long */
    assert_true(out2());
    to_tick(71);
    assert_false(out2());
}

static void mode_4_strobes_once(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 8, 10);
    to_tick(10);
    assert_true(out2());
    to_tick(11);
    assert_false(out2());
    to_tick(12);
    assert_true(out2());
}

static void mode_5_strobes_after_a_trigger(void **state)
{
    (void)state;
    set(2, 10, 10);
    to_tick(40);
    assert_true(out2());
    out(b, 0x61, 1);
    to_tick(51);
    assert_false(out2());
    to_tick(52);
    assert_true(out2());
}

static void zero_is_the_largest_count(void **state)
{
    (void)state;
    set(0, 4, 0);
    to_tick(2);
    assert_int_equal(count(0), 65535);
    set(0, 5, 0);                           /* BCD: 10000 */
    to_tick(4);
    assert_int_equal(count(0), 0x9999);
    assert_int_equal(rises_until(4 + 30000), 3);
}

static void bcd_counts_in_decimal(void **state)
{
    (void)state;
    set(0, 5, 0x1000);
    to_tick(2);
    assert_int_equal(count(0), 0x0999);
    set(0, 1, 0x0abc);
    assert_int_equal(last_oddity(b), ODDITY_PIT_BAD_BCD);
}

static void a_latched_count_stands_still(void **state)
{
    (void)state;
    set(0, 4, 1000);
    to_tick(101);
    out(b, 0x43, 0x00);
    to_tick(301);
    out(b, 0x43, 0x00);                     /* ignored: the first is not read yet */
    assert_int_equal(count(0), 900);
    assert_int_equal(count(0), 700);        /* live again */
}

static void read_back_gives_status_then_count(void **state)
{
    (void)state;
    set(0, 4, 1000);
    out(b, 0x43, 0xe2);                     /* status of 0, before the count is loaded */
    assert_int_equal(in(b, 0x40), 0xf4);    /* OUT, null count, both bytes, mode 2 */
    to_tick(101);
    out(b, 0x43, 0xc2);
    assert_int_equal(in(b, 0x40), 0xb4);
    assert_int_equal(count(0), 900);
}

static void single_byte_modes(void **state)
{
    (void)state;
    out(b, 0x43, 0x14);                     /* low byte only, mode 2 */
    out(b, 0x40, 100);
    to_tick(11);
    assert_int_equal(in(b, 0x40), 90);
    assert_int_equal(in(b, 0x40), 90);
    out(b, 0x43, 0x24);                     /* high byte only */
    out(b, 0x40, 2);
    to_tick(12);
    assert_int_equal(in(b, 0x40), 2);
}

static void modes_6_and_7_are_2_and_3(void **state)
{
    (void)state;
    out(b, 0x61, 1);
    set(2, 12, 10);
    to_tick(10);
    assert_false(out2());
    to_tick(11);
    assert_true(out2());
    out(b, 0x43, 0xe8);
    assert_int_equal(in(b, 0x42) & 0x0e, 12);       /* told as it was written */
    set(2, 14, 10);
    to_tick(16);
    assert_true(out2());
    to_tick(17);
    assert_false(out2());
}

static void a_count_of_one_does_not_hang(void **state)
{
    (void)state;
    set(0, 4, 1);
    assert_int_equal(last_oddity(b), ODDITY_PIT_COUNT_1);
    assert_int_equal(rises_until(1000), 0);
    set(0, 4, 100);                         /* and a better one takes over */
    assert_int_equal(rises_until(1000 + 1001), 10);
    set(0, 6, 1);
    assert_int_equal(rises_until(3000), 0);
}

static void a_latched_status_stands_still(void **state)
{
    (void)state;
    set(0, 0, 100);
    out(b, 0x43, 0xe2);
    to_tick(200);
    out(b, 0x43, 0xe2);                     /* ignored: the first is not read yet */
    assert_int_equal(in(b, 0x40), 0x70);
    out(b, 0x43, 0xe2);
    assert_int_equal(in(b, 0x40), 0xb0);
}

static void mode_2_takes_a_new_count_at_the_cycle_s_end(void **state)
{
    (void)state;
    set(0, 4, 100);
    to_tick(11);
    out(b, 0x40, 50);
    out(b, 0x40, 0);
    assert_int_equal(count(0), 90);
    out(b, 0x43, 0xe2);
    assert_int_equal(in(b, 0x40) & 0x40, 0x40);     /* null count: not loaded yet */
    to_tick(101);
    assert_int_equal(count(0), 50);
    out(b, 0x43, 0xe2);
    assert_int_equal(in(b, 0x40) & 0x40, 0x00);
}

static void port_61_shows_the_refresh(void **state)
{
    (void)state;
    bool first = in(b, 0x61) & 0x10;
    to_tick(18);
    assert_int_equal(!!(in(b, 0x61) & 0x10), !first);
    to_tick(36);
    assert_int_equal(!!(in(b, 0x61) & 0x10), first);
    out(b, 0x61, 0xff);
    assert_int_equal(in(b, 0x61) & 0xcf, 0x0f);
}

static void speaker_has_a_pitch(void **state)
{
    (void)state;
    unsigned hz;
    set(2, 6, 1193);
    assert_false(pit_speaker(b->part[B_PIT].dev, &hz));
    out(b, 0x61, 3);
    assert_true(pit_speaker(b->part[B_PIT].dev, &hz));
    assert_int_equal(hz, 1000);
    out(b, 0x61, 2);
    pit_speaker(b->part[B_PIT].dev, &hz);
    assert_int_equal(hz, 0);
}

static void a_clock_that_jumps_gives_one_pulse(void **state)
{
    (void)state;
    set(0, 4, 1000);
    to_tick(2);
    pic_ack(b->part[B_PIC].dev);            /* OUT rose when mode 2 was set */
    out(b, 0x20, 0x20);
    vclock_set_ns(b->clock, ns_of(5501));
    vclock_run_due(b->clock);
    assert_true(pic_pending(b->part[B_PIC].dev));
    assert_int_equal(vclock_next_ns(b->clock), ns_of(6000));    /* OUT falls at 999 of 1000 */
}

/* As a BIOS leaves it: 18.2 Hz from the beginning, and no request waits.  What is programmed takes
 * its place. */
static void it_ticks_as_a_bios_leaves_it(void **state)
{
    (void)state;
    assert_int_equal(vclock_next_ns(b->clock), ns_of(32768));
    assert_int_equal(rises_until(32767), 0);
    assert_int_equal(rises_until(32768 + 10 * 65536), 11);
}

static void a_one_shot_is_over_for_good(void **state)
{
    (void)state;
    set(0, 0, 100);
    assert_int_equal(rises_until(200), 1);
    assert_true(vclock_next_ns(b->clock) == VCLOCK_NEVER);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mode_0_rises_once),
        T(mode_0_waits_while_the_gate_is_closed),
        T(mode_1_is_triggered_by_the_gate),
        T(mode_2_is_low_for_one_tick_of_n),
        T(mode_2_interrupts_at_its_rate),
        T(mode_3_is_a_square_wave_even_for_odd_counts),
        T(mode_3_takes_a_new_count_at_the_half_cycle),
        T(mode_4_strobes_once),
        T(mode_5_strobes_after_a_trigger),
        T(zero_is_the_largest_count),
        T(bcd_counts_in_decimal),
        T(a_latched_count_stands_still),
        T(read_back_gives_status_then_count),
        T(single_byte_modes),
        T(modes_6_and_7_are_2_and_3),
        T(a_count_of_one_does_not_hang),
        T(a_latched_status_stands_still),
        T(mode_2_takes_a_new_count_at_the_cycle_s_end),
        T(port_61_shows_the_refresh),
        T(speaker_has_a_pitch),
        T(a_clock_that_jumps_gives_one_pulse),
        T(it_ticks_as_a_bios_leaves_it),
        T(a_one_shot_is_over_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
