/*
 * io/rtc.c -- the MC146818: a clock of ten bytes, and 114 bytes of memory.
 *
 *   00 seconds  02 minutes  04 hours   06 weekday  07 day  08 month  09 year
 *   01 alarm s  03 alarm m  05 alarm h
 *
 *        7   6   5   4   3   2   1   0
 *   0A  UIP  d   d   d   r   r   r   r    d: divider, r: rate of PF
 *   0B  SET PIE AIE UIE SQW  DM  24  DS   interrupts; DM binary; 24 hours
 *   0C  IRQ PF  AF  UF   .   .   .   .    cleared by reading
 *   0D  VRT  .   .   .   .   .   .   .    the battery is good
 *
 * The clock is lazy: a crystal tick is a function of virtual time, and
 * whoever looks first brings the registers up to it (at_tick).  A timer runs
 * only while an interrupt is enabled and not yet asserted, so a guest that
 * does not use the clock has no events from it.
 *
 * Daylight saving (DS) is kept and does nothing.
 * [MC146818A "Address Map", "Update Cycle", "Register A"..."Register D"]
 */
#include "io/rtc.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/slot.h"

enum { SECONDS, ALARM_S, MINUTES, ALARM_M, HOURS, ALARM_H, WEEKDAY, DAY, MONTH, YEAR,
       REG_A, REG_B, REG_C, REG_D, NVRAM };

enum {                          /* the memory, as the AT's BIOS lays it out */
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_KB   = 0x15,
    CMOS_EXT_KB    = 0x17,
    CMOS_CHECKSUM  = 0x2e,      /* of 10-2d, high byte first */
    CMOS_EXT_KB_2  = 0x30,
    CMOS_CENTURY   = 0x32,
    CMOS_ABOVE_16M = 0x34,      /* in 64 KiB */
    CMOS_ABOVE_4G  = 0x5b       /* in 64 KiB, three bytes: as in Bochs and QEMU */
};

#define EQUIPMENT_DISPLAY   BIT(2)
#define EQUIPMENT_KEYBOARD  BIT(3)

#define A_UIP       BIT(7)
#define A_DIVIDER   FIELD(6, 4)
#define A_RATE      FIELD(3, 0)
#define A_32KHZ     0x20
#define A_STOPPED   0x60        /* both upper divider bits: held in reset */
#define B_SET       BIT(7)
#define B_PIE       BIT(6)
#define B_AIE       BIT(5)
#define B_UIE       BIT(4)
#define B_SQWE      BIT(3)
#define B_BINARY    BIT(2)
#define B_24H       BIT(1)
#define C_IRQF      BIT(7)
#define C_PF        BIT(6)
#define C_AF        BIT(5)
#define C_UF        BIT(4)
#define D_VRT       BIT(7)
#define HOUR_PM     BIT(7)
#define ALARM_ANY   0xc0        /* this and above: any value will do */

#define HZ          32768
#define UIP_TICKS   73          /* 244 us of warning and 1984 us of update */
#define DAY_S       86400
#define NS_PER_S    INT64_C(1000000000)

struct rtc_regs {
    int64_t base_tick;          /* crystal tick at which the divider started */
    int64_t done_tick;          /* the registers are true for this tick      */
    uint8_t index;              /* port 70h                                  */
    uint8_t cmos[128];
};

struct rtc {
    struct vclock  *clock;
    struct trace   *trace;
    struct irq_line irq8;

    struct rtc_regs r;
    struct vtimer   event;      /* the next enabled interrupt */
};

#define REG(at, name, text) DEV_FIELD(struct rtc, r.cmos[at], name, FIELD_RW, text)

