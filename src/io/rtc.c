/*
 * io/rtc.c -- the MC146818 as the guest sees it: index and data, IRQ 8, and the CMOS memory.
 *
 *   00 seconds  02 minutes  04 hours   06 weekday  07 day  08 month  09 year
 *   01 alarm s  03 alarm m  05 alarm h
 *   0A-0D registers A to D             0E-7F memory, kept by a battery
 *
 * The time of day and the flags are io/rtc_clock.c.  A timer runs only while
 * an interrupt is enabled and not yet asserted, so a guest that does not use
 * the clock has no events from it.
 *
 * PCs keep in the memory what the firmware found out and the user chose; its
 * layout is IBM's and not the chip's.
 * [MC146818A "Address Map"; PC/AT Technical Reference "CMOS RAM Addresses"]
 */
#include "io/rtc.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/rtc_clock.h"
#include "io/slot.h"

enum {                          /* the memory, as the AT's BIOS lays it out */
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_KB   = 0x15,
    CMOS_EXT_KB    = 0x17,
    CMOS_CHECKSUM  = 0x2e,      /* of 10-2d, high byte first */
    CMOS_EXT_KB_2  = 0x30,
    CMOS_ABOVE_16M = 0x34,      /* in 64 KiB */
    CMOS_ABOVE_4G  = 0x5b       /* in 64 KiB, three bytes: as in Bochs and QEMU */
};

#define NS_PER_S    INT64_C(1000000000)
#define EQUIPMENT_DISPLAY   BIT(2)
#define EQUIPMENT_KEYBOARD  BIT(3)

struct rtc {
    struct vclock  *clock;
    struct oddity_log   odd;
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

/* Whole seconds and the rest apart, so that no product leaves 64 bits. */
static int64_t tick_now(const struct rtc *r)
{
    int64_t ns = (int64_t)vclock_now_ns(r->clock);
    return ns / NS_PER_S * RTC_HZ + ns % NS_PER_S * RTC_HZ / NS_PER_S;
}

static uint64_t ns_of_tick(int64_t tick)
{
    int64_t s = tick / RTC_HZ, rest = tick % RTC_HZ;
    return (uint64_t)(s * NS_PER_S + (rest * NS_PER_S + RTC_HZ - 1) / RTC_HZ);
}

/* Drive the line, and wait for the next reason to. */
static void settle(struct rtc *r)
{
    rtc_clock_update_irqf(&r->r);
    irq_set(&r->irq8, r->r.cmos[REG_C] & C_IRQF);
    int64_t next = rtc_clock_next_event(&r->r);
    uint64_t deadline = next < 0 ? VCLOCK_NEVER : ns_of_tick(next);
    if (deadline == VCLOCK_NEVER)
        vtimer_cancel(&r->event);
    else if (deadline != r->event.deadline_ns)
        vtimer_arm(&r->event, deadline);
}

static void catch_up(struct rtc *r)
{
    r->r = rtc_clock_at(&r->r, tick_now(r));
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
    bool ran = rtc_clock_divider_runs(&r->r);
    r->r.cmos[REG_A] = v & (uint8_t)~A_UIP;
    if (rtc_clock_divider_runs(&r->r) && !ran)
        r->r.base_tick = r->r.done_tick - RTC_HZ / 2;
    if (rtc_clock_divider_runs(&r->r) && (v & A_DIVIDER) != A_32KHZ)
        oddity(&r->odd, ODDITY_RTC_BAD_DIVIDER, REG_A, v);
}

/* SET also ends the update interrupt.  [MC146818A "Register B"] */
static void write_b(struct rtc *r, uint8_t v)
{
    r->r.cmos[REG_B] = v & B_SET ? v & (uint8_t)~B_UIE : v;
}

static void data_write(struct rtc *r, unsigned reg, uint8_t v)
{
    switch (reg) {
    case REG_A: write_a(r, v); break;
    case REG_B: write_b(r, v); break;
    case REG_C:
    case REG_D: oddity(&r->odd, ODDITY_PORT_READ_ONLY, reg, v); break;
    default:
        if (reg <= YEAR && !rtc_clock_has_time(&r->r, reg, v))
            oddity(&r->odd, ODDITY_RTC_BAD_TIME, reg, v);
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

static uint64_t rtc_peek(const void *dev, struct bus_access a)
{
    const struct rtc *r = dev;
    unsigned reg = r->r.index & 0x7f;
    if (a.off == 0)
        return 0xff;            /* the index cannot be read back */
    struct rtc_regs now = rtc_clock_at(&r->r, tick_now(r));
    if (reg == REG_A)
        return now.cmos[REG_A] | (rtc_clock_is_updating(&now) ? A_UIP : 0);
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

static void rtc_set_nvram(struct rtc *r, unsigned index, uint8_t value)
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

static void rtc_after_load(void *dev)
{
    struct rtc *r = dev;
    int64_t now = tick_now(r);
    if (r->r.done_tick < 0 || r->r.done_tick > now)
        r->r.done_tick = now;
    if (r->r.base_tick > r->r.done_tick || r->r.base_tick < -RTC_HZ)
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
    r->odd = slot_oddities(s);
    r->irq8 = s->pin[0];
    rtc_clock_init(&r->r, tick_now(r), s->rtc_start_s);
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
