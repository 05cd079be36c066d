/*
 * exercise/pit.c -- exercise 16: arithmetic with the 8254.
 *
 * What the counter holds and where its output is comes from the monitor's own channel
 * (io/pit_channel.h).
 */
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "io/pit.h"
#include "io/pit_channel.h"

/* A channel in this mode to which `count` was just written; c.start is when it takes it over. */
static struct pit_channel channel(enum pit_mode mode, unsigned count)
{
    struct pit_channel c = { .control = (uint8_t)(3 << 4 | mode << 1), .gate = 1 };
    pit_channel_set_count(&c, count, 0);
    return c;
}

static void ask_rate(struct sheet *s, unsigned hz, unsigned n)
{
    sheet_ask_number(s, n, "Which count comes nearest to %u interrupts a second?", hz);
    sheet_because(s, "%u / %u = %u.%02u; the nearest whole number is %u.", PIT_HZ, hz, PIT_HZ / hz,
                  (unsigned)(UINT64_C(100) * (PIT_HZ % hz) / hz), n);
    sheet_ask_number(s, UINT64_C(1000) * PIT_HZ / n,
                     "How many interrupts come in 1000 seconds then, rounded down?");
    sheet_because(s, "1000 * %u / %u = %u.", PIT_HZ, n, (unsigned)(UINT64_C(1000) * PIT_HZ / n));
    sheet_ask_hex(s, n & 0xff, "The control word was 0x34. Which byte is written to port 0x40 "
                  "first?");
    sheet_because(s, "Bits 5:4 of the control word are 3: low byte, then high byte. %u is 0x%04x.",
                  n, n & 0xffff);
}

static void ask_value(struct sheet *s, unsigned n, unsigned us)
{
    int64_t ticks = (int64_t)us * PIT_HZ / 1000000;
    struct pit_channel c = channel(PIT_RATE, n);
    sheet_ask_number(s, pit_channel_value(&c, c.start + ticks), "The channel is in mode 2 with "
                     "that count, and the guest latches it %u us after the count was taken over. "
                     "Which number does it read?", us);
    sheet_because(s, "%u us are %lld ticks (rounded down). The counter goes from %u down to 1 and "
                  "then starts over: %lld mod %u = %lld ticks of this round are over.", us,
                  (long long)ticks, n, (long long)ticks, n, (long long)(ticks % n));
}

static void ask_square(struct sheet *s, unsigned n, unsigned ticks)
{
    static const char *const levels[] = { "low", "high" };
    struct pit_channel c = channel(PIT_SQUARE, n);
    sheet_ask_choice(s, levels, NELEM(levels), pit_channel_out(&c, c.start + ticks), "In mode 3 "
                     "(square wave) with a count of %u instead, %u ticks after it was taken over: "
                     "is OUT high or low?", n, ticks);
    sheet_because(s, "OUT is high for the first %u ticks of each round of %u, low for the rest; "
                  "of this round %u are over.", (n + 1) / 2, n, ticks % n);
}

void make_pit(struct sheet *s)
{
    unsigned hz = sheet_pick(s, 19, 4000);
    unsigned n = (PIT_HZ + hz / 2) / hz;
    unsigned us = sheet_pick(s, 1, 300000);
    unsigned square = 2 * sheet_pick(s, 500, 20000);
    unsigned ticks = sheet_pick(s, square, 20 * square);
    unsigned deaf_us = sheet_pick(s, 2, 40) * 1000;
    sheet_say(s, "The input of a PC's 8254 is %u Hz. A kernel wants about %u timer interrupts a "
              "second from channel 0.", PIT_HZ, hz);
    ask_rate(s, hz, n);
    ask_value(s, n, us);
    ask_square(s, square, ticks);
    unsigned edges = (unsigned)((uint64_t)deaf_us * PIT_HZ / 1000000 / n);
    sheet_ask_number(s, edges > 1 ? edges - 1 : 0, "Back in mode 2. Right after a timer interrupt "
                     "was taken the kernel keeps interrupts off for %u us. How many ticks of its "
                     "clock does it lose, on a PC, where line 0 is edge-triggered?", deaf_us);
    sheet_because(s, "In that time OUT rises %u times (%u us are %u counts of the input). The "
                  "8259A remembers one request of a line, no matter how often it rises: one "
                  "interrupt is taken late, the others are lost.", edges, deaf_us,
                  (unsigned)((uint64_t)deaf_us * PIT_HZ / 1000000));
}