static const struct field rtc_fields[] = {
    DEV_FIELD(struct rtc, r.index, "INDEX", FIELD_RW, "7: NMI off, 6-0 what port 71h is"),
    REG(SECONDS, "SEC", "seconds"),
    REG(MINUTES, "MIN", "minutes"),
    REG(HOURS, "HOUR", "hours, bit 7 PM in 12-hour mode"),
    REG(DAY, "DAY", "day of the month"),
    REG(MONTH, "MONTH", "month"),
    REG(YEAR, "YEAR", "year of the century"),
    REG(REG_A, "A", "6-4 divider, 3-0 rate"),
    REG(REG_B, "B", "7 SET, 6-4 interrupts, 2 binary, 1 24 hours"),
    REG(REG_C, "C", "7 IRQF, 6 PF, 5 AF, 4 UF"),
    REG(REG_D, "D", "7 battery good"),
    DEV_FIELD(struct rtc, r.base_tick, "BASE", FIELD_RO, "crystal tick of the divider's start"),
    DEV_FIELD(struct rtc, r.done_tick, "DONE", FIELD_RO, "crystal tick the registers show"),
    DEV_ARRAY(struct rtc, r.cmos, "CMOS", FIELD_RW, "all 128 bytes"),
    DEV_FIELD(struct rtc, event, "EVENT", FIELD_TIMER, "next enabled interrupt"),
};

/* --- Crystal time --- */

static int64_t tick_now(const struct rtc *r)
{
    int64_t ns = (int64_t)vclock_now_ns(r->clock);
    return ns / NS_PER_S * HZ + ns % NS_PER_S * HZ / NS_PER_S;
}

static uint64_t ns_of_tick(int64_t tick)
{
    int64_t s = tick / HZ, rest = tick % HZ;
    return (uint64_t)(s * NS_PER_S + (rest * NS_PER_S + HZ - 1) / HZ);
}

/* --- The bytes of the clock --- */

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

/* --- Being up to date --- */

static bool divider_runs(const struct rtc_regs *r)
{
    return (r->cmos[REG_A] & A_STOPPED) != A_STOPPED;
}

static bool clock_runs(const struct rtc_regs *r)
{
    return divider_runs(r) && !(r->cmos[REG_B] & B_SET);
}

