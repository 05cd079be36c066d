/*
 * io/rtc_clock.c -- seconds to years in ten bytes, as the MC146818 keeps them.
 *
 * The bytes are in BCD or binary, the hours 1-12 with a PM bit or 0-23, as the
 * guest has chosen in register B; decode() and encode() stand in between.  A
 * guest that changes its choice must set the clock anew: the bytes stay.
 *
 * Once a second comes an update: time moves on, the alarm is compared, UF and
 * perhaps AF are set.  PF comes at a rate of its own.  All are counted from
 * base_tick, when the divider last left its reset.
 * [MC146818A "Time, Calendar, and Alarm Locations", "Update Cycle"]
 */
#include "io/rtc_clock.h"

#define UIP_TICKS   73          /* 244 us of warning and 1984 us of update */
#define DAY_S       86400
#define HOUR_PM     BIT(7)
#define ALARM_ANY   0xc0        /* this and above: any value will do */

/* ---- the bytes ---- */

static unsigned decode(const struct rtc_regs *r, uint8_t v)
{
    return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode(const struct rtc_regs *r, unsigned v)
{
    return (uint8_t)(r->cmos[REG_B] & B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned decode_hour(const struct rtc_regs *r, uint8_t v)
{
    if (r->cmos[REG_B] & B_24H)
        return decode(r, v);
    return decode(r, v & 0x7f) % 12 + (v & HOUR_PM ? 12 : 0);
}

static uint8_t encode_hour(const struct rtc_regs *r, unsigned h)
{
    if (r->cmos[REG_B] & B_24H)
        return encode(r, h);
    return encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? HOUR_PM : 0);
}

static unsigned days_in(unsigned month, unsigned year)
{
    static const uint8_t days[13] = { 31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && year % 4 == 0 ? 29 : days[month <= 12 ? month : 0];
}

/* The chip knows no centuries: every fourth year is a leap year, and after 99 comes 00. */
static void next_day(struct rtc_regs *r)
{
    unsigned weekday = decode(r, r->cmos[WEEKDAY]), day = decode(r, r->cmos[DAY]);
    unsigned month = decode(r, r->cmos[MONTH]), year = decode(r, r->cmos[YEAR]);
    r->cmos[WEEKDAY] = encode(r, weekday >= 7 ? 1 : weekday + 1);
    if (day < days_in(month, year)) {
        r->cmos[DAY] = encode(r, day + 1);
        return;
    }
    r->cmos[DAY] = encode(r, 1);
    r->cmos[MONTH] = encode(r, month >= 12 ? 1 : month + 1);
    if (month >= 12)
        r->cmos[YEAR] = encode(r, year >= 99 ? 0 : year + 1);
}

/* One unit of 60: true if it wrapped. */
static bool next_of_60(struct rtc_regs *r, unsigned reg)
{
    unsigned v = decode(r, r->cmos[reg]);
    r->cmos[reg] = encode(r, v >= 59 ? 0 : v + 1);
    return v >= 59;
}

/* FFh, or anything from C0h up, in an alarm byte means "any": 30 FF FF is once a minute.
 * [MC146818A "Time, Calendar, and Alarm Locations"] */
static bool alarm_matches(const struct rtc_regs *r, unsigned alarm, unsigned reg)
{
    return r->cmos[alarm] >= ALARM_ANY || r->cmos[alarm] == r->cmos[reg];
}

/* One update cycle.  [MC146818A "Update Cycle"] */
static void next_second(struct rtc_regs *r)
{
    if (next_of_60(r, SECONDS) && next_of_60(r, MINUTES)) {
        unsigned hour = decode_hour(r, r->cmos[HOURS]);
        r->cmos[HOURS] = encode_hour(r, hour >= 23 ? 0 : hour + 1);
        if (hour >= 23)
            next_day(r);
    }
    r->cmos[REG_C] |= C_UF;
    if (alarm_matches(r, ALARM_S, SECONDS) && alarm_matches(r, ALARM_M, MINUTES) &&
        alarm_matches(r, ALARM_H, HOURS))
        r->cmos[REG_C] |= C_AF;
}

/* ---- being up to date ---- */

/* Divider 110 or 111 holds the chain in reset.  [MC146818A "Register A"] */
bool rtc_clock_divider_runs(const struct rtc_regs *r)
{
    return (r->cmos[REG_A] & A_STOPPED) != A_STOPPED;
}

/* SET stops the updates, so that the bytes can be written in peace. */
static bool clock_runs(const struct rtc_regs *r)
{
    return rtc_clock_divider_runs(r) && !(r->cmos[REG_B] & B_SET);
}

/* Ticks between two PFs; 0: none.  Rates 1 and 2 are those of 8 and 9. */
static int64_t period(const struct rtc_regs *r)
{
    unsigned rate = r->cmos[REG_A] & A_RATE;
    if (!rate || !rtc_clock_divider_runs(r))
        return 0;
    return INT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

/* How many multiples of `unit` lie in (from, to], counted from the divider's start. */
static int64_t passed(const struct rtc_regs *r, int64_t unit, int64_t from, int64_t to)
{
    return (to - r->base_tick) / unit - (from - r->base_tick) / unit;
}

static void add_seconds(struct rtc_regs *r, int64_t n)
{
    /* Alarms come daily: of a long sleep only the last day must be counted out. */
    for (; n >= 2 * DAY_S; n -= DAY_S)
        next_day(r);
    for (; n > 0; n--)
        next_second(r);
}

void rtc_clock_update_irqf(struct rtc_regs *r)
{
    uint8_t on = r->cmos[REG_B] & r->cmos[REG_C] & (C_PF | C_AF | C_UF);
    r->cmos[REG_C] = (r->cmos[REG_C] & (C_PF | C_AF | C_UF)) | (on ? C_IRQF : 0);
}

struct rtc_regs rtc_clock_at(const struct rtc_regs *regs, int64_t tick)
{
    struct rtc_regs r = *regs;
    int64_t unit = period(&r);
    if (tick <= r.done_tick)
        return r;
    if (unit && passed(&r, unit, r.done_tick, tick))
        r.cmos[REG_C] |= C_PF;
    if (clock_runs(&r))
        add_seconds(&r, passed(&r, RTC_HZ, r.done_tick, tick));
    r.done_tick = tick;
    rtc_clock_update_irqf(&r);
    return r;
}

static int64_t next_multiple(const struct rtc_regs *r, int64_t unit)
{
    return r->base_tick + ((r->done_tick - r->base_tick) / unit + 1) * unit;
}

/* A flag that is set and enabled holds the line up until register C is read: nothing is waited
 * for meanwhile. */
int64_t rtc_clock_next_event(const struct rtc_regs *r)
{
    uint8_t b = r->cmos[REG_B];
    int64_t second = -1, tick = -1;
    if (r->cmos[REG_C] & C_IRQF)
        return -1;
    if (b & (B_AIE | B_UIE) && clock_runs(r))
        second = next_multiple(r, RTC_HZ);
    if (b & B_PIE && period(r))
        tick = next_multiple(r, period(r));
    return tick < 0 || (second >= 0 && second < tick) ? second : tick;
}

bool rtc_clock_has_time(const struct rtc_regs *r, unsigned reg, uint8_t v)
{
    static const struct { uint8_t min, max; } range[10] = {
        [SECONDS] = { 0, 59 }, [MINUTES] = { 0, 59 }, [HOURS] = { 0, 23 },
        [WEEKDAY] = { 1, 7 },  [DAY] = { 1, 31 },     [MONTH] = { 1, 12 }, [YEAR] = { 0, 99 },
    };
    unsigned n = reg == HOURS ? decode_hour(r, v) : decode(r, v);
    return !range[reg].max || (n >= range[reg].min && n <= range[reg].max);
}

bool rtc_clock_is_updating(const struct rtc_regs *r)
{
    return clock_runs(r) && (r->done_tick - r->base_tick) % RTC_HZ >= RTC_HZ - UIP_TICKS;
}

/* ---- set to the time of day ---- */

static const struct rtc_regs new_clock = {
    .cmos = {
        [WEEKDAY] = 5, [DAY] = 1, [MONTH] = 1, [YEAR] = 70,    /* Thursday, 1 January 1970 */
        [REG_A] = A_32KHZ | 6,                                 /* PF at 1024 Hz */
        [REG_B] = B_24H | B_BINARY,
        [REG_D] = D_VRT,
    },
};

static void to_bcd(struct rtc_regs *r)
{
    static const uint8_t reg[] = { SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR };
    r->cmos[REG_B] &= (uint8_t)~B_BINARY;
    for (unsigned i = 0; i < NELEM(reg); i++)
        r->cmos[reg[i]] = encode(r, r->cmos[reg[i]]);
}

/* Set the clock by letting it run from 1970; the chip itself knows no
 * centuries, so 100 in 400 years are leap years too many: leave them out. */
static void set_clock(struct rtc_regs *r, int64_t start_s)
{
    unsigned year = 1970;
    if (start_s < 0 || start_s > INT64_C(253402300799))     /* the end of 9999 */
        start_s = 0;
    for (int64_t days = start_s / DAY_S; days > 0; days--) {
        bool no_leap = year % 100 == 0 && year % 400 != 0;
        bool feb_28 = r->cmos[MONTH] == 2 && r->cmos[DAY] == 28;
        if (no_leap && feb_28)
            r->cmos[DAY] = 29;
        next_day(r);
        if (r->cmos[MONTH] == 1 && r->cmos[DAY] == 1)
            year++;
    }
    r->cmos[HOURS] = (uint8_t)(start_s % DAY_S / 3600);
    r->cmos[MINUTES] = (uint8_t)(start_s % 3600 / 60);
    r->cmos[SECONDS] = (uint8_t)(start_s % 60);
    to_bcd(r);
    r->cmos[CMOS_CENTURY] = encode(r, year / 100);
}

void rtc_clock_init(struct rtc_regs *r, int64_t tick, int64_t start_s)
{
    *r = new_clock;
    r->base_tick = r->done_tick = tick;
    set_clock(r, start_s);
}
