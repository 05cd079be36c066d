/*
 * io/rtc_clock.h -- the ten bytes of the MC146818 that tell the time, and what sets its flags.
 *
 * The clock is lazy: a tick of its crystal (32768 a second) is a function of
 * virtual time, and nothing happens between two looks.  Whoever looks takes
 * rtc_clock_at(), a copy of the registers that is true for that tick.
 *
 * The ports in front of the registers, the interrupt line and the memory
 * behind the clock are io/rtc.c's affair.
 */
#ifndef IO_RTC_CLOCK_H
#define IO_RTC_CLOCK_H

#include "base/types.h"

/* The address map of the chip.  [MC146818A "Address Map"] */
enum { SECONDS, ALARM_S, MINUTES, ALARM_M, HOURS, ALARM_H, WEEKDAY, DAY, MONTH, YEAR,
       REG_A, REG_B, REG_C, REG_D, NVRAM };

/* Registers A to D.
 *        7   6   5   4   3   2   1   0
 *   0A  UIP  d   d   d   r   r   r   r    d: divider, r: rate of PF
 *   0B  SET PIE AIE UIE SQW  DM  24  DS   interrupts; DM binary; 24 hours
 *   0C  IRQ PF  AF  UF   .   .   .   .    cleared by reading
 *   0D  VRT  .   .   .   .   .   .   .    the battery is good
 * Daylight saving (DS) is kept and does nothing.
 * [MC146818A "Register A" to "Register D"] */
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

#define CMOS_CENTURY 0x32       /* in the memory, where IBM put it: the chip has no century */

#define RTC_HZ      32768

struct rtc_regs {
    int64_t base_tick;          /* crystal tick at which the divider started */
    int64_t done_tick;          /* the registers are true for this tick      */
    uint8_t index;              /* port 70h                                 */
    uint8_t cmos[128];
};

/* As the chip leaves the shop, set to `start_s` seconds since 1970 (UTC) at this crystal tick.
 * Times before 1970 or after 9999 are taken as 1970. */
void rtc_clock_init(struct rtc_regs *r, int64_t tick, int64_t start_s);

/* The registers with everything done that was due by `tick`. */
struct rtc_regs rtc_clock_at(const struct rtc_regs *regs, int64_t tick);

/* The tick at which something enabled happens next; -1: nothing will, or IRQF is set already. */
int64_t rtc_clock_next_event(const struct rtc_regs *r);

/* IRQF follows from the flags and which of them are enabled.  Call it after changing either. */
void rtc_clock_update_irqf(struct rtc_regs *r);

/* Does the divider run, so that time passes at all?  Is the clock in the window before and in
 * an update, when its bytes must not be read (UIP)? */
bool rtc_clock_divider_runs(const struct rtc_regs *r);
bool rtc_clock_is_updating(const struct rtc_regs *r);

/* Is v something that register `reg` (SECONDS to YEAR) can hold?  Alarms can hold anything. */
bool rtc_clock_has_time(const struct rtc_regs *r, unsigned reg, uint8_t v);

#endif
