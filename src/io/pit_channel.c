/*
 * io/pit_channel.c -- value and output of a counter, computed from when it was loaded.
 *
 * `elapsed` is the one quantity all else follows from: how many ticks have
 * been counted since the count n was loaded.  A closed gate stops it.
 *
 *   mode 2 and 3 repeat: what counts is elapsed modulo n
 *   the others run through once: elapsed against n; then the counter wraps
 *   and goes on, which a guest can read although it means nothing
 *
 * A new count in modes 2 and 3 waits for the end of the (half) cycle, hence
 * `pending`; pit_channel_at() lets it take over when its tick has come.
 * [8254 "Mode Definitions", "Operation Common to All Modes"]
 */
#include "io/pit_channel.h"

/* Modes 6 and 7 are 2 and 3: the top bit is ignored there. */
enum pit_mode pit_channel_mode(const struct pit_channel *c)
{
    unsigned mode = PIT_CONTROL_MODE(c->control);
    return (enum pit_mode)(mode >= 6 ? mode - 4 : mode);
}

bool pit_channel_is_periodic(const struct pit_channel *c)
{
    return pit_channel_mode(c) == PIT_RATE || pit_channel_mode(c) == PIT_SQUARE;
}

/* In modes 1 and 5 the gate triggers, in the others it lets count. */
static bool is_triggered_by_gate(const struct pit_channel *c)
{
    return pit_channel_mode(c) == PIT_ONE_SHOT || pit_channel_mode(c) == PIT_HARD_STROBE;
}

/* Ticks counted since the count was loaded; negative before the first pulse. */
static int64_t elapsed(const struct pit_channel *c, int64_t tick)
{
    return c->gate || is_triggered_by_gate(c) ? tick - c->start : c->held;
}

/* Of an odd count a square wave is high one tick longer than low. */
static int64_t high_half(uint32_t n)
{
    return (n + 1) / 2;
}

struct pit_channel pit_channel_at(const struct pit_channel *ch, int64_t tick)
{
    struct pit_channel c = *ch;
    if (c.pending && tick >= c.switch_tick) {
        bool half = (c.switch_tick - c.start) % c.n != 0;
        c.n = c.cr;
        c.start = c.switch_tick - (half ? high_half(c.n) : 0);
        c.pending = c.null_count = 0;
    }
    if (c.running && !c.pending && tick >= c.start)
        c.null_count = 0;
    return c;
}

/* A one-shot is low while it runs, an alarm until it is over; the strobes are high but for one
 * tick.  Before anything is loaded only mode 0 is low. */
bool pit_channel_out(const struct pit_channel *c, int64_t tick)
{
    enum pit_mode mode = pit_channel_mode(c);
    int64_t e = elapsed(c, tick), n = c->n;
    if (!c->running || e < 0)
        return mode != PIT_TERMINAL;
    switch (mode) {
    case PIT_TERMINAL:
    case PIT_ONE_SHOT:
        return e >= n;
    case PIT_RATE:
        return !c->gate || n == 1 || e % n != n - 1;
    case PIT_SQUARE:
        return !c->gate || e % n < high_half(c->n);
    default:
        return e != n;
    }
}

int64_t pit_channel_next_change(const struct pit_channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    if (!c->running || (!c->gate && !is_triggered_by_gate(c)))
        return -1;
    if (e < 0 && pit_channel_mode(c) == PIT_ONE_SHOT)
        return c->start;
    if (pit_channel_is_periodic(c)) {
        int64_t falls = pit_channel_mode(c) == PIT_RATE ? n - 1 : high_half(c->n);
        int64_t in = e < 0 ? e : e % n;
        return n == 1 ? -1 : tick - in + (in < falls ? falls : n);
    }
    if (e < n)
        return c->start + n;
    if (e == n && pit_channel_mode(c) >= PIT_SOFT_STROBE)
        return c->start + n + 1;
    return -1;
}

/* The counting element.  Mode 3 counts down by two, twice in a period. */
uint32_t pit_channel_value(const struct pit_channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    int64_t wrap = c->control & PIT_CONTROL_BCD ? 10000 : 65536;
    if (!c->running || e < 0)
        e = 0;
    if (pit_channel_mode(c) == PIT_SQUARE) {
        int64_t in = e % n, high = high_half(c->n);
        return (uint32_t)((n & ~INT64_C(1)) - 2 * (in < high ? in : in - high));
    }
    if (pit_channel_mode(c) == PIT_RATE)
        return (uint32_t)(n - e % n);
    return (uint32_t)(((n - e) % wrap + wrap) % wrap);
}

/* ---- what moves it ---- */

/* The counter takes the count over with the next pulse of its input; until then it is "null". */
static void load_now(struct pit_channel *c, int64_t tick)
{
    c->n = c->cr;
    c->start = tick + 1;
    c->held = 0;
    c->running = 1;
    c->pending = 0;
    c->null_count = 1;
}

/* Where the cycle (mode 2) or half cycle (mode 3) that `tick` is in ends. */
static int64_t cycle_end(const struct pit_channel *c, int64_t tick)
{
    int64_t e = elapsed(c, tick), n = c->n;
    int64_t in = e < 0 ? 0 : e % n, base = e < 0 ? c->start : tick - in;
    if (pit_channel_mode(c) == PIT_SQUARE && in < high_half(c->n))
        return base + high_half(c->n);
    return base + n;
}

/* A count written while the counter runs: modes 2 and 3 finish their cycle first, modes 0 and 4
 * start over at once, modes 1 and 5 wait for their trigger.  A count of 1 has no cycle that
 * could be finished. */
void pit_channel_set_count(struct pit_channel *c, uint32_t count, int64_t tick)
{
    c->cr = count;
    c->null_count = 1;
    if (is_triggered_by_gate(c))
        return;
    if (!pit_channel_is_periodic(c) || !c->running || !c->gate || c->n == 1) {
        load_now(c, tick);
    } else if (!c->pending) {
        c->pending = 1;
        c->switch_tick = cycle_end(c, tick);
    }
}

/* Modes 0 and 4 only pause while the gate is closed; in the others its rise starts the count
 * anew.  [8254 "Gate Pin Operations Summary"] */
void pit_channel_set_gate(struct pit_channel *c, bool gate, int64_t tick)
{
    if (gate == c->gate)
        return;
    if (!gate) {
        int64_t e = elapsed(c, tick);
        c->held = e < 0 ? 0 : e;
        c->gate = 0;
        c->pending = 0;         /* the trigger will load it */
        return;
    }
    c->gate = 1;
    if (is_triggered_by_gate(c) || pit_channel_is_periodic(c)) {
        if (c->running || c->null_count)
            load_now(c, tick);
    } else {
        c->start = tick - c->held;
    }
}