/* Ticks between two PFs; 0: none.  Rates 1 and 2 are those of 8 and 9. */
static int64_t period(const struct rtc_regs *r)
{
    unsigned rate = r->cmos[REG_A] & A_RATE;
    if (!rate || !divider_runs(r))
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

static void update_irqf(struct rtc_regs *r)
{
    uint8_t on = r->cmos[REG_B] & r->cmos[REG_C] & (C_PF | C_AF | C_UF);
    r->cmos[REG_C] = (r->cmos[REG_C] & (C_PF | C_AF | C_UF)) | (on ? C_IRQF : 0);
}

/* The registers with everything done that was due by `tick`. */
static struct rtc_regs at_tick(const struct rtc_regs *regs, int64_t tick)
{
    struct rtc_regs r = *regs;
    int64_t unit = period(&r);
    if (tick <= r.done_tick)
        return r;
    if (unit && passed(&r, unit, r.done_tick, tick))
        r.cmos[REG_C] |= C_PF;
    if (clock_runs(&r))
        add_seconds(&r, passed(&r, HZ, r.done_tick, tick));
    r.done_tick = tick;
    update_irqf(&r);
    return r;
}

static int64_t next_multiple(const struct rtc_regs *r, int64_t unit)
{
    return r->base_tick + ((r->done_tick - r->base_tick) / unit + 1) * unit;
}

/* When something enabled happens next; -1: nothing will, or the line is up already. */
static int64_t next_event(const struct rtc_regs *r)
{
    uint8_t b = r->cmos[REG_B];
    int64_t second = -1, tick = -1;
    if (r->cmos[REG_C] & C_IRQF)
        return -1;
    if (b & (B_AIE | B_UIE) && clock_runs(r))
        second = next_multiple(r, HZ);
    if (b & B_PIE && period(r))
        tick = next_multiple(r, period(r));
    return tick < 0 || (second >= 0 && second < tick) ? second : tick;
}

/* Drive the line, and wait for the next reason to. */
static void settle(struct rtc *r)
{
    update_irqf(&r->r);
    irq_set(&r->irq8, r->r.cmos[REG_C] & C_IRQF);
    int64_t next = next_event(&r->r);
    uint64_t deadline = next < 0 ? VCLOCK_NEVER : ns_of_tick(next);
    if (deadline == VCLOCK_NEVER)
        vtimer_cancel(&r->event);
    else if (deadline != r->event.deadline_ns)
        vtimer_arm(&r->event, deadline);
}

static void catch_up(struct rtc *r)
{
    r->r = at_tick(&r->r, tick_now(r));
}

static void event_due(void *arg)
{
    catch_up(arg);
    settle(arg);
}

/* --- Registers --- */

/* The divider leaves its reset half a second before the next update. */
static void write_a(struct rtc *r, uint8_t v)
{
    bool ran = divider_runs(&r->r);
    r->r.cmos[REG_A] = v & (uint8_t)~A_UIP;
    if (divider_runs(&r->r) && !ran)
        r->r.base_tick = r->r.done_tick - HZ / 2;
    if (divider_runs(&r->r) && (v & A_DIVIDER) != A_32KHZ)
        oddity(r->trace, ODDITY_RTC_BAD_DIVIDER, REG_A, v);
}

static void write_b(struct rtc *r, uint8_t v)
{
    r->r.cmos[REG_B] = v & B_SET ? v & (uint8_t)~B_UIE : v;
}

static bool time_is_sane(const struct rtc_regs *r, unsigned reg, uint8_t v)
{
    static const struct { uint8_t min, max; } range[10] = {
        [SECONDS] = { 0, 59 }, [MINUTES] = { 0, 59 }, [HOURS] = { 0, 23 },
        [WEEKDAY] = { 1, 7 },  [DAY] = { 1, 31 },     [MONTH] = { 1, 12 }, [YEAR] = { 0, 99 },
    };
    unsigned n = reg == HOURS ? decode_hour(r, v) : decode(r, v);
    return !range[reg].max || (n >= range[reg].min && n <= range[reg].max);
}

static void data_write(struct rtc *r, unsigned reg, uint8_t v)
{
    switch (reg) {
    case REG_A: write_a(r, v); break;
    case REG_B: write_b(r, v); break;
    case REG_C:
    case REG_D: oddity(r->trace, ODDITY_PORT_READ_ONLY, reg, v); break;
    default:
        if (reg <= YEAR && !time_is_sane(&r->r, reg, v))
            oddity(r->trace, ODDITY_RTC_BAD_TIME, reg, v);
        r->r.cmos[reg] = v;
        break;
    }
}

static void rtc_write(void *dev, struct bus_access a, uint64_t value)
{
    struct rtc *r = dev;
    catch_up(r);
    if (a.off == 0)
        r->r.index = (uint8_t)value;
    else
        data_write(r, r->r.index & 0x7f, (uint8_t)value);
    settle(r);
}

static bool update_in_progress(const struct rtc_regs *r)
{
    return clock_runs(r) && (r->done_tick - r->base_tick) % HZ >= HZ - UIP_TICKS;
}

static uint64_t rtc_peek(const void *dev, struct bus_access a)
{
    const struct rtc *r = dev;
    unsigned reg = r->r.index & 0x7f;
    if (a.off == 0)
        return 0xff;            /* the index cannot be read back */
    struct rtc_regs now = at_tick(&r->r, tick_now(r));
    if (reg == REG_A)
        return now.cmos[REG_A] | (update_in_progress(&now) ? A_UIP : 0);
    return now.cmos[reg];
}

static uint64_t rtc_read(void *dev, struct bus_access a)
{
    struct rtc *r = dev;
    catch_up(r);
    uint64_t value = rtc_peek(dev, a);
    if (a.off == 1 && (r->r.index & 0x7f) == REG_C)
        r->r.cmos[REG_C] = 0;
    settle(r);
    return value;
}

/* --- What a BIOS does --- */

void rtc_set_nvram(struct rtc *r, unsigned index, uint8_t value)
{
    if (index >= NVRAM && index < sizeof r->r.cmos)
        r->r.cmos[index] = value;
}

uint8_t rtc_nvram(const struct rtc *r, unsigned index)
{
    return index >= NVRAM && index < sizeof r->r.cmos ? r->r.cmos[index] : 0xff;
}

static void set_word(struct rtc *r, unsigned index, uint64_t v)
{
    if (v > 0xffff)
        v = 0xffff;
    rtc_set_nvram(r, index, (uint8_t)v);
    rtc_set_nvram(r, index + 1, (uint8_t)(v >> 8));
}

void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g)
{
    uint64_t kb = below_4g >> 10, ext_kb = kb > 1024 ? kb - 1024 : 0;
    uint16_t sum = 0;
    set_word(r, CMOS_BASE_KB, kb < 640 ? kb : 640);
    set_word(r, CMOS_EXT_KB, ext_kb);
    set_word(r, CMOS_EXT_KB_2, ext_kb);
    set_word(r, CMOS_ABOVE_16M, kb > 16384 ? (kb - 16384) / 64 : 0);
    for (unsigned i = 0; i < 3; i++)
        rtc_set_nvram(r, CMOS_ABOVE_4G + i, (uint8_t)(above_4g >> (16 + 8 * i)));
    rtc_set_nvram(r, CMOS_EQUIPMENT, EQUIPMENT_DISPLAY | EQUIPMENT_KEYBOARD);
    for (unsigned i = 0x10; i < CMOS_CHECKSUM; i++)
        sum = (uint16_t)(sum + r->r.cmos[i]);
    rtc_set_nvram(r, CMOS_CHECKSUM, (uint8_t)(sum >> 8));
    rtc_set_nvram(r, CMOS_CHECKSUM + 1, (uint8_t)sum);
}

/* --- Life --- */

/* The RESET pin stops the interrupts.  Time and memory have a battery. */
static void rtc_reset(void *dev)
{
    struct rtc *r = dev;
    catch_up(r);
    r->r.index = 0;
    r->r.cmos[REG_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->r.cmos[REG_C] = 0;
    settle(r);
}

static const struct rtc_regs rtc_at_reset = {
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

static void rtc_after_load(void *dev)
{
    struct rtc *r = dev;
    int64_t now = tick_now(r);
    if (r->r.done_tick < 0 || r->r.done_tick > now)
        r->r.done_tick = now;
    if (r->r.base_tick > r->r.done_tick || r->r.base_tick < -HZ)
        r->r.base_tick = r->r.done_tick;
    r->r.cmos[REG_A] &= (uint8_t)~A_UIP;
    settle(r);
}

static void *rtc_create(const struct slot *s)
{
    struct rtc *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->clock = s->clock;
    r->trace = s->trace;
    r->irq8 = s->pin[0];
    r->r = rtc_at_reset;
    r->r.base_tick = r->r.done_tick = tick_now(r);
    set_clock(&r->r, s->rtc_start_s);
    vtimer_init(&r->event, s->clock, event_due, r);
    rtc_reset(r);
    return r;
}

static void rtc_free(void *dev)
{
    struct rtc *r = dev;
    if (!r)
        return;
    vtimer_cancel(&r->event);
    free(r);
}

const struct device_ops rtc_ops = {
    .name = "mc146818",
    .about = "real-time clock and CMOS memory [Motorola MC146818A]",
    .fields = rtc_fields,
    .n_fields = NELEM(rtc_fields),
    .state_bytes = sizeof(struct rtc),
    .width = 1,
    .create = rtc_create,
    .reset = rtc_reset,
    .read = rtc_read,
    .write = rtc_write,
    .peek = rtc_peek,
    .after_load = rtc_after_load,
    .free = rtc_free,
};
